"""Packs a folder into an archive: the same files give the same bytes, so the same digest."""

from __future__ import annotations

import fnmatch
import gzip
import hashlib
import heapq
import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .errors import ClientError, FilesTooLarge

IGNORE_FILE = ".aifactoryignore"
# Not part of the work, and often large.
ALWAYS_IGNORED = (".git", "__pycache__", ".ipynb_checkpoints", ".venv", "node_modules")
# One time for all entries: 1 January 2020, because zip-based tools refuse times before 1980.
_MTIME = 1577836800
# Text seldom packs better than this, so a folder this many times over the limit need not be packed to know.
_BEST_RATIO = 20
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive on disk. ``skipped`` are entries that can't travel, each with why."""

    path: Path
    size: int
    sha256: str
    skipped: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    path: Path
    size: int


def pack(folder: Path, target: Path, *, limit: int) -> Packed:
    """Pack ``folder`` into ``target``. ``limit`` is in bytes, of the archive. Raises FilesTooLarge, ClientError."""
    if not folder.is_dir():
        raise ClientError(f"files={str(folder)!r} is not a folder. Pass a folder, or None to send nothing.")
    skipped: dict[str, str] = {}
    entries = sorted(_entries(folder, read_patterns(folder), skipped), key=lambda e: e.name)
    total = sum(entry.size for entry in entries)
    if total > limit * _BEST_RATIO:
        raise FilesTooLarge(limit, total, _biggest(entries))
    try:
        with target.open("wb") as raw:
            _write(raw, entries, limit)
        with target.open("rb") as packed:
            digest = hashlib.file_digest(packed, "sha256").hexdigest()
    except OSError as error:
        raise ClientError(f"The files could not be packed: {error}") from error
    return Packed(target, target.stat().st_size, digest, skipped)


def read_patterns(folder: Path) -> tuple[str, ...]:
    """What not to pack: our own list and the lines of .aifactoryignore, without empty ones and # comments."""
    try:
        lines = (folder / IGNORE_FILE).read_text().splitlines()
    except OSError:
        lines = []
    own = [line.strip() for line in lines]
    return (*ALWAYS_IGNORED, *(line for line in own if line and not line.startswith("#")))


def is_ignored(name: str, patterns: Sequence[str]) -> bool:
    """Whether an entry's path matches a pattern: one with a slash the path from the folder on, else any last part."""
    last = name.rsplit("/", 1)[-1]
    for pattern in patterns:
        plain = pattern.rstrip("/").removeprefix("./")
        subject = name if "/" in plain else last
        if fnmatch.fnmatchcase(subject, plain.removeprefix("/")):
            return True
    return False


def _entries(folder: Path, patterns: Sequence[str], skipped: dict[str, str], prefix: str = "") -> Iterator[_Entry]:
    with os.scandir(folder) as listing:
        found = list(listing)
    for item in found:
        name = f"{prefix}{item.name}"
        if is_ignored(name, patterns):
            continue
        if item.is_dir(follow_symlinks=False):
            yield from _entries(Path(item.path), patterns, skipped, f"{name}/")
        elif item.is_file():  # a link to a file travels as the file
            yield _Entry(name, Path(item.path), item.stat().st_size)
        else:
            skipped[name] = "a link to a folder or to nothing" if item.is_symlink() else "not a plain file"


def _write(raw: IO[bytes], entries: Sequence[_Entry], limit: int) -> None:
    # gzip's header has room for a name and a time: both would make the same files look different.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for entry in entries:
            _add(tar, entry)
            if raw.tell() > limit:
                raise FilesTooLarge(limit, raw.tell(), _biggest(entries))
    if raw.tell() > limit:
        raise FilesTooLarge(limit, raw.tell(), _biggest(entries))


def _add(tar: tarfile.TarFile, entry: _Entry) -> None:
    with entry.path.open("rb") as file:
        status = os.fstat(file.fileno())
        info = tarfile.TarInfo(entry.name)
        info.size = status.st_size
        info.mode = 0o755 if status.st_mode & 0o100 else 0o644
        info.mtime = _MTIME
        tar.addfile(info, file)


def _biggest(entries: Sequence[_Entry]) -> dict[str, int]:
    return {e.name: e.size for e in heapq.nlargest(_NAMED, entries, key=lambda e: e.size)}
