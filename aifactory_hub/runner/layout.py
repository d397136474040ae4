"""Lays the files of a job out, safely: content comes in packs by its digest, names come from the manifest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ..untrusted.json_text import BadJson
from ..untrusted.manifests import ManifestFile, ManifestLimits
from ..untrusted.manifests import read_manifest as read_files
from ..untrusted.packs import BadPack, PackEntry, PackLimits, Sink, pack_entries
from .archive import BadArchive

# One time for all files, so that two runs of the same files look alike: 1 January 2020.
_MTIME = 1577836800


# The service has its own, lower limit. This one only ends what would never end.
_MOST_CONTENT = 2**43
# As many folders as a name has room for: manifests that older services took in are laid out, too.
_LIMITS = ManifestLimits(depth=250)


def read_manifest(text: str) -> list[ManifestFile]:
    """Raises BadArchive: only relative names are taken, so that none can lead outside."""
    try:
        return read_files(text.encode(), _LIMITS)
    except (BadJson, UnicodeEncodeError) as error:
        place = f"{error.field}: " if isinstance(error, BadJson) and error.field else ""
        raise BadArchive(f"their manifest can't be read: {place}{error}") from error


class Layout:
    """Puts files into ``folder``, pack by pack."""

    def __init__(self, files: Sequence[ManifestFile], folder: Path) -> None:
        self._folder = folder
        self._wanted: dict[str, list[ManifestFile]] = {}
        for file in files:
            self._wanted.setdefault(file.sha256, []).append(file)
        folder.mkdir(parents=True, exist_ok=True)

    def unpack(self, pack: Path) -> None:
        """Take out of a pack what the manifest wants. Raises BadArchive."""
        try:
            with pack.open("rb") as file, ExitStack() as opened:
                for entry in pack_entries(file.read, PackLimits(_MOST_CONTENT), sink=lambda e: self._sink(e, opened)):
                    opened.close()
                    self._finish_one(self._wanted.pop(entry.sha256, []))
        except (BadPack, OSError) as error:
            raise BadArchive(f"a pack can't be unpacked: {error}") from error

    def finish(self) -> None:
        """Raises BadArchive when a file is missing."""
        missing = [file.name for places in self._wanted.values() for file in places]
        if missing:
            raise BadArchive(f"{len(missing)} files did not come, the first is {missing[0]!r}")

    def _sink(self, entry: PackEntry, opened: ExitStack) -> Sink | None:
        """Where the entry's content goes: into the first of its places, or nowhere when nobody wants it."""
        places = self._wanted.get(entry.sha256)
        if not places:
            return None
        if any(place.size != entry.size for place in places):
            raise BadPack(f"{places[0].name} has {entry.size} bytes in it, and {places[0].size} in the manifest")
        return opened.enter_context(self._target(places[0]).open("xb")).write

    def _finish_one(self, places: Sequence[ManifestFile]) -> None:
        for other in places[1:]:
            shutil.copyfile(self._folder / places[0].name, self._target(other))
        for place in places:
            path = self._folder / place.name
            path.chmod(0o755 if place.executable else 0o644)
            os.utime(path, (_MTIME, _MTIME))

    def _target(self, file: ManifestFile) -> Path:
        target = self._folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target
