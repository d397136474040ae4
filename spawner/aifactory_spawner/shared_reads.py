"""Reads that many servers need at once and share, and whether a server takes connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

# Seconds.
CONNECT = 1.0

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SharedReads(Generic[K, V]):
    """``get(key)`` is ``read(key)``, at most once in ``seconds`` for each key.

    An error is raised to every caller that waits, and the next one reads again. Cancelling one caller does not cancel
    the shared read.
    """

    def __init__(
        self, read: Callable[[K], Awaitable[V]], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._answers: dict[K, tuple[float, V]] = {}
        self._asking: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        """The answer, not older than ``seconds``. Raises what ``read`` raises."""
        known = self._answers.get(key)
        if known is not None and self._clock() - known[0] < self._seconds:
            return known[1]
        task = self._asking.get(key)
        if task is None:
            task = asyncio.ensure_future(self._ask(key))
            self._asking[key] = task
            task.add_done_callback(self._asked(key))
        return await asyncio.shield(task)

    async def _ask(self, key: K) -> V:
        # The answer is as old as the question.
        asked = self._clock()
        answer = await self._read(key)
        self._answers[key] = (asked, answer)
        return answer

    def _asked(self, key: K) -> Callable[[asyncio.Task[Any]], None]:
        def done(task: asyncio.Task[Any]) -> None:
            self._asking.pop(key, None)
            if not task.cancelled():
                # Seen by whoever waits; without this, an error that nobody waits for any more would be logged.
                task.exception()

        return done


async def takes_connections(address: str, port: int) -> bool:
    """Whether something takes a connection there within a second."""
    try:
        async with asyncio.timeout(CONNECT):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
