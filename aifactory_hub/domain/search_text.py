"""Text as it is searched: without regard to case, accents and the width of letters. Pure."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """The text in the form in which it is stored for searching, and in which what is searched for is compared.

    Compatible characters become one (the ligature of f and i is ``fi``), accents go, and case is folded (``ß`` is
    ``ss``). The same in each database; they fold differently, or not at all.
    """
    if text.isascii():
        return text.lower()
    # Twice, because folding case can bring accents back: "İ" becomes "i" and a dot.
    return _without_marks(_without_marks(text).casefold())


def _without_marks(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
