"""Texts that people name things by: which characters may be in them."""

from __future__ import annotations

import re

# Control characters (C0, DEL, C1), line and paragraph separators, characters that change the direction of what follows
# (Unicode Standard Annex 9: embeddings, overrides, isolates), and halves of surrogate pairs.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def unprintable(text: str) -> str | None:
    """The first character of ``text`` that may not be in a name, as U+XXXX; None when all may."""
    found = None if text.isascii() and text.isprintable() else _UNPRINTABLE.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


def utf8_size(text: str) -> int:
    """How many bytes it has as UTF-8: what Linux, etcd and file systems count. Half a surrogate pair has three."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def shown(name: str) -> str:
    """A file's name as it can be printed anywhere: as it is, or with escapes."""
    return name if name.isprintable() else ascii(name)[1:-1]


def escaped(text: str) -> str:
    """``text`` with such characters written as \\xXX or \\uXXXX: for what programs report and nobody can correct."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)
