"""Lays the files of a job out, safely: content comes in packs by its digest, names come from the manifest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .archive import BadArchive

# One time for all files, so that two runs of the same files look alike: 1 January 2020.
_MTIME = 1577836800


@dataclass(frozen=True, slots=True)
class Placed:
    """A file: its path below the work folder, its content's digest and size in bytes."""

    name: str
    sha256: str
    size: int
    executable: bool


def read_manifest(text: str) -> list[Placed]:
    """Raises BadArchive: only relative names are taken, so that none can lead outside."""
    try:
        files = [
            Placed(str(file["name"]), str(file["sha256"]), int(file["size"]), bool(file.get("executable", False)))
            for file in json.loads(text)["files"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise BadArchive(f"their manifest can't be read: {error!r}") from error
    for file in files:
        path = PurePosixPath(file.name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise BadArchive(f"the entry {file.name!r} would be outside of the work folder")
    return files


class Layout:
    """Puts files into ``folder``, pack by pack. Does not lean on tarfile's filters, which Python has since 3.11.4."""

    def __init__(self, files: Sequence[Placed], folder: Path) -> None:
        self._folder = folder
        self._wanted: dict[str, list[Placed]] = {}
        for file in files:
            self._wanted.setdefault(file.sha256, []).append(file)
        folder.mkdir(parents=True, exist_ok=True)

    def unpack(self, pack: Path) -> None:
        """Take out of a pack what the manifest wants. Raises BadArchive."""
        try:
            with tarfile.open(pack, "r:gz") as tar:
                for member in tar:
                    places = self._wanted.get(member.name)
                    content = tar.extractfile(member) if places and member.isreg() else None
                    if places and content is not None:
                        self._place(places, content)
                        del self._wanted[member.name]
        except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
            raise BadArchive(f"a pack can't be unpacked: {error}") from error

    def finish(self) -> None:
        """Raises BadArchive when a file is missing."""
        missing = [file.name for places in self._wanted.values() for file in places]
        if missing:
            raise BadArchive(f"{len(missing)} files did not come, the first is {missing[0]!r}")

    def _place(self, places: Sequence[Placed], content: Any) -> None:
        first, *others = places
        target = self._target(first)
        digest, room = hashlib.sha256(), first.size
        with content, target.open("xb") as file:
            while chunk := content.read(min(256 * 1024, room + 1)):
                room -= len(chunk)
                if room < 0:  # what a small archive unpacks to is bounded by the manifest
                    break
                digest.update(chunk)
                file.write(chunk)
        if room != 0 or digest.hexdigest() != first.sha256:
            raise BadArchive(f"{first.name} is damaged")
        for other in others:
            shutil.copyfile(target, self._target(other))
        for place in places:
            path = self._folder / place.name
            path.chmod(0o755 if place.executable else 0o644)
            os.utime(path, (_MTIME, _MTIME))

    def _target(self, file: Placed) -> Path:
        target = self._folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target
