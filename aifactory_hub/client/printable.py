"""Text that others wrote, made safe to print: nothing of it moves a cursor, changes a terminal or reorders a line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TextIO

# C0 and C1 controls, what reorders or hides text (bidirectional controls, separators, joiners without a width, tags),
# and halves of characters.
_UNSAFE = (
    "\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
_IN_A_LINE = re.compile(f"[{_UNSAFE}]")
_IN_LINES = re.compile(f"(?![\t\n])[{_UNSAFE}]")
_IN_OUTPUT = re.compile(f"(?![\b\t\n\r])[{_UNSAFE}]")
# As ECMA-48 has them, each whole; the first alternative is a colour.
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: cursor movements, modes
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]+[0-~]"  # character sets and the like
    r"|\x1b[0-OQ-WYZ\\`-~]"  # single functions
)
# The beginning of a sequence, of which the rest may come with the next piece.
_BEGUN = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*\Z|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*\x1b?\Z|\x1b[ -/]*\Z"
)
_LONGEST_SEQUENCE = 4096
RESET = "\x1b[0m"


def line(text: object) -> str:
    """As one line: what does not print is written as its escape, for example ``\\x9b`` or ``\\u202e``."""
    return _IN_A_LINE.sub(_escape, str(text))


def lines(text: object) -> str:
    """The same for text of several lines: newlines and tabs stay."""
    return _IN_LINES.sub(_escape, str(text))


class TerminalFilter:
    """What a job prints, for a terminal: colours, carriage returns and backspaces stay, other control sequences go."""

    def __init__(self) -> None:
        self._rest = ""
        self._coloured = False

    def feed(self, text: str) -> str:
        """What may be printed of the next piece; a sequence that is not whole yet waits for the rest."""
        text = self._rest + text
        begun = _BEGUN.search(text)
        self._rest = ""
        if begun is not None and len(text) - begun.start() <= _LONGEST_SEQUENCE:
            text, self._rest = text[: begun.start()], text[begun.start() :]
        return "".join(self._safe(text))

    def end(self) -> str:
        """What is left to print at the end: the terminal's own colours again."""
        rest, self._rest = _IN_OUTPUT.sub(_escape, self._rest), ""
        return rest + (RESET if self._coloured else "")

    def _safe(self, text: str) -> Iterable[str]:
        done = 0
        for found in _COLOUR.finditer(text):
            yield self._plain(text[done : found.start()])
            yield found[0]
            self._coloured, done = True, found.end()
        yield self._plain(text[done:])

    @staticmethod
    def _plain(text: str) -> str:
        return _IN_OUTPUT.sub(_escape, _SEQUENCE.sub("", text))


def print_output(texts: Iterable[str], stream: TextIO | None = None) -> Iterable[str]:
    """Print what a job prints as it comes, and pass it on: as it is into a pipe, a file or a notebook, filtered to a
    terminal."""
    stream = stream or sys.stdout
    shown = TerminalFilter() if stream.isatty() else None
    try:
        for text in texts:
            stream.write(text if shown is None else shown.feed(text))
            stream.flush()
            yield text
    finally:
        if shown is not None:
            stream.write(shown.end())
            stream.flush()


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
