"""Where blocking calls run: named pools of threads, so that one kind of work never waits for another kind.

Nothing of the service uses the event loop's default pool (a test looks for it). A thread can't be ended, so whatever
runs in one has a limit of its own: a statement of the database, a file of bounded size, a reader with a deadline.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Threads of each pool: requests of people; files that come in; the reconciler; the lease and the journal.
READS, UPLOADS, RECONCILING, CLOCK = 8, 4, 6, 2
# Bodies, packs and manifests of members that are read at the same time, each of another person.
PARSING = 2


class Pool:
    """Threads with a name. They are started when they are needed, and serve every event loop of the process."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a blocking call, made in one of the pool's threads."""
        context = contextvars.copy_context()
        bound = functools.partial(context.run, call, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, bound)


reads = Pool("reads", READS)
uploads = Pool("uploads", UPLOADS)
reconciling = Pool("reconciling", RECONCILING)
clock = Pool("clock", CLOCK)
_parsing = Pool("parsing", PARSING)


class Turns:
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


class Parsing:
    """Reads what members send, apart from everything else, with one turn for each person."""

    def __init__(self) -> None:
        self._turns = Turns(PARSING)

    async def run(self, person: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of ``call``, made in a thread when it is the person's turn."""
        async with self._turns.turn(person):
            return await _parsing.run(call, *args, **kwargs)
