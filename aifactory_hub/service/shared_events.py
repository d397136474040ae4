"""The events of a change, made once for all streams that tell of it: their cost does not grow with the streams."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from .news import News

# The tenant that an event is about, and the event as it goes over the wire.
TenantEvent = tuple[str, str]
Make = Callable[[], Awaitable[Sequence[TenantEvent]]]


class SharedEvents:
    """Keeps the events of the last change. To be used in one event loop."""

    def __init__(self) -> None:
        self._news: News | None = None
        self._made: asyncio.Task[Sequence[TenantEvent]] | None = None

    async def of(self, news: News, make: Make) -> Sequence[TenantEvent]:
        """The events of ``news``: those that are there or under way, else what ``make`` gives. Raises what that does.

        One stream that ends meanwhile ends nothing for the others.
        """
        made = self._made
        if made is None or news != self._news or (made.done() and (made.cancelled() or made.exception() is not None)):
            made = asyncio.create_task(_made(make))
            made.add_done_callback(_look)
            self._news, self._made = news, made
        return await asyncio.shield(made)


async def _made(make: Make) -> Sequence[TenantEvent]:
    return await make()


def _look(made: asyncio.Task[Sequence[TenantEvent]]) -> None:
    """Every stream may be gone: then nobody looks at what went wrong."""
    if not made.cancelled():
        made.exception()
