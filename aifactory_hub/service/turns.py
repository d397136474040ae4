"""Turns of people at the service: somebody who asks much delays their own requests, not those of others.

``Turns`` is for requests: as long as nobody else asks, a person's are all worked on at once. While others ask too, only
a few of one person's are, and who has used more than their share of the time waits between them. ``Circle`` is for what
only a few can do at a time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from .pace import Pace

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
    asked_at: float
    working: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Turns:
    """Gives turns by ``holder``: the name of a person or the id of a job."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._used = Pace(SHARE, SAVED, most_owed=SAVED, clock=clock)
        self._people: dict[str, _Person] = {}
        # The two who asked last, by when: whether somebody else than one of them has asked is all that is needed.
        self._last: dict[str, float] = {}
        self._tidied_at = 0.0

    async def take(self, holder: str) -> Callable[[], None]:
        """Wait for a turn; what is returned ends it, and may be called more than once."""
        now = self._now()
        self._tidy(now)
        person = self._people.setdefault(holder, _Person(now))
        person.asked_at = now
        self._asks(holder, now)
        while (pause := self._pause(holder, person)) is not None:
            await self._wait(person, pause)
        person.working += 1
        began, ended = self._now(), False

        def end() -> None:
            nonlocal ended
            if not ended:
                ended = True
                self._end(holder, person, began)

        return end

    def alone(self, holder: str) -> bool:
        """Whether nobody else has asked lately."""
        return self._alone(holder, self._now())

    def _pause(self, holder: str, person: _Person) -> float | None:
        """None for a turn now, else after how many seconds to look again if nothing happens before."""
        now = self._now()
        if self._alone(holder, now):
            return None
        if person.working >= AT_ONCE:
            return _ACTIVE
        pause = self._used.pause(holder)
        return max(0.01, pause) if pause > 0 else None

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

    def _end(self, holder: str, person: _Person, began: float) -> None:
        person.working -= 1
        self._used.charge(holder, self._now() - began)
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
            if not person.working and not person.waiting and now - person.asked_at > _FORGET_AFTER:
                del self._people[holder]

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()


class Circle:
    """Turns at something that few may do at a time. One person has one turn at most, and people take turns in a circle.

    However much one person asks for, another one waits for at most the turns that go on and one of each other person.
    To be used in one event loop.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._active: set[str] = set()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, person: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it for the block."""
        if self._free and person not in self._active and person not in self._waiting:
            self._begin(person)
        else:
            await self._wait(person)
        try:
            yield
        finally:
            self._end(person)

    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    async def _wait(self, person: str) -> None:
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(person, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._end(person)  # it was given just now
            else:
                self._forget(person, mine)
            raise

    def _begin(self, person: str) -> None:
        self._free -= 1
        self._active.add(person)

    def _end(self, person: str) -> None:
        self._free += 1
        self._active.discard(person)
        if person in self._waiting:
            self._waiting.move_to_end(person)
        self._give()

    def _give(self) -> None:
        """Give free turns to those who wait longest and have none."""
        for person in list(self._waiting):
            if not self._free:
                return
            if person in self._active:
                continue
            queue = self._waiting.pop(person)
            first = next((each for each in _emptied(queue) if not each.done()), None)
            if queue:
                self._waiting[person] = queue  # at the end: the others come first
            if first is not None:
                self._begin(person)
                first.set_result(None)

    def _forget(self, person: str, mine: asyncio.Future[None]) -> None:
        queue = self._waiting.get(person)
        if queue is not None and mine in queue:
            queue.remove(mine)
            if not queue:
                del self._waiting[person]


def _emptied(queue: deque[asyncio.Future[None]]) -> Iterator[asyncio.Future[None]]:
    while queue:
        yield queue.popleft()
