"""A file that somebody's job gave back is saved where the person who saves it expects it, and nowhere else."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.client.artifact import Artifact
from aifactory_hub.client.save_paths import Hidden, NotSaved

CONTENT = b"weights"


class Sessions:
    """Gives every file the same content."""

    def download(self, path: str) -> Any:
        from contextlib import nullcontext

        return nullcontext(iter([CONTENT]))


def artifact(name: str) -> Artifact:
    told = {"name": name, "size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    return Artifact(Sessions(), "jabcde", told)  # type: ignore[arg-type]


def everything_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_a_file_is_saved_by_its_name_and_saving_it_again_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        assert artifact("out/model.bin").save_below(tmp_path) == tmp_path / "out/model.bin"
    assert (tmp_path / "out/model.bin").read_bytes() == CONTENT
    assert everything_below(tmp_path) == {"out/model.bin"}


@pytest.mark.parametrize("name", [".bashrc", ".ssh/authorized_keys", "out/.git/config", ".checkpoints/one"])
def test_hidden_files_are_saved_only_if_asked(tmp_path: Path, name: str) -> None:
    with pytest.raises(Hidden, match="hidden"):
        artifact(name).save_below(tmp_path)
    assert everything_below(tmp_path) == set()
    artifact(name).save_below(tmp_path, hidden=True)
    assert everything_below(tmp_path) == {name}


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "a//b", ".", "..", "", "a\\b", "a\nb", "a\x9bb", "a\u202eb"]
)
def test_nothing_is_saved_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for hidden in (False, True):
        with pytest.raises(NotSaved):
            artifact(name).save_below(folder, hidden=hidden)
    assert everything_below(tmp_path) == set()


def test_nothing_that_exists_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "folder").mkdir()
    for name in ("notes.txt", "folder", "notes.txt/deeper"):
        with pytest.raises(NotSaved):
            artifact(name).save_below(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_no_link_is_followed(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "out").symlink_to(elsewhere)
    (folder / "file").symlink_to(elsewhere / "file")
    for name in ("out/x", "file"):
        with pytest.raises(NotSaved):
            artifact(name).save_below(folder)
    assert everything_below(elsewhere) == set()


def test_a_path_that_a_person_names_is_where_it_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.bin").write_text("an older one")
    assert artifact("x/y").save(tmp_path / "model.bin") == tmp_path / "model.bin"
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    (tmp_path / "folder").mkdir()
    assert artifact("x/y").save(tmp_path / "folder") == tmp_path / "folder/y"
    with pytest.raises(Hidden):
        artifact("x/.y").save(tmp_path / "folder")
    monkeypatch.chdir(tmp_path)
    assert artifact("x/y").save() == Path("x/y")
    with pytest.raises(Hidden):
        artifact(".profile").save()
