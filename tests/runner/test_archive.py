"""Unpacking what could be hostile, and choosing what to bring home."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from aifactory_hub.runner import archive
from aifactory_hub.runner.archive import BadArchive, Stamp, choose, stamps, unpack


def tar_with(tmp_path: Path, *members: tarfile.TarInfo) -> Path:
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size) if member.isreg() else None)
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = 3 if kind == tarfile.REGTYPE else 0
    return info


HOSTILE = [
    ("an absolute name", member("/tmp/evil"), "outside of the work folder"),
    ("a way up", member("../evil"), "outside of the work folder"),
    ("a way up in the middle", member("a/../../evil"), "outside of the work folder"),
    ("no name", member("."), "outside of the work folder"),
    ("a symbolic link", member("link", tarfile.SYMTYPE, "/etc"), "neither a file nor a folder"),
    ("a hard link", member("link", tarfile.LNKTYPE, "/etc/passwd"), "neither a file nor a folder"),
    ("a device", member("null", tarfile.CHRTYPE), "neither a file nor a folder"),
    ("a pipe", member("pipe", tarfile.FIFOTYPE), "neither a file nor a folder"),
]


@pytest.mark.parametrize(("hostile", "said"), [c[1:] for c in HOSTILE], ids=[c[0].replace(" ", "-") for c in HOSTILE])
def test_an_entry_that_could_reach_outside_is_refused(tmp_path: Path, hostile: tarfile.TarInfo, said: str) -> None:
    with pytest.raises(BadArchive, match=said):
        unpack(tar_with(tmp_path, hostile), tmp_path / "work" / "files")
    assert [p for p in (tmp_path / "work").rglob("*") if not p.is_dir()] == []


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArchive, match="can't be unpacked"):
        unpack(tar_with(tmp_path, member("a"), member("a")), tmp_path / "files")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_archive_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(content)
    with pytest.raises(BadArchive):
        unpack(path, tmp_path / "files")


def test_a_truncated_archive_is_said(tmp_path: Path) -> None:
    path = tar_with(tmp_path, member("a"), member("b"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadArchive):
        unpack(path, tmp_path / "files")


def test_an_archive_that_swells_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED", 5)
    with pytest.raises(BadArchive, match="more than 5 bytes"):
        unpack(tar_with(tmp_path, member("a"), member("b")), tmp_path / "files")


def test_new_and_changed_files_are_seen_and_caches_are_not(tmp_path: Path) -> None:
    for name in ("same", "grown", "rewritten"):
        (tmp_path / name).write_text("abc")
        os.utime(tmp_path / name, (1, 1))
    before = stamps(tmp_path)
    (tmp_path / "grown").write_text("abcd")
    (tmp_path / "rewritten").write_text("xyz")
    (tmp_path / "sub" / "__pycache__").mkdir(parents=True)
    (tmp_path / "sub" / "__pycache__" / "m.pyc").write_text("x")
    (tmp_path / "sub" / "new").write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    choice = choose(before, stamps(tmp_path), outputs=None, max_bytes=100)
    assert sorted(choice.kept) == ["grown", "rewritten", "sub/new"]


AFTER = {"model.bin": Stamp(2, 80), "log.txt": Stamp(2, 10), "out/a.csv": Stamp(2, 15), "old": Stamp(1, 1)}


@pytest.mark.parametrize(
    ("outputs", "room", "kept", "left"),
    [
        (None, 200, ["log.txt", "out/a.csv", "model.bin"], []),
        (None, 100, ["log.txt", "out/a.csv"], ["model.bin"]),
        (None, 0, [], ["log.txt", "model.bin", "out/a.csv"]),
        (["*.bin"], 100, ["model.bin"], []),
        (["out"], 100, ["out/a.csv"], []),
        (["./out/", "log.*"], 100, ["log.txt", "out/a.csv"], []),
        (["old"], 100, [], []),
        ([], 100, [], []),
    ],
)
def test_what_is_kept_fits_and_what_is_left_is_named(
    outputs: list[str] | None, room: int, kept: list[str], left: list[str]
) -> None:
    choice = choose({"old": Stamp(1, 1)}, AFTER, outputs=outputs, max_bytes=room)
    assert list(choice.kept) == kept
    assert sorted(choice.left) == left
