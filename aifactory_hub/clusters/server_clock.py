"""The clock of an API server, as its answers tell it."""

from __future__ import annotations

import time
from contextlib import suppress
from email.utils import parsedate_to_datetime


class ServerClock:
    """Takes the ``Date`` of each answer. Whatever is done to this machine's clock does not change it."""

    def __init__(self) -> None:
        # When the server last told the time, by a steady clock, and what it said.
        self._told: tuple[float, float] | None = None

    def now(self) -> float | None:
        """Seconds since 1970, a second behind at most; None before the first answer."""
        if self._told is None:
            return None
        at, said = self._told
        return said + time.monotonic() - at

    def take(self, date: str) -> None:
        """The ``Date`` of an answer that has just come, in whole seconds; one that is no date tells nothing.

        The first answer of a second is the nearest to its begin, so the later ones of it change nothing.
        """
        with suppress(TypeError, ValueError, OverflowError):
            said = parsedate_to_datetime(date).timestamp()
            known = self.now()
            if known is None or not 0 <= known - said < 1:
                self._told = time.monotonic(), said
