"""Logs of which only the end is kept: their first line says how much went before, as runners write it, too."""

from __future__ import annotations

import re

_MARK = re.compile(rb"\[the first ([0-9]{1,15}) bytes are not kept\]\n")
# No first line of this kind is longer, in bytes.
LONGEST_MARK = 64


def shortened(tail: bytes, total: int) -> bytes:
    """The ``tail`` of an output of ``total`` bytes, as it is stored: as long as it, with that line as its begin."""
    dropped = total - len(tail)
    if dropped <= 0:
        return tail
    mark = f"[the first {dropped} bytes are not kept]\n".encode()
    return mark + tail[len(mark) :]


def place_in(head: bytes, offset: int) -> tuple[int, int]:
    """Where to read a stored log that begins with ``head`` to go on from byte ``offset`` of the whole output: the byte
    of the output that can be had first, and its place in the stored log."""
    found = _MARK.match(head)
    if found is None:
        return offset, offset
    dropped = int(found[1])
    start = max(offset, dropped + found.end())
    return start, start - dropped
