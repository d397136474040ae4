"""Writes packs of files that the service itself has: the archives in which members send theirs."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from typing import IO, cast

# SHA-256, size in bytes, and what opens the content.
Content = tuple[str, int, Callable[[], Iterator[bytes]]]


def write_pack(target: IO[bytes], contents: Sequence[Content]) -> None:
    """Write these contents, each named by its digest. The same contents give the same bytes."""
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0, compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for sha256, size, chunks in contents:
            info = tarfile.TarInfo(sha256)
            info.size = size
            tar.addfile(info, cast("IO[bytes]", _Chunks(chunks())))


class _Chunks(io.RawIOBase):
    """Chunks as a file that can be read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, fewer only at the end."""
        while size < 0 or len(self._rest) < size:
            more = next(self._chunks, None)
            if more is None:
                break
            self._rest += more
        size = len(self._rest) if size < 0 else size
        found, self._rest = self._rest[:size], self._rest[size:]
        return found
