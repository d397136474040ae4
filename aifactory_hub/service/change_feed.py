"""Wakes those who wait for changes of jobs, so that nobody polls the database."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

# A listener that was away for more changes than this is told to look at everything again.
_REMEMBERED = 2000


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since one looked: ``number`` to look from next time, and the jobs in the order of their
    last changes, each with the number of that; ``jobs`` is None when it was too much to say."""

    number: int
    jobs: Mapping[str, int] | None


@dataclass
class ChangeFeed:
    """Numbers every change of a job. ``tell`` may be called in any thread, ``after`` in event loops."""

    number: int = 0
    _recent: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, job_id: str) -> None:
        """A job changed."""
        with self._lock:
            self.number += 1
            self._recent.append((self.number, job_id))
            waiting, self._waiting = self._waiting, set()
        # Once for each loop, however many wait in it.
        for loop in {loop for loop, _ in waiting}:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, [event for where, event in waiting if where is loop])

    async def after(self, number: int, *, timeout: float) -> Changes:
        """What changed after ``number``; waits up to ``timeout`` seconds for something, then says that nothing did."""
        event = asyncio.Event()
        listener = (asyncio.get_running_loop(), event)
        with self._lock:
            if self.number > number:
                return self._since(number)
            self._waiting.add(listener)
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            with self._lock:
                self._waiting.discard(listener)
        return self.since(number)

    def since(self, number: int) -> Changes:
        """What changed after ``number``, without waiting."""
        with self._lock:
            return self._since(number)

    def _since(self, number: int) -> Changes:
        oldest = self._recent[0][0] if self._recent else self.number + 1
        if self.number > number and oldest > number + 1:
            return Changes(self.number, None)
        last: dict[str, int] = {}
        for change, job in takewhile(lambda change: change[0] > number, reversed(self._recent)):
            last.setdefault(job, change)
        return Changes(self.number, dict(reversed(last.items())))


def _wake(events: Iterable[asyncio.Event]) -> None:
    for event in events:
        event.set()
