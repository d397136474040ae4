"""How much of something one person may have in a second; what is more waits, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

# Streams of one person that speak in a second: the more are open, the more changes each of them tells of at once.
STREAMS = 50
# Bytes in a second in which one person's bodies come in while others ask, too, and how many come at once before that.
BODIES = 64 * 2**20
BODIES_AT_ONCE = 8 * 2**20
_MOST_KEPT = 1000


class Pace:
    """``per_second`` for each holder, after ``at_once`` that need not wait. To be used in one event loop.

    A holder who has had much at once owes ``most_owed`` at most, which is what they wait for.
    """

    def __init__(
        self,
        per_second: float,
        at_once: float = 0.0,
        *,
        most_owed: float = math.inf,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._every = 1 / per_second
        self._ahead = at_once / per_second
        self._most_owed = most_owed / per_second
        self._clock = clock
        # When what each holder has had is paid for.
        self._paid: dict[str, float] = {}
        self._most_kept = _MOST_KEPT

    def pause(self, holder: str) -> float:
        """After how many seconds the ``holder`` may have more; 0 for now."""
        now = self._now()
        return max(0.0, self._paid.get(holder, now) - self._ahead - now)

    def charge(self, holder: str, amount: float) -> None:
        """The ``holder`` has had so much."""
        now = self._now()
        self._tidy(now)
        paid = max(now, self._paid.get(holder, now)) + amount * self._every
        self._paid[holder] = min(paid, now + self._ahead + self._most_owed)

    async def wait(self, holder: str, amount: float = 1.0) -> None:
        """Wait until the ``holder`` may have more, and count ``amount``; at once for who has had little for a while."""
        pause = self.pause(holder)
        self.charge(holder, amount)
        if pause > 0:
            await asyncio.sleep(pause)

    def _tidy(self, now: float) -> None:
        if len(self._paid) > self._most_kept:
            self._paid = {holder: at for holder, at in self._paid.items() if at > now}
            self._most_kept = max(_MOST_KEPT, 2 * len(self._paid))

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()
