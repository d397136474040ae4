"""Pipelines that are taken forward while a test waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aifactory_hub.service.pipelines.parts import Pipelines

VERSION = "apiVersion: aifactory-hub.io/pipeline/v1\n"


@asynccontextmanager
async def ticking(pipelines: Pipelines, every: float = 0.05) -> AsyncIterator[None]:
    """Look at all runs again and again, as the periodic task does."""

    async def tick() -> None:
        while True:
            await pipelines.runner.tick()
            await asyncio.sleep(every)

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
