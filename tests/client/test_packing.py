"""What travels with a job, and what does not."""

from __future__ import annotations

import io
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.client import packing
from aifactory_hub.client.errors import ClientError, FilesTooLarge
from aifactory_hub.client.packing import Load, Travelling, look, packs
from aifactory_hub.runner.layout import Layout, read_manifest
from aifactory_hub.untrusted.packs import PackLimits, pack_entries

LIMIT = 2**20


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def sent(folder: Path, limit: int = LIMIT) -> Travelling:
    return look(folder, limit=limit)


def names(found: Travelling) -> list[str]:
    return [item.name for item in found.items]


def unpacked(found: Travelling, scratch: Path) -> Path:
    scratch.mkdir()
    layout = Layout(read_manifest(found.manifest.decode()), scratch / "out")
    for pack in packs(list(found.contents.values()), scratch):
        layout.unpack(pack)
    layout.finish()
    return scratch / "out"


def test_the_same_files_give_the_same_digest_whenever_and_wherever(tmp_path: Path) -> None:
    files = {"b.py": b"print(1)", "a/x.txt": b"x", "a/y.txt": b"y"}
    one, two = fill(tmp_path / "one", files), fill(tmp_path / "two", dict(reversed(files.items())))
    os.utime(two / "b.py", (1, 1))
    assert sent(one).sha256 == sent(two).sha256
    (two / "b.py").write_bytes(b"print(2)")
    assert sent(two).sha256 != sent(one).sha256


def test_what_is_packed_is_what_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_PACK", 10)
    files = {"run.sh": b"#!/bin/sh\n", "deep/er/ünï cødé.txt": b"hello", "empty": b"", "e2": b"", "large": b"x" * 99}
    folder = fill(tmp_path / "in", files)
    (folder / "run.sh").chmod(0o755)
    out = unpacked(sent(folder), tmp_path / "scratch")
    assert {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()} == files
    assert os.access(out / "run.sh", os.X_OK)
    assert (out / "empty").stat().st_mode & 0o111 == 0


def test_a_pack_has_a_limit_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_FILES", 2)
    found = sent(fill(tmp_path / "in", {str(n): b"%d" % n for n in range(5)}))
    made = [path.read_bytes() for path in packs(found.items, tmp_path)]
    counts = [len(list(pack_entries(io.BytesIO(pack).read, PackLimits(100)))) for pack in made]
    assert counts == [2, 2, 1]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"a\xffb", "U+DCFF"),
        (b"a\nb", "U+000A"),
        ("a\u202eb".encode(), "U+202E"),
        ("a\x9bb".encode(), "U+009B"),
        (b"/".join([b"d"] * 70), "70 folders deep"),
    ],
)
def test_a_file_whose_name_can_not_travel_stays_at_home_and_is_told(tmp_path: Path, name: bytes, why: str) -> None:
    folder = fill(tmp_path / "in", {"train.py": b"x"})
    path = os.fsencode(folder) + b"/" + name
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - a name that is no text
    os.close(os.open(path, os.O_CREAT))
    found = sent(folder)
    assert [item.name for item in found.items] == ["train.py"]
    (told,) = found.skipped.items()
    assert why in told[1]
    assert told[0].isprintable()


@pytest.mark.parametrize("now", [b"other", b"longer than it was", b""])
def test_a_file_that_changes_while_it_is_sent_is_named(tmp_path: Path, now: bytes) -> None:
    found = sent(fill(tmp_path / "in", {"train.py": b"first"}))
    (tmp_path / "in" / "train.py").write_bytes(now)
    with pytest.raises(ClientError, match=r"train\.py changed while it was being sent|could not be packed"):
        list(packs(found.items, tmp_path))


def test_version_control_caches_and_environments_stay_at_home(tmp_path: Path) -> None:
    left = [".git/config", "a/__pycache__/x.pyc", ".ipynb_checkpoints/n.ipynb", ".venv/bin/python", "node_modules/m.js"]
    folder = fill(tmp_path / "in", dict.fromkeys([*left, "train.py", "a/b.py"], b"x"))
    assert names(sent(folder)) == ["a/b.py", "train.py"]


def test_what_the_ignore_file_names_stays_at_home(tmp_path: Path) -> None:
    ignore = b"# data\n*.csv\n\nout/\n/secret.txt\nruns/*/tmp\n"
    files = ["x.csv", "a/y.csv", "out/o.txt", "a/out/o.txt", "secret.txt", "a/secret.txt", "runs/1/tmp/t", "runs/1/log"]
    folder = fill(tmp_path / "in", {".aifactoryignore": ignore, **dict.fromkeys(files, b"x")})
    assert names(sent(folder)) == [".aifactoryignore", "a/secret.txt", "runs/1/log"]


def test_what_git_leaves_out_stays_at_home_as_git_has_it(tmp_path: Path) -> None:
    files = ["a.csv", "keep.csv", "data/x.bin", "data/y.txt", "sub/b.csv", "sub/own.tmp", "other/own.tmp", "build"]
    rules = {
        ".gitignore": b"*.csv\n!keep.csv\ndata/\nbuild/\n",
        "sub/.gitignore": b"*.tmp\n!b.csv\n",
        ".aifactoryignore": b"!data/\n*.bin\n",
    }
    folder = fill(tmp_path / "in", {**rules, **dict.fromkeys(files, b"x")})
    found = names(sent(folder))
    assert sorted({*found} - rules.keys()) == [
        "build",
        "data/y.txt",
        "keep.csv",
        "other/own.tmp",
        "sub/b.csv",
    ]


def test_what_programs_keep_in_a_home_folder_stays_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [".ssh/id_ed25519", ".ipython/history.sqlite", ".netrc", "train.py", "work/.env"]
    home = fill(tmp_path / "home", dict.fromkeys(files, b"x"))
    monkeypatch.setenv("HOME", str(home))
    assert names(sent(home)) == ["train.py", "work/.env"]
    (home / ".aifactoryignore").write_text("!.netrc\n")
    assert names(sent(home)) == [".netrc", "train.py", "work/.env"]
    monkeypatch.setenv("HOME", str(tmp_path))  # any other folder travels whole
    assert ".ssh/id_ed25519" in names(sent(home))


def test_what_is_sent_besides_the_folder_is_there_too(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", {"a.py": b"x", ".aifactory/function.py": b"of another time"})
    load = Load(folder, {".aifactory/call.json": b"{}"})
    assert names(look(load, limit=LIMIT)) == [".aifactory/call.json", "a.py"]
    assert names(look(Load(None, {"x": b"1"}), limit=LIMIT)) == ["x"]


def test_ten_thousand_files_are_a_few_packs_and_quick(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", {f"d{n % 100}/f{n}.txt": f"{n}".encode() for n in range(10_000)})
    began = time.monotonic()
    found = sent(folder)
    made = list(packs(found.items, tmp_path))
    assert (len(found.items), len(made)) == (10_000, 1)
    assert time.monotonic() - began < 60


def test_too_much_is_refused_and_the_biggest_are_named(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes
    folder = fill(tmp_path / "in", {"model.bin": noise(300_000), "data.bin": noise(900_000), "a.py": b"x"})
    with pytest.raises(FilesTooLarge, match=r"The biggest: data\.bin \(878\.9 KiB\), model\.bin") as refused:
        sent(folder)
    assert refused.value.biggest == {"data.bin": 900_000, "model.bin": 300_000, "a.py": 1}
    assert (refused.value.reason, refused.value.numbers["limit"]) == ("too-large", LIMIT)


def test_far_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with (folder / "huge.bin").open("wb") as file:
        file.truncate(50 * 2**30)
    began = time.monotonic()
    with pytest.raises(FilesTooLarge, match=r"huge\.bin \(50\.0 GiB\)"):
        sent(folder)
    assert time.monotonic() - began < 2


def test_a_link_to_a_file_travels_as_the_file_and_others_are_named(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", {"real.txt": b"real"})
    (folder / "link.txt").symlink_to("real.txt")
    (folder / "lost.txt").symlink_to("nowhere")
    (folder / "around").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    done = sent(folder)
    assert names(done) == ["link.txt", "real.txt"]
    assert sorted(done.skipped) == ["around", "lost.txt", "pipe"]


def test_a_link_out_of_the_folder_is_named(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", {"real.txt": b"real"})
    fill(tmp_path, {"secret.txt": b"secret"})
    (folder / "own.txt").symlink_to("real.txt")
    (folder / "out.txt").symlink_to("../secret.txt")
    done = sent(folder)
    assert names(done) == ["out.txt", "own.txt", "real.txt"]
    assert done.outside == {"out.txt": str((tmp_path / "secret.txt").resolve())}


def test_what_is_no_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="is not a folder"):
        sent(tmp_path / "none")


def test_nothing_in_a_folder_ends_a_submission_and_all_that_stays_is_named(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", {"real.txt": b"real", "über.csv": b"x"})
    (folder / "loop").symlink_to("loop")
    for name in (b"lat\xf1.txt", b"tab\there", b"new\nline"):
        (folder / os.fsdecode(name)).write_bytes(b"x")
    (folder / "empty" / "deep").mkdir(parents=True)
    done = sent(folder)
    assert names(done) == ["real.txt", "über.csv"]
    assert dict(done.skipped) == {
        "loop": "it can't be read: Too many levels of symbolic links",
        "lat\\udcf1.txt": "it has the character U+DCF1, which can't be printed",
        "tab\\there": "it has the character U+0009, which can't be printed",
        "new\\nline": "it has the character U+000A, which can't be printed",
        "empty/deep/": "an empty folder: make it in the job",
    }


def test_a_file_or_folder_without_permission_stays_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "in", {"real.txt": b"real", "lost+found/x": b"x", "secret.key": b"x"})
    opened, listed = Path.open, os.scandir

    def open_as_somebody_else(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name == "secret.key":
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **kwargs)

    def list_as_somebody_else(path: Any) -> Any:
        if str(path).endswith("lost+found"):
            raise PermissionError(13, "Permission denied")
        return listed(path)

    # Root, as which the tests run, may read everything.
    monkeypatch.setattr(Path, "open", open_as_somebody_else)
    monkeypatch.setattr(os, "scandir", list_as_somebody_else)
    done = sent(folder)
    assert names(done) == ["real.txt"]
    assert dict(done.skipped) == {
        "lost+found/": "it can't be read: Permission denied",
        "secret.key": "it can't be read: Permission denied",
    }


def test_a_log_that_grows_meanwhile_is_sent_as_it_was(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", {"train.log": b"epoch 1\n"})
    found = sent(folder)
    with (folder / "train.log").open("ab") as file:
        file.write(b"epoch 2\n")
    assert (unpacked(found, tmp_path / "scratch") / "train.log").read_bytes() == b"epoch 1\n"
