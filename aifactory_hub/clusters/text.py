"""Text that an API server sends, made safe to show, log and store."""

from __future__ import annotations

# Characters. A container's termination message is 4096 bytes at most, and a sentence on a page is shorter.
LONGEST_TEXT = 4096
LONGEST_ERROR = 500


def printable(text: str, most: int = LONGEST_TEXT) -> str:
    """``text`` without control characters, direction marks and lone surrogates, cut after ``most`` characters.

    Line breaks and tabs become spaces. Each other character that cannot be printed becomes U+FFFD.
    """
    if len(text) <= most and text.isprintable():
        return text
    cut = text[:most]
    if not cut.isprintable():
        cut = "".join(char if char.isprintable() else " " if char in "\n\r\t" else "\ufffd" for char in cut)
    return cut if len(text) <= most else f"{cut} ..."
