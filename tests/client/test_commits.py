"""Files of a commit: which one it is, and what of it does not travel, is said before a job lacks it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.client import ClientError
from aifactory_hub.client.provenance import export

Git = Callable[..., str]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "deep").mkdir(parents=True)
    git = _git(folder)
    git("init", "-q", "-b", "trunk")
    for number in (1, 2):
        (folder / "deep" / "model.py").write_text(f"DEPTH = {number}\n")
        (folder / "top.py").write_text("")
        git("add", ".")
        git("commit", "-qm", f"depth {number}")
    return folder


def _git(folder: Path) -> Git:
    def run(*words: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always")
        return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout

    return run


def exported(source: str, folder: Path, scratch: Path) -> dict[str, str]:
    """The files of the commit by name."""
    place = scratch / f"export{len(list(scratch.iterdir()))}"
    place.mkdir()
    target = place / "files"
    commit = export(source, folder, target)
    assert len(commit) == 40
    return {str(p.relative_to(target)): p.read_text() for p in target.rglob("*") if p.is_file()}


def test_a_commit_is_named_and_what_is_not_in_it_too(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exported("HEAD", project, tmp_path)["deep/model.py"] == "DEPTH = 2\n"
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("commit ") and said[0].endswith(" depth 2")
    for number in range(4):
        (project / f"new{number}.py").write_text("")
    (project / "deep" / "model.py").write_text("DEPTH = 3\n")
    assert exported("HEAD~1", project, tmp_path)["deep/model.py"] == "DEPTH = 1\n"
    said = capsys.readouterr().err.splitlines()
    assert said[0].endswith(" depth 1")
    assert said[1:] == ["what is not committed stays here: deep/model.py, new0.py, new1.py and 2 more"]


def test_of_a_folder_within_a_repository_that_folder_travels(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "new.py").write_text("")
    assert exported("HEAD", project / "deep", tmp_path) == {"model.py": "DEPTH = 2\n"}
    assert "stays here" not in capsys.readouterr().err, "nothing of this folder does"


def test_submodules_stay_away_and_are_named(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    _git(other)("init", "-q", "-b", "trunk")
    _git(other)("commit", "-q", "--allow-empty", "-m", "one")
    _git(project)("submodule", "--quiet", "add", str(other), "vendored lib")
    _git(project)("commit", "-qm", "with a library")
    exported("HEAD", project, tmp_path)
    assert "submodules are not sent: vendored lib" in capsys.readouterr().err.splitlines()


def test_another_repository_is_cloned_and_nothing_is_said_of_this_folder(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "new.py").write_text("")
    for address in (str(project), os.path.relpath(project)):
        assert exported(f"{address}@HEAD~1", tmp_path, tmp_path)["deep/model.py"] == "DEPTH = 1\n"
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_commit_may_be_written_in_git_s_own_ways(project: Path, tmp_path: Path) -> None:
    for source, depth in (("trunk", 2), ("@", 2), ("HEAD@{1}", 1), ("trunk@{0}", 2)):
        assert exported(source, project, tmp_path)["deep/model.py"] == f"DEPTH = {depth}\n", source


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("https://git.example.org/r.git", "names a repository and no commit: write https://git.example.org/r.git@"),
        ("https://ada:secret@git.example.org/r.git", "names a repository and no commit"),
        ("git@git.example.org:o/r.git", "names a repository and no commit"),
        ("/home/ada/r", "names a repository and no commit: write /home/ada/r@<commit>"),
        ("/nowhere/at/all@HEAD", "repository '/nowhere/at/all' does not exist"),
        ("nowhere", "there is no such commit here"),
        ("--help", "names no commit"),
        ("", "names no commit"),
        ("file:///nowhere/at/all@HEAD", "git='file:///nowhere/at/all' can't be cloned: file: is not used here"),
        ("ext::sh -c 'touch ran'@HEAD", "can't be cloned"),
        ("http://git.example.org/r.git@HEAD", "can't be cloned: http: is not used here"),
        ("http://ada:secret@git.example.org/r.git@HEAD", "can't be cloned: http: is not used here"),
        ("ssh://-oProxyCommand=touch/r.git@HEAD", "can't be cloned"),
        ("--upload-pack=touch@HEAD", "names no commit"),
    ],
)
def test_what_names_no_commit_is_refused_in_words(project: Path, tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(ClientError, match=r".*") as refused:
        exported(source, project, tmp_path)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_folder_that_is_in_no_repository_is_said_with_what_to_do(tmp_path: Path) -> None:
    (folder := tmp_path / "plain").mkdir()
    with pytest.raises(ClientError, match=r"plain is in no git repository\. Work in a clone of one") as refused:
        exported("HEAD", folder, tmp_path)
    assert "fatal" not in str(refused.value)


def test_a_commit_travels_as_it_is_in_git_whatever_its_attributes_say(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attributes = "tests export-ignore\n/data export-ignore\nversion.py export-subst\n*.dat text eol=crlf\n*.id ident\n"
    files = {
        ".gitattributes": attributes,
        "tests/check.py": "x = 1\n",
        "data/train.csv": "1,2\n",
        "version.py": "V = '$Format:%H$'\n",
        "b.dat": "a\nb\n",
        "c.id": "$Id$\n",
        "weights.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n",
    }
    for name, text in files.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    git = _git(project)
    git("add", "-A")
    git("commit", "-qm", "attributes")
    found = exported("HEAD", project, tmp_path)
    assert {name: found.get(name) for name in files} == files
    said = capsys.readouterr().err
    assert "Git LFS keeps these elsewhere, so pointers travel in their place: weights.bin\n" in said
    assert exported("HEAD", project / "data", tmp_path) == {"train.csv": "1,2\n"}
    assert git("status", "--porcelain") == ""  # nothing of ours is left in the repository


def test_files_with_names_that_git_quotes_are_named_as_they_are(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "über.py").write_text("")
    _git(project)("mv", "top.py", "zu-oberst.py")
    exported("HEAD", project, tmp_path)
    assert "what is not committed stays here: zu-oberst.py, über.py\n" in capsys.readouterr().err


def test_git_itself_is_told_which_protocols_it_may_use(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is cloned can't lead git to a helper either, whatever this notebook's configuration allows."""
    asked: list[tuple[str, str]] = []
    run = subprocess.run

    def watched(words: list[str], **options: Any) -> Any:
        asked.append((words[3], options.get("env", {}).get("GIT_ALLOW_PROTOCOL", "")))
        return run(words, **options)

    monkeypatch.setattr(subprocess, "run", watched)
    exported(f"{project}@HEAD", tmp_path, tmp_path)
    with pytest.raises(ClientError):
        exported("https://127.0.0.1:9/r.git@HEAD", tmp_path, tmp_path)
    assert [allowed for word, allowed in asked if word == "clone"] == ["file", "https:ssh"]
    assert {allowed for word, allowed in asked if word in ("archive", "rev-parse")} == {"https:ssh"}


def test_a_helper_of_git_runs_nothing(project: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for source in (f"ext::touch {ran}@HEAD", f"ext::sh -c 'touch {ran}'@HEAD", f"EXT::touch {ran}@HEAD"):
        with pytest.raises(ClientError):
            exported(source, project, tmp_path)
    assert not ran.exists()
