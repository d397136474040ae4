"""Keeps files that the service itself has as a snapshot, as if their owner had sent them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, cast

from ..pack_writer import write_pack
from ..store import FileStore, Snapshots
from ..untrusted.manifests import ManifestFile, read_manifest
from ..untrusted.readers import ManifestContent
from .request_types import PACK_HEADERS

# Content of one pack in bytes, and its entries: as the client sends them.
_PACK, _ENTRIES = 32 * 2**20, 10_000


class TooMuch(Exception):
    """The files have more bytes than one job's may."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file for a snapshot; ``chunks`` opens its content."""

    file: ManifestFile
    chunks: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class SnapshotWriter:
    """Writes snapshots of at most ``most`` bytes. Methods block."""

    snapshots: Snapshots
    files: FileStore
    most: int

    def keep(
        self,
        tenant: str,
        owner: str,
        new: Sequence[SourceFile],
        *,
        kept: Sequence[ManifestFile] = (),
        now: float,
    ) -> str:
        """The digest of a manifest with the ``new`` files and those ``kept`` ones of an earlier snapshot of the same
        owner that have other names. The same files give the same digest.

        Raises TooMuch, BadJson for names that can't be together, FilesMissing when what was kept is gone.
        """
        listed, manifest = self._listed([source.file for source in new], kept)
        self._send(tenant, owner, {source.file.sha256: source for source in new}, now)
        named = ManifestContent({file.sha256: file.size for file in listed}, sum(file.size for file in listed))
        digest = hashlib.sha256(manifest).hexdigest()
        with self.files.incoming(len(manifest)) as incoming:
            incoming.write(manifest)
            self.snapshots.take_manifest(tenant, owner, incoming, digest, named, now=now)
        return digest

    def digest(self, new: Sequence[ManifestFile], kept: Sequence[ManifestFile] = ()) -> str:
        """The digest that ``keep`` would give; nothing is written. Raises TooMuch, BadJson."""
        return hashlib.sha256(self._listed(new, kept)[1]).hexdigest()

    def _listed(self, new: Sequence[ManifestFile], kept: Sequence[ManifestFile]) -> tuple[list[ManifestFile], bytes]:
        """The files of both by name, and their manifest."""
        names = {file.name for file in new}
        listed = sorted([*(f for f in kept if f.name not in names), *new], key=lambda f: f.name)
        total = sum(file.size for file in listed)
        if total > self.most:
            raise TooMuch(f"they have {total} bytes, and the files of one job may have {self.most}")
        manifest = _manifest(listed)
        read_manifest(manifest)
        return listed, manifest

    def _send(self, tenant: str, owner: str, by_digest: dict[str, SourceFile], now: float) -> None:
        missing = self.snapshots.missing(tenant, owner, list(by_digest), now=now)
        for group in _groups([by_digest[digest] for digest in missing]):
            with self.files.incoming(self.most + PACK_HEADERS) as incoming:
                contents = [(each.file.sha256, each.file.size, each.chunks) for each in group]
                write_pack(cast("IO[bytes]", incoming), contents)
                announced = incoming.complete()
                self.snapshots.take_pack(tenant, owner, incoming, announced, most=self.most, now=now)


def _groups(sources: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
    group: list[SourceFile] = []
    room = _PACK
    for source in sources:
        if group and (source.file.size > room or len(group) == _ENTRIES):
            yield group
            group, room = [], _PACK
        group.append(source)
        room -= source.file.size
    if group:
        yield group


def _manifest(files: Sequence[ManifestFile]) -> bytes:
    listed = [
        {"name": f.name, "sha256": f.sha256, "size": f.size, **({"executable": True} if f.executable else {})}
        for f in files
    ]
    return json.dumps({"files": listed}, separators=(",", ":")).encode()
