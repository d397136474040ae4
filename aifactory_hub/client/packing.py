"""What travels, by the digest of its content, and packs of the files that have to be sent."""

from __future__ import annotations

import hashlib
import heapq
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..untrusted.texts import shown
from .errors import ClientError, FilesTooLarge
from .files import Entry, entries, led_outside, unreadable

if TYPE_CHECKING:
    import tarfile

# Small files are sent together, up to this many bytes of content; a larger one alone.
_PACK = 32 * 2**20
# Files of one pack. The service takes more, and reads this many in a fraction of a second.
_FILES = 10_000
_NAMED = 5


class FileChanged(ClientError):
    """A file is not what it was when it was read first."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} changed while it was being sent. Submit again once nothing writes to it.")
        self.name = name


@dataclass(frozen=True, slots=True)
class Load:
    """What is to travel: a folder's files, or none, and ``extra`` ones of the client's own."""

    folder: Path | None
    extra: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One file that travels; ``source`` is where its content is, or the content. ``size`` in bytes."""

    name: str
    sha256: str
    size: int
    source: Path | bytes
    executable: bool = False


@dataclass(frozen=True)
class Travelling:
    """All that travels. ``skipped`` are entries that can't, each with why; ``size`` in bytes, of all files.

    ``outside`` are links among them that lead out of the folder, each with where to.
    """

    items: tuple[Item, ...]
    skipped: Mapping[str, str]
    outside: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(item.size for item in self.items)

    @cached_property
    def manifest(self) -> bytes:
        """The same files give the same bytes, so the same digest."""
        files = [
            {"name": i.name, "sha256": i.sha256, "size": i.size, **({"executable": True} if i.executable else {})}
            for i in self.items
        ]
        return json.dumps({"files": files}, separators=(",", ":")).encode()

    @cached_property
    def sha256(self) -> str:
        """What a job names the files by."""
        return hashlib.sha256(self.manifest).hexdigest()

    @cached_property
    def contents(self) -> Mapping[str, Item]:
        """One item for each content."""
        return {item.sha256: item for item in self.items}


def listed(load: Load | Path, *, limit: int) -> tuple[list[Entry], dict[str, str]]:
    """The folder's files that travel, and what can't, each with why; nothing is read but names and sizes.

    ``limit`` is in bytes, of all files. Raises FilesTooLarge, ClientError.
    """
    load = Load(load) if isinstance(load, Path) else load
    skipped: dict[str, str] = {}
    if load.folder is None:
        return [], skipped
    if not load.folder.is_dir():
        raise ClientError(f"files={str(load.folder)!r} is not a folder. Pass a folder, or None to send nothing.")
    found = entries(load.folder, skipped)
    total = sum(entry.size for entry in found)
    if total > limit:
        raise FilesTooLarge(limit, total, biggest(found))
    return found, skipped


def look(load: Load | Path, *, limit: int) -> Travelling:
    """What travels, read once for its digests. Raises FilesTooLarge, ClientError."""
    load = Load(load) if isinstance(load, Path) else load
    found, skipped = listed(load, limit=limit)
    items = []
    for entry in found:
        try:
            items.append(_item(entry))
        except OSError as error:
            skipped[shown(entry.name)] = unreadable(error)
    extra = [Item(name, hashlib.sha256(c).hexdigest(), len(c), c) for name, c in load.extra.items()]
    outside = {} if load.folder is None else led_outside(load.folder, found)
    return Travelling(tuple(sorted([*items, *extra], key=lambda item: item.name)), skipped, outside)


def packs(items: Sequence[Item], scratch: Path) -> Iterator[Path]:
    """Archives of these files' content, one at a time: the file is overwritten by the next.

    Raises ClientError when a file changed since it was looked at.
    """
    for group in _groups(items):
        target = scratch / "pack.tar.gz"
        try:
            with target.open("wb") as raw:
                _write(raw, group)
        except OSError as error:
            raise ClientError(f"The files could not be packed: {error}") from error
        yield target


def biggest(found: Sequence[Entry]) -> dict[str, int]:
    """The largest files with their bytes."""
    return {e.name: e.size for e in heapq.nlargest(_NAMED, found, key=lambda e: e.size)}


def _item(entry: Entry) -> Item:
    with entry.path.open("rb") as file:
        status = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Item(entry.name, digest, file.tell(), entry.path, bool(status.st_mode & 0o100))


def _groups(items: Sequence[Item]) -> Iterator[list[Item]]:
    group: list[Item] = []
    room = _PACK
    for item in items:
        if group and (item.size > room or len(group) == _FILES):
            yield group
            group, room = [], _PACK
        group.append(item)
        room -= item.size
    if group:
        yield group


def _write(raw: IO[bytes], group: Sequence[Item]) -> None:
    import gzip
    import tarfile

    # gzip's header has room for a name and a time: both would make the same files look different. Level 1, because
    # in a cluster the network is faster than a better level.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for item in group:
            _add(tar, item)


def _add(tar: tarfile.TarFile, item: Item) -> None:
    import io
    import tarfile as archives

    info = archives.TarInfo(item.sha256)
    info.size = item.size
    if isinstance(item.source, bytes):
        tar.addfile(info, io.BytesIO(item.source))
        return
    with item.source.open("rb") as file:
        watched = _Watched(file)
        try:
            tar.addfile(info, watched)
        except OSError as error:  # tarfile's word for a file that has become shorter
            raise FileChanged(item.name) from error
        # A file that has only grown, as logs do, is sent as it was when it was read first.
        if watched.digest.hexdigest() != item.sha256:
            raise FileChanged(item.name)


class _Watched:
    """Passes reads on and keeps the digest of what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.digest.update(chunk)
        return chunk
