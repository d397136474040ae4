"""What JupyterHub 6 knows of a refused start, made up for on JupyterHub 5, which takes each one for a failure."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from jupyterhub import spawner as upstream
from tornado import web

# Where the hub counts failed starts in a row, among its settings.
_COUNT = "failure_count"


class RefusedStart(web.HTTPError):
    """Stands in for JupyterHub 6's SpawnException. People are shown the same, only the log is louder."""

    def __init__(self, message: str, *, reason: str, status_code: int) -> None:
        self._reason = reason
        super().__init__(status_code, message)

    @property
    def reason(self) -> str:
        """As given: JupyterHub 5 would write "error" over it, whatever a start raises."""
        return self._reason

    @reason.setter
    def reason(self, _: str | None) -> None:
        """Keeps what was given."""


_HUB_KNOWS_REFUSALS = hasattr(upstream, "SpawnException")
SpawnException: Any = upstream.SpawnException if _HUB_KNOWS_REFUSALS else RefusedStart


def refusals_uncounted(start: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """Decorates a spawner's start: a refusal is no failure in a row, after so many of which the hub ends itself."""

    @functools.wraps(start)
    async def guarded(self: Any) -> Any:
        try:
            return await start(self)
        except SpawnException:
            if not _HUB_KNOWS_REFUSALS:
                _take_back(self)
            raise

    return guarded


def _take_back(spawner: Any) -> None:
    starting, handler = spawner._spawn_future, spawner.handler
    if starting is None or handler is None:
        # Started by something that does not count.
        return
    limit, settings = spawner.consecutive_failure_limit, handler.settings
    # The hub counts and compares in one callback, which it has added before this one.
    spawner.consecutive_failure_limit = 0

    def uncount(ended: asyncio.Future[Any]) -> None:
        spawner.consecutive_failure_limit = limit
        if not ended.cancelled() and ended.exception() is not None:
            settings[_COUNT] -= 1

    starting.add_done_callback(uncount)
