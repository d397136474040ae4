"""Tar archives block by block, so that each field of a header can be wrong."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable

END = bytes(1024)


def base256(number: int) -> bytes:
    """A size field as GNU tar writes it for numbers that are negative or too large for octal digits."""
    return bytes([0xFF if number < 0 else 0x80]) + (number % (1 << 88)).to_bytes(11, "big")


def header(
    name: bytes,
    size: int | bytes,
    *,
    kind: bytes = b"0",
    magic: bytes = b"ustar\x0000",
    link: bytes = b"",
    prefix: bytes = b"",
    checksum: int | None = None,
) -> bytes:
    """One header. ``size`` as bytes is the field itself; ``checksum`` None is the right one."""
    field = b"%011o\0" % size if isinstance(size, int) else size
    parts = [
        name.ljust(100, b"\0"),
        b"0000644\0" + b"0000000\0" * 2,
        field,
        b"%011o\0" % 0,
        b" " * 8,
        kind,
        link.ljust(100, b"\0"),
        magic,
        bytes(80),
        prefix.ljust(155, b"\0"),
    ]
    block = b"".join(parts).ljust(512, b"\0")
    total = sum(block) if checksum is None else checksum
    return block[:148] + b"%06o\0 " % total + block[156:]


def entry(content: bytes) -> bytes:
    """A header and its content, as the client writes them."""
    return header(hashlib.sha256(content).hexdigest().encode(), len(content)) + content + bytes(-len(content) % 512)


def packed(blocks: Iterable[bytes]) -> bytes:
    """All of them in one gzip member."""
    return gzip.compress(b"".join(blocks), mtime=0)
