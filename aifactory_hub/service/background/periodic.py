"""Runs the service's periodic tasks: schedules, webhooks, journal, retention."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PeriodicTasks:
    """Calls by name, each with its pause in seconds. One that fails is logged and called again; only what is
    ``fatal`` ends ``run``, because this process must not go on."""

    calls: Mapping[str, tuple[float, Callable[[], Awaitable[None]]]]
    fatal: tuple[type[Exception], ...] = ()

    async def run(self) -> None:
        """For ever, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, (pause, call) in self.calls.items():
                group.create_task(self._repeat(name, pause, call), name=name)

    async def once(self) -> None:
        """Each call once, in order."""
        for _, call in self.calls.values():
            await call()

    async def _repeat(self, name: str, pause: float, call: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await call()
            except self.fatal:
                raise
            except Exception:
                log.exception("%s failed; it is tried again", name)
            await asyncio.sleep(pause)
