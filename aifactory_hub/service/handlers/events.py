"""Server-Sent Events: the state of jobs as it changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from tornado.iostream import StreamClosedError

from ..answers import job_answer
from ..errors import ServiceError
from ..operations import operation
from ..payloads import TenantQuery
from .base import Handler, run_sync

# A comment this often, in seconds, keeps proxies from closing a stream in which nothing happens.
KEEP_ALIVE = 15.0
# Changes made by another process are seen after this long at most, in seconds.
_LOOK_AGAIN = 5.0
# A stream outlives no token by more than this, in seconds.
_CHECK_TOKEN = 60.0
_RETRY_MS = 2000


def event(name: str, data: Mapping[str, Any], number: int | None = None) -> str:
    """One event as it goes over the wire. JSON has no bare newlines, so one data line is enough."""
    mark = "" if number is None else f"id: {number}\n"
    return f"{mark}event: {name}\ndata: {json.dumps(data)}\n\n"


class Streaming(Handler):
    """Sends events until there are no more, the caller goes or the token is taken back."""

    _sending: asyncio.Task[None] | None = None

    async def stream(self, events: AsyncGenerator[str]) -> None:
        """Send them; an empty text says that nothing happened for a while."""
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("X-Accel-Buffering", "no")
        self.write(f"retry: {_RETRY_MS}\n\n")
        # A task of its own, so that a caller who goes ends it at once and not only with the next event.
        self._sending = asyncio.create_task(self._send(events))
        try:
            await self._sending
        except (StreamClosedError, asyncio.CancelledError):
            return
        except ServiceError as error:
            # The headers have gone out, so a status can't be said any more.
            self.write(event("problem", error.body()))

    def on_connection_close(self) -> None:
        """The caller went away; called by tornado."""
        if self._sending is not None:
            self._sending.cancel()
        super().on_connection_close()

    async def _send(self, events: AsyncGenerator[str]) -> None:
        clock = asyncio.get_running_loop().time
        spoke = checked = clock()
        async with aclosing(events):
            await self.flush()
            async for text in events:
                if clock() - checked > _CHECK_TOKEN:
                    checked = clock()
                    await self._still_welcome()
                if not text and clock() - spoke < KEEP_ALIVE:
                    continue
                spoke = clock()
                self.write(text or ": nothing new\n\n")
                await self.flush()

    async def _still_welcome(self) -> None:
        try:
            await self.caller(fresh=True)
        except ServiceError as error:
            if error.status != 503:  # a hub that restarts ends nobody's stream
                raise


class JobEvents(Streaming):
    """One job's."""

    @operation(
        "watchJob",
        "The job now and after each change, as events `job`, until nothing can change, which is the event `end`.",
        media_type="text/event-stream",
    )
    async def get(self, job_id: str) -> None:
        """Events of one job."""
        caller = await self.caller()
        await self.job_for(caller, job_id)
        await self.stream(self._changes(job_id))

    async def _changes(self, job_id: str) -> AsyncGenerator[str]:
        shown, simulated = None, self.context.registry.cluster.simulated
        while True:
            number = self.context.bulletin.number
            job = await run_sync(self.context.jobs.get, job_id)
            if job is None:
                return
            answer = job_answer(job, self.context.registry, now=self.context.clock())
            if (job.state, job.reason, answer) != shown:
                shown = (job.state, job.reason, answer)
                yield event("job", answer)
            if job.state.final and not job.live:
                yield event("end", {"id": job.id, "state": job.state.value, "simulated": simulated})
                return
            news = await self.context.bulletin.after(number, patience=_LOOK_AGAIN)
            if not news.jobs:
                yield ""


class AllEvents(Streaming):
    """All jobs' of the caller's tenants."""

    @operation(
        "watchJobs",
        "Each job of the caller's teams after a change, as events `job`; the event `reload` asks to list them again.",
        query=TenantQuery,
        media_type="text/event-stream",
    )
    async def get(self) -> None:
        """Events of many jobs."""
        caller = await self.caller()
        tenants = self.tenants_to_read(caller, self.query(TenantQuery).tenant)
        await self.stream(self._changes(tenants))

    async def _changes(self, tenants: tuple[str, ...]) -> AsyncGenerator[str]:
        number = self.context.bulletin.number
        yield event("reload", {})
        while True:
            news = await self.context.bulletin.after(number, patience=_LOOK_AGAIN)
            number = news.number
            if news.jobs is None:
                yield event("reload", {})
            elif not news.jobs:
                yield ""
            else:
                for job in await run_sync(self.context.jobs.some, news.jobs):
                    if job.tenant in tenants:
                        yield event("job", job_answer(job, self.context.registry, now=self.context.clock()))
