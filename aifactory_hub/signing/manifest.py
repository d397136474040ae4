"""The files of a model and the two digests that stand for all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file: its path below the model's folder, its size in bytes and its SHA-256 in hexadecimal digits."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class FileSet:
    """The files of a model, folder by folder, as model signing orders them.

    Two sets of the same files are equal, in whatever order they were given.
    """

    files: tuple[FileEntry, ...]

    @classmethod
    def of(cls, files: Iterable[FileEntry]) -> FileSet:
        """These files in their order by the parts of their paths. Raises ValueError when a name comes twice."""
        ordered = tuple(sorted(files, key=lambda file: file.name.split("/")))
        for before, after in pairwise(ordered):
            if before.name == after.name:
                raise ValueError(f"the file {before.name!r} comes twice")
        return cls(ordered)

    @property
    def size(self) -> int:
        """All files together, in bytes."""
        return sum(file.size for file in self.files)

    @cached_property
    def digest(self) -> str:
        """The manifest digest: the SHA-256 of names, sizes and contents' digests as compact JSON.

        It changes when a file is renamed, which ``root`` does not.
        """
        rows = [[file.name, file.size, file.sha256] for file in self.files]
        return hashlib.sha256(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()

    @cached_property
    def root(self) -> str:
        """The digest that OpenSSF model signing gives to these files: the SHA-256 of the contents' digests in order."""
        found = hashlib.sha256()
        for file in self.files:
            found.update(bytes.fromhex(file.sha256))
        return found.hexdigest()
