"""Packs files into an archive: the same files give the same bytes, so the same digest."""

from __future__ import annotations

import hashlib
import heapq
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .errors import ClientError, FilesTooLarge
from .files import Entry, entries

if TYPE_CHECKING:
    import tarfile

# One time for all entries: 1 January 2020, because zip-based tools refuse times before 1980.
_MTIME = 1577836800
# Text seldom packs better than this, so a folder this many times over the limit need not be packed to know.
_BEST_RATIO = 20
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive on disk; sizes in bytes. ``skipped`` are entries that can't travel, each with why."""

    path: Path
    size: int
    sha256: str
    skipped: dict[str, str]
    count: int = 0
    unpacked: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be packed: a folder's files, or none, and ``extra`` ones of the client's own."""

    folder: Path | None
    extra: Mapping[str, bytes] = field(default_factory=dict)


def pack(load: Load | Path, target: Path, *, limit: int) -> Packed:
    """Pack into ``target``. ``limit`` is in bytes, of the archive. Raises FilesTooLarge, ClientError."""
    load = Load(load) if isinstance(load, Path) else load
    skipped: dict[str, str] = {}
    found = [] if load.folder is None else _listed(load.folder, skipped)
    total = sum(entry.size for entry in found)
    if total > limit * _BEST_RATIO:
        raise FilesTooLarge(limit, total, biggest(found))
    try:
        with target.open("wb") as raw:
            _write(raw, found, load.extra, limit)
        with target.open("rb") as packed:
            digest = hashlib.file_digest(packed, "sha256").hexdigest()
    except OSError as error:
        raise ClientError(f"The files could not be packed: {error}") from error
    return Packed(target, target.stat().st_size, digest, skipped, len(found), total)


def biggest(found: Sequence[Entry]) -> dict[str, int]:
    """The largest files with their bytes."""
    return {e.name: e.size for e in heapq.nlargest(_NAMED, found, key=lambda e: e.size)}


def _listed(folder: Path, skipped: dict[str, str]) -> list[Entry]:
    if not folder.is_dir():
        raise ClientError(f"files={str(folder)!r} is not a folder. Pass a folder, or None to send nothing.")
    return entries(folder, skipped)


def _write(raw: IO[bytes], found: Sequence[Entry], extra: Mapping[str, bytes], limit: int) -> None:
    import gzip
    import tarfile

    # gzip's header has room for a name and a time: both would make the same files look different.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content in sorted(extra.items()):
            _add_bytes(tar, name, content)
        for entry in found:
            _add(tar, entry)
            if raw.tell() > limit:
                raise FilesTooLarge(limit, raw.tell(), biggest(found))
    if raw.tell() > limit:
        raise FilesTooLarge(limit, raw.tell(), biggest(found))


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    with entry.path.open("rb") as file:
        status = os.fstat(file.fileno())
        tar.addfile(_info(tar, entry.name, status.st_size, runs=bool(status.st_mode & 0o100)), file)


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    import io

    tar.addfile(_info(tar, name, len(content), runs=False), io.BytesIO(content))


def _info(tar: tarfile.TarFile, name: str, size: int, *, runs: bool) -> tarfile.TarInfo:
    info = tar.tarinfo(name)
    info.size = size
    info.mode = 0o755 if runs else 0o644
    info.mtime = _MTIME
    return info
