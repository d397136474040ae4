"""Backport of JupyterHub 6's SpawnException: on JupyterHub 5, a refused start counts as a failure of the hub."""

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
    """In place of SpawnException on JupyterHub 5. Users see the same message; the hub logs it as an error."""

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
    """Decorates a spawner's start, so that a refusal does not count towards ``consecutive_failure_limit``."""

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
