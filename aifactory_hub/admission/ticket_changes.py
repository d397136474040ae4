"""Tells any number of listeners how tickets change, each at its own pace."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from ..domain.tickets import MissedChanges, Ticket, TicketChange, TicketState, changes_between

# Changes that wait for one listener: a minute of a busy cluster, a few MiB.
MOST_WAITING = 20_000


class ChangeStream:
    """The changes from now on, for one listener: iterate over it, in a ``with`` block that ends it.

    When more than ``most`` changes wait to be taken, they are dropped, and MissedChanges comes instead.
    """

    def __init__(self, most: int, ended: Callable[[ChangeStream], None]) -> None:
        self._most = most
        self._ended = ended
        self._waiting: deque[TicketChange | MissedChanges] = deque()
        self._news = asyncio.Event()
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TicketChange | MissedChanges:
        while not self._waiting:
            if self._over:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    def put(self, change: TicketChange) -> None:
        """Have it taken after those before it. To be called in the listener's event loop."""
        if self._over:
            return
        if len(self._waiting) >= self._most:
            self._waiting.clear()
            self._waiting.append(MissedChanges())
        self._waiting.append(change)
        self._news.set()

    def close(self) -> None:
        """The end, after what waits; a second call does nothing."""
        if not self._over:
            self._over = True
            self._news.set()
            self._ended(self)


class TicketChanges:
    """Knows the tickets as they were last told of, and tells the difference. For one event loop."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str], Ticket] = {}
        self._streams: list[ChangeStream] = []

    def listen(self, most: int = MOST_WAITING) -> ChangeStream:
        """A stream that begins with the tickets that are known, each told as new."""
        stream = ChangeStream(most, self._streams.remove)
        self._streams.append(stream)
        for ticket in self._known.values():
            for change in changes_between(None, ticket, seen_at=self._clock(), live=False):
                stream.put(change)
        return stream

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._streams)

    def learn(self, ticket: Ticket, *, live: bool) -> None:
        """A ticket is as given now; ``live``: it has just come to be so."""
        key = ticket.tenant, ticket.name
        before = self._known.get(key)
        if before is not None and before.uid != ticket.uid:
            self.forget(*key, live=live)
            before = None
        self._known[key] = ticket
        self._tell(before, ticket, live)

    def forget(self, tenant: str, name: str, *, live: bool) -> None:
        """There is no such ticket any more."""
        before = self._known.pop((tenant, name), None)
        if before is not None:
            self._tell(before, replace(before, state=TicketState.GONE, active=False), live)

    def close(self) -> None:
        """End all streams."""
        for stream in list(self._streams):
            stream.close()

    def _tell(self, before: Ticket | None, after: Ticket, live: bool) -> None:
        for change in changes_between(before, after, seen_at=self._clock(), live=live):
            for stream in self._streams:
                stream.put(change)
