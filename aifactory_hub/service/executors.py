"""Where blocking calls run: named pools of threads, so that one kind of work never waits for another kind.

Nothing of the service uses the event loop's default pool (a test looks for it). A thread can't be ended, so whatever
runs in one has a limit of its own: a statement of the database, a file of bounded size, a reader with a deadline.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from .pace import Pace
from .turns import Circle

P = ParamSpec("P")
T = TypeVar("T")

# Threads of each pool: requests of people; files that are there; the reconciler; the lease and the journal; the ledger,
# in which one writes while another reads whose a pod is.
READS, UPLOADS, RECONCILING, CLOCK, METERING = 8, 4, 6, 2, 2
# Git processes that are waited for at the same time.
GIT = 4
# What members send: bodies that are written to disk at the same time, and those that are read, each of another person.
RECEIVING, PARSING = 2, 2
# Of this process's own time, seconds in each second that one person's may take, and how many they may save up. What a
# reading process takes is not counted: it has the lowest priority.
SHARE, SAVED = 0.2, 2.0
# For how long a thread may keep the interpreter from others that want it, in seconds.
_SWITCH_EVERY = 0.0005


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
metering = Pool("metering", METERING)
git = Pool("git", GIT)
_receiving = Pool("receiving", RECEIVING)
_parsing = Pool("parsing", PARSING)


class PersonalPool:
    """A pool in which each person has one turn at a time, and waits between turns that have used much processor time.

    For one event loop; the threads are those of the process.
    """

    def __init__(self, pool: Pool, at_once: int) -> None:
        self._pool = pool
        self._turns = Circle(at_once)
        self._used = Pace(SHARE, SAVED, most_owed=SAVED)

    async def run(self, person: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of ``call``, made in a thread when it is the person's turn."""
        used = 0.0

        def timed() -> T:
            nonlocal used
            began = time.thread_time()
            try:
                return call(*args, **kwargs)
            finally:
                used = time.thread_time() - began

        while True:
            if (pause := self._used.pause(person)) > 0:
                await asyncio.sleep(pause)  # without a turn: others have theirs meanwhile
            async with self._turns.turn(person):
                if self._used.pause(person) > 0:
                    continue  # another one of theirs came first
                try:
                    return await self._pool.run(timed)
                finally:
                    self._used.charge(person, used)


def let_the_event_loop_go_first() -> None:
    """Let threads give the interpreter back sooner than Python's 5 ms. To be called once for the process.

    The event loop gives it away with each call to the system. With a thread that computes it would wait 5 ms each time
    to have it again, which is tens of milliseconds in a small request.
    """
    sys.setswitchinterval(_SWITCH_EVERY)


def receiving_pool() -> PersonalPool:
    """For writing what members send."""
    return PersonalPool(_receiving, RECEIVING)


def parsing_pool() -> PersonalPool:
    """For reading what members send, apart from everything else."""
    return PersonalPool(_parsing, PARSING)
