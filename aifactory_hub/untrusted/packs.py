"""Packs: the archives in which files travel, read piece by piece.

A pack is one gzip member that holds a ustar archive of plain files. Each entry is named by the SHA-256 of its content
and occurs once; two blocks of zeros end the archive. Every other form is refused, so this reader does not need (and
does not have) tar's extensions: no links, no PAX or GNU headers, no sparse files, no base-256 numbers.

Header layout: POSIX.1-2017, pax, "ustar Interchange Format".
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_BLOCK = 512
# How much is read and unpacked at once, in bytes.
_CHUNK = 256 * 1024
# Zeros that may follow the last entry, in bytes: two blocks, and padding to a record of the largest usual size.
_MOST_ZEROS = 1024 + 64 * 1024
_NAME = re.compile(rb"([0-9a-f]{64})\0{36}")
_SIZE = re.compile(rb"([0-7]{11})[\0 ]")
_CHECKSUM = re.compile(rb"([0-7]{6})\0 ")
_USTAR = b"ustar\x0000"
_PLAIN_FILE = b"0"
_EMPTY_LINK = bytes(100)
_EMPTY_PREFIX = bytes(155)
_ZEROS = bytes(_BLOCK)
_GZIP = 16 + zlib.MAX_WBITS

MOST_ENTRIES = 100_000


class BadPack(Exception):
    """The input is not a pack; the text says why and can follow "the pack is refused: "."""


class PackOverLimit(BadPack):
    """The input is larger than the limits allow."""


@dataclass(frozen=True, slots=True)
class PackLimits:
    """``content`` is the most bytes of all entries together, ``entries`` the most entries."""

    content: int
    entries: int = MOST_ENTRIES


@dataclass(frozen=True, slots=True)
class PackEntry:
    """One file of a pack: its SHA-256 and its size in bytes."""

    sha256: str
    size: int


Read = Callable[[int], bytes]
# Gets an entry's content piece by piece.
Sink = Callable[[bytes], object]


def pack_entries(
    read: Read,
    limits: PackLimits,
    *,
    sink: Callable[[PackEntry], Sink | None] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[PackEntry]:
    """The entries of a pack, each after its content was read and compared with its digest.

    ``read`` returns up to so many bytes of the compressed pack, b"" at its end. ``sink`` may return a function that
    gets the entry's content. ``check`` is called before each piece of at most 256 KiB; it may raise to end the reading.
    Memory is bounded by a few pieces and the digests seen. Raises BadPack; the entries before the fault are then void.
    """
    inflated = _Inflated(read, check)
    seen: set[str] = set()
    room = limits.content
    while (header := inflated.exactly(_BLOCK)) != _ZEROS:
        entry = _entry(header)
        if entry.sha256 in seen:
            raise BadPack(f"its entry {entry.sha256} comes twice")
        if len(seen) >= limits.entries:
            raise PackOverLimit(f"it has more than {limits.entries} entries")
        if entry.size > room:
            raise PackOverLimit(f"it has more than {limits.content} bytes of content")
        seen.add(entry.sha256)
        room -= entry.size
        _read_content(inflated, entry, None if sink is None else sink(entry))
        yield entry
    _read_end(inflated)


def _entry(header: bytes) -> PackEntry:
    name, size, checksum = _NAME.fullmatch(header[:100]), _SIZE.fullmatch(header[124:136]), header[148:156]
    if header[257:265] != _USTAR:
        raise BadPack("it is not a ustar archive")
    found = _CHECKSUM.fullmatch(checksum)
    # The checksum counts its own field as spaces: 8 times 32.
    if found is None or int(found[1], 8) != sum(header) - sum(checksum) + 256:
        raise BadPack("the checksum of one of its headers is wrong")
    if header[156:157] != _PLAIN_FILE:
        raise BadPack(f"its entry {_shown(header)} is not a plain file")
    if name is None or header[345:500] != _EMPTY_PREFIX or header[157:257] != _EMPTY_LINK:
        raise BadPack(f"its entry {_shown(header)} is not named by a SHA-256 alone")
    if size is None:
        raise BadPack(f"the size of its entry {_shown(header)} is not written as 11 octal digits")
    return PackEntry(name[1].decode(), int(size[1], 8))


def _shown(header: bytes) -> str:
    return ascii(header[:100].rstrip(b"\0").decode("latin-1"))


def _read_content(inflated: _Inflated, entry: PackEntry, sink: Sink | None) -> None:
    digest, left = hashlib.sha256(), entry.size
    while left:
        piece = inflated.some(left)
        left -= len(piece)
        digest.update(piece)
        if sink is not None:
            sink(piece)
    if digest.hexdigest() != entry.sha256:
        raise BadPack(f"its entry {entry.sha256} has the SHA-256 {digest.hexdigest()}")
    padding = -entry.size % _BLOCK
    if inflated.exactly(padding).strip(b"\0"):
        raise BadPack(f"the padding of its entry {entry.sha256} is not zero")


def _read_end(inflated: _Inflated) -> None:
    """One block of zeros was read: there must be a second one, and nothing but zeros after it."""
    zeros = _BLOCK
    while piece := inflated.rest():
        zeros += len(piece)
        if zeros > _MOST_ZEROS or piece.strip(b"\0"):
            raise BadPack("something follows its end")
    if zeros < 2 * _BLOCK or zeros % _BLOCK:
        raise BadPack("it is cut short")


class _Inflated:
    """The unpacked bytes of one gzip member. After its end nothing may follow."""

    def __init__(self, read: Read, check: Callable[[], None]) -> None:
        self._read = read
        self._check = check
        self._inflate = zlib.decompressobj(_GZIP)
        self._buffer = b""
        self._at = 0

    def some(self, most: int) -> bytes:
        """Between 1 and ``most`` bytes. Raises BadPack at the end."""
        if self._at == len(self._buffer) and not self._fill():
            raise BadPack("it is cut short")
        piece = self._buffer[self._at : self._at + most]
        self._at += len(piece)
        return piece

    def exactly(self, count: int) -> bytes:
        """``count`` bytes, which must be few. Raises BadPack when there are fewer."""
        piece = self._buffer[self._at : self._at + count]
        self._at += len(piece)
        while len(piece) < count:
            piece += self.some(count - len(piece))
        return piece

    def rest(self) -> bytes:
        """What comes next, at most a chunk; b"" at the end."""
        if self._at == len(self._buffer) and not self._fill():
            return b""
        return self.some(_CHUNK)

    def _fill(self) -> bool:
        """Unpack the next piece; False at the end of the input."""
        try:
            while not self._inflate.eof:
                self._check()
                source = self._inflate.unconsumed_tail or self._read(_CHUNK)
                if not source:
                    raise BadPack("it is cut short")
                self._buffer, self._at = self._inflate.decompress(source, _CHUNK), 0
                if self._buffer:
                    return True
        except zlib.error as error:
            raise BadPack(f"it can't be unpacked: {error}") from error
        if self._inflate.unused_data or self._read(1):
            raise BadPack("something follows its end")
        return False
