"""Turns of people at the service: somebody who asks much delays their own requests, not those of others.

As long as nobody else asks, a person's requests are all worked on at once. While others ask too, only a few of one
person's are, and who has used more than their share of the time waits between them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

# Of one person's requests, how many are worked on at once while others ask too.
AT_ONCE = 2
# Seconds of work that one person may have in each second while others ask too, and how many they may save up.
SHARE = 0.25
SAVED = 3.0
# Seconds for which somebody who has asked counts as one of the others.
_ACTIVE = 2.0
_FORGET_AFTER = 60.0


@dataclass
class _Person:
    saved: float = SAVED
    counted_at: float = 0.0
    working: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    def saved_now(self, now: float) -> float:
        self.saved = min(SAVED, self.saved + SHARE * (now - self.counted_at))
        self.counted_at = now
        return self.saved


class Turns:
    """Gives turns by ``holder``: the name of a person or the id of a job."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._people: dict[str, _Person] = {}
        # The two who asked last, by when: whether somebody else than one of them has asked is all that is needed.
        self._last: dict[str, float] = {}
        self._tidied_at = 0.0

    async def take(self, holder: str) -> Callable[[], None]:
        """Wait for a turn; what is returned ends it, and may be called more than once."""
        now = self._now()
        self._tidy(now)
        person = self._people.setdefault(holder, _Person(counted_at=now))
        self._asks(holder, now)
        while (pause := self._pause(holder, person)) is not None:
            await self._wait(person, pause)
        person.working += 1
        began, ended = self._now(), False

        def end() -> None:
            nonlocal ended
            if not ended:
                ended = True
                self._end(person, began)

        return end

    def _pause(self, holder: str, person: _Person) -> float | None:
        """None for a turn now, else after how many seconds to look again if nothing happens before."""
        now = self._now()
        if self._alone(holder, now):
            return None
        if person.working >= AT_ONCE:
            return _ACTIVE
        saved = person.saved_now(now)
        return None if saved > 0 else max(0.01, -saved / SHARE)

    async def _wait(self, person: _Person, pause: float) -> None:
        waiting = asyncio.get_running_loop().create_future()
        person.waiting.append(waiting)
        try:
            async with asyncio.timeout(pause):
                await waiting
        except TimeoutError:
            pass
        finally:
            if waiting in person.waiting:
                person.waiting.remove(waiting)

    def _end(self, person: _Person, began: float) -> None:
        now = self._now()
        person.working -= 1
        person.saved = max(-SAVED, person.saved_now(now) - (now - began))
        while person.waiting:
            waiting = person.waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                break

    def _asks(self, holder: str, now: float) -> None:
        self._last.pop(holder, None)
        self._last[holder] = now
        while len(self._last) > 2:
            del self._last[next(iter(self._last))]

    def _alone(self, holder: str, now: float) -> bool:
        return all(other == holder or now - at > _ACTIVE for other, at in self._last.items())

    def _tidy(self, now: float) -> None:
        if now - self._tidied_at < _FORGET_AFTER:
            return
        self._tidied_at = now
        for holder, person in list(self._people.items()):
            if not person.working and not person.waiting and now - person.counted_at > _FORGET_AFTER:
                del self._people[holder]

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()
