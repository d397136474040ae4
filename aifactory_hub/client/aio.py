"""The same for ``async`` code: each call runs in a thread, so one implementation serves both.

::

    from aifactory_hub.client import aio

    job = await aio.submit(train, args={"lr": 3e-4})
    async for text in job.follow():
        print(text, end="")
    value = await job.result()
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from . import api, job_list, sweeps
from .artifact import Artifact
from .job import Job

_END = object()


class AsyncJob:
    """A Job whose calls are awaited. What is known without asking is there as in Job: ``state``, ``progress``, ..."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def __getattr__(self, name: str) -> Any:
        """Plain values of the job. Everything that asks the service is a coroutine below."""
        if name in _ASKING:
            raise AttributeError(f"{name!r} asks the service: there is no plain value of it here")
        return getattr(self.job, name)

    async def refresh(self) -> AsyncJob:
        """See Job."""
        await asyncio.to_thread(self.job.refresh)
        return self

    async def wait(self, timeout: float | None = None, *, progress: bool = False) -> str:
        """See Job."""
        give_up = asyncio.timeout(timeout)
        try:
            async with give_up:
                while not (await self.refresh()).job.final:
                    await asyncio.sleep(1.0)
        except TimeoutError:
            if not give_up.expired():
                raise
            raise TimeoutError(f"Job {self.job.id} is {self.job.state} after {timeout:g} s. It goes on.") from None
        return self.job.state

    async def result(self, timeout: float | None = None) -> Any:
        """See Job."""
        await self.wait(timeout)
        return await asyncio.to_thread(self.job.result)

    async def follow(self) -> AsyncIterator[str]:
        """See Job."""
        texts = self.job.follow()
        while (text := await asyncio.to_thread(next, texts, _END)) is not _END:
            yield str(text)

    async def logs(self, *, attempt: int | None = None) -> str:
        """See Job."""
        return await asyncio.to_thread(self.job.logs, attempt=attempt)

    async def metric_history(self, name: str | None = None, *, attempt: int | None = None) -> list[dict[str, Any]]:
        """See Job."""
        return await asyncio.to_thread(self.job.metric_history, name, attempt=attempt)

    async def artifacts(self) -> dict[str, Artifact]:
        """See Job; to read or save one, use ``asyncio.to_thread``."""
        return await asyncio.to_thread(lambda: self.job.artifacts)

    async def cancel(self) -> AsyncJob:
        """See Job."""
        await asyncio.to_thread(self.job.cancel)
        return self

    async def suspend(self) -> AsyncJob:
        """See Job."""
        await asyncio.to_thread(self.job.suspend)
        return self

    async def resume(self) -> AsyncJob:
        """See Job."""
        await asyncio.to_thread(self.job.resume)
        return self

    async def retry(self) -> AsyncJob:
        """See Job."""
        return AsyncJob(await asyncio.to_thread(self.job.retry))

    def __repr__(self) -> str:
        return repr(self.job)

    def _ipython_display_(self) -> None:
        self.job._ipython_display_()


# Of Job's properties and methods those that ask the service, and are not above under the same name.
_ASKING = frozenset({"status", "last_lines"})


async def submit(what: Any, **options: Any) -> Any:
    """See client.submit: an AsyncJob, or a DryRun."""
    made = await asyncio.to_thread(lambda: api.submit(what, **options))
    return AsyncJob(made) if isinstance(made, Job) else made


async def sweep(what: Any, grid: Any, **options: Any) -> list[AsyncJob]:
    """See client.sweep."""
    return [AsyncJob(job) for job in await asyncio.to_thread(lambda: sweeps.sweep(what, grid, **options))]


async def get(job_id: str, **options: Any) -> AsyncJob:
    """See client.get."""
    return AsyncJob(await asyncio.to_thread(lambda: api.get(job_id, **options)))


async def list_jobs(**options: Any) -> list[AsyncJob]:
    """See client.jobs.list."""
    return [AsyncJob(job) for job in await asyncio.to_thread(lambda: job_list.jobs.list(**options))]


def remote(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """See client.remote: calls are awaited."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            job = await submit(function, args=api.Call(args, kwargs), **options)
            return await job.result()

        return call

    return wrap
