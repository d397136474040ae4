"""Laying out what could be hostile."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.runner.archive import BadArchive
from aifactory_hub.runner.layout import Layout, read_manifest

from ..support.uploads import manifest_of, pack_of, sha256

FILES = {"run.sh": b"#!/bin/sh", "a/b.py": b"x", "a/copy.py": b"x", "empty": b""}


def laid_out(tmp_path: Path, manifest: bytes, *packs: bytes) -> Path:
    layout = Layout(read_manifest(manifest.decode()), tmp_path / "files")
    for content in packs:
        pack = tmp_path / "pack.tar.gz"
        pack.write_bytes(content)
        layout.unpack(pack)
    layout.finish()
    return tmp_path / "files"


def pack_with(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"") -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.size = kind, len(content)
        info.linkname = "" if kind == tarfile.REGTYPE else "/etc/passwd"
        tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def test_content_of_several_packs_is_put_under_its_names(tmp_path: Path) -> None:
    listed = json.loads(manifest_of(FILES))["files"]
    listed[0]["executable"] = True
    manifest = json.dumps({"files": listed}).encode()
    half, rest = dict(list(FILES.items())[:1]), dict(list(FILES.items())[1:])
    folder = laid_out(tmp_path, manifest, pack_of({**half, "unwanted": b"of another time"}), pack_of(rest))
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == FILES
    assert (folder / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (folder / "a/b.py").stat().st_mode & 0o777 == 0o644
    assert len({p.stat().st_mtime for p in folder.rglob("*") if p.is_file()}) == 1


@pytest.mark.parametrize("name", ["/tmp/evil", "../evil", "a/../../evil", ".", ""])
def test_a_name_that_could_reach_outside_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadArchive, match="not the path of a file below the work folder"):
        laid_out(tmp_path, manifest_of({name: b"x"}), pack_of({name: b"x"}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_what_is_no_plain_file_in_a_pack_is_never_made(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(BadArchive, match="not a plain file"):
        laid_out(tmp_path, manifest_of({"a": b"x"}), pack_with(sha256(b"x"), kind))
    assert list((tmp_path / "files").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"), [(b"y", "has the SHA-256"), (b"xx" * 10**6, "2000000 bytes in it, and 1 in"), (b"", "0 bytes")]
)
def test_content_that_is_not_what_its_name_says_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(BadArchive, match=said):
        laid_out(tmp_path, manifest_of({"a": b"x"}), pack_with(sha256(b"x"), content=content))


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00broken", pack_of(FILES)[:100]])
def test_what_is_no_whole_pack_is_said(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadArchive, match=r"unpacked|did not come"):
        laid_out(tmp_path, manifest_of(FILES), content)


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b'{"files": [1]}', b'{"files": [{"name": "a"}]}'])
def test_a_manifest_that_can_not_be_read_is_said(tmp_path: Path, manifest: Any) -> None:
    with pytest.raises(BadArchive, match="can't be read"):
        laid_out(tmp_path, manifest)


def test_a_file_that_would_be_a_folder_too_is_refused(tmp_path: Path) -> None:
    files = {"a": b"x", "a/b": b"y"}
    with pytest.raises(BadArchive, match="also the name of a file"):
        laid_out(tmp_path, manifest_of(files), pack_of(files))
