"""Takes the values of secrets out of what a command prints, wherever the pieces of its output are cut."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = b"[secret]"
# Bytes. Lines of a long value that are shorter, such as a brace, would be found everywhere.
_SHORTEST = 6


class Redactor:
    """``pass_on`` gives what may be shown of all that has come so far; ``rest`` gives the end.

    Of each value its lines are looked for too: a key in PEM form is often printed line by line.
    """

    def __init__(self, values: Iterable[str]) -> None:
        found = {part.encode() for value in values for part in (value, value.strip(), *value.splitlines())}
        # The longest first, so that none is left half shown.
        self._values = sorted((each for each in found if len(each.strip()) >= _SHORTEST), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._values))) if self._values else None
        self._held = b""

    def pass_on(self, chunk: bytes) -> bytes:
        """The output without secrets; what may be the beginning of one is held back until it is clear."""
        if self._pattern is None:
            return chunk
        seen = self._held + chunk
        end = len(seen) - self._beginning(seen)
        for match in self._pattern.finditer(seen):
            # A value that is there whole is not cut in two because its end could begin another one.
            if match.start() < end < match.end():
                end = match.start()
        whole, self._held = seen[:end], seen[end:]
        return self._pattern.sub(MASK, whole)

    def rest(self) -> bytes:
        """What was held back, when nothing more comes."""
        held, self._held = self._held, b""
        return held if self._pattern is None else self._pattern.sub(MASK, held)

    def _beginning(self, seen: bytes) -> int:
        """How many bytes at the end may be the beginning of a value."""
        most = min(len(self._values[0]) - 1, len(seen))
        for size in range(most, 0, -1):
            end = seen[-size:]
            if any(len(value) > size and value.startswith(end) for value in self._values):
                return size
        return 0
