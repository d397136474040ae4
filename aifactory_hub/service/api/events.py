"""Server-Sent Events: the state of jobs as it changes."""

from __future__ import annotations

import asyncio
import codecs
import json
import re
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from tornado.iostream import StreamClosedError

from ...domain.forecasts import Forecast
from ...domain.logs import LONGEST_MARK, place_in
from ...store import JobRecord, LogPiece
from ..change_feed import ChangeFeed
from ..errors import ServiceError, gone
from ..request_types import EventQuery, TenantQuery
from .answers import job_answer
from .base import Handler, run_sync
from .context import Context
from .forecasts import forecasts_of
from .job_costs import cost_of, costs_of
from .limits import Kind
from .operations import operation
from .shared_events import Event

# A comment this often, in seconds, keeps proxies from closing a stream in which nothing happens.
KEEP_ALIVE = 15.0
# Changes made by another process are seen after this long at most, in seconds.
_LOOK_AGAIN = 5.0
_RETRY_MS = 2000
_PIECE = 64 * 1024


def event(name: str, data: Mapping[str, Any], number: str | None = None) -> str:
    """One event as it goes over the wire. JSON has no bare newlines, so one data line is enough."""
    mark = "" if number is None else f"id: {number}\n"
    return f"{mark}event: {name}\ndata: {json.dumps(data)}\n\n"


# What is told at once: nothing happened for a while.
QUIET: Sequence[Event] = ()


class Streaming(Handler):
    """Sends events until there are no more, the caller goes, or the caller may not read them any more."""

    counts_as = Kind.STREAMS
    _sending: asyncio.Task[None] | None = None

    async def stream(self, events: AsyncGenerator[Sequence[Event]]) -> None:
        """Send those of teams that the reader may read at that moment; several at once are sent as one piece."""
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("X-Accel-Buffering", "no")
        # A task of its own, so that a caller who goes ends it at once and not only with the next event.
        self._sending = asyncio.create_task(self._send(events))
        try:
            await self._sending
        except (StreamClosedError, asyncio.CancelledError):
            return
        except ServiceError as error:
            if not self._headers_written:
                raise
            # A status can't be sent any more.
            self.write(event("problem", error.body()))

    def on_connection_close(self) -> None:
        """The caller went away; called by tornado."""
        if self._sending is not None:
            self._sending.cancel()
        super().on_connection_close()

    async def _send(self, events: AsyncGenerator[Sequence[Event]]) -> None:
        clock = asyncio.get_running_loop().time
        spoke = clock()
        assert self.reader is not None  # the handler named who reads
        async with aclosing(events):
            await self.send_piece(f"retry: {_RETRY_MS}\n\n")
            async for told in events:
                if told and await self.send_piece(*((each.text, each.tenant) for each in told)):
                    spoke = clock()
                elif clock() - spoke >= KEEP_ALIVE:
                    spoke = clock()
                    await self.send_piece(": nothing new\n\n")
                else:
                    await self.reader.check()


class JobEvents(Streaming):
    """One job's."""

    @operation(
        "watchJob",
        "The job now and after each change, as events `job`, until nothing can change, which is the event `end`.",
        query=EventQuery,
        headers=("Last-Event-ID",),
        media_type="text/event-stream",
    )
    async def get(self, job_id: str) -> None:
        """Events of one job. A browser that comes back says where in the log it was."""
        caller = await self.caller()
        job = await self.job_for(caller, job_id)
        asked = self.query(EventQuery)
        log = LogReader(self.context, job.attempt, asked.after) if asked.log else None
        seen = re.fullmatch(r"([0-9]{1,9})\.([0-9]{1,15})", self.request.headers.get("Last-Event-ID", ""))
        if log is not None and seen is not None:
            log.attempt, log.offset = int(seen[1]), int(seen[2])
        await self.stream(self._changes(caller.name, job.id, log))

    async def _changes(self, person: str, job_id: str, log: LogReader | None) -> AsyncGenerator[Sequence[Event]]:
        shown, news = None, self.context.changes if log is None else self.context.log_news
        while True:
            number = news.number
            job = await run_sync(self.context.jobs.get, job_id)
            if job is None:
                return
            seen = (await forecasts_of(self.context, [job])).get(job.id, Forecast())
            held = await cost_of(self.context, job)
            answer = job_answer(job, self.context.registry, now=self.context.clock(), seen=seen, held=held)
            # Its cost grows by itself and its wait shrinks, which is no news.
            if (told := {**answer, "cost": None, "expected_wait": None}) != shown:
                shown = told
                yield [Event(event("job", answer), job.tenant)]
            if log is not None:
                async for piece in log.more(job):
                    yield [Event(event("log", piece, f"{log.attempt}.{log.told}"), job.tenant)]
            if job.state.final and not job.live:
                end = {"id": job.id, "state": job.state, "simulated": answer["simulated"]}
                yield [Event(event("end", end), job.tenant)]
                return
            await self._changed(person, job_id, news, number)
            yield QUIET

    async def _changed(self, person: str, job_id: str, news: ChangeFeed, number: int) -> None:
        """Wait for a change of the job after ``number``, or a few seconds: its place may change with other jobs."""
        until = asyncio.get_running_loop().time() + _LOOK_AGAIN
        while (left := until - asyncio.get_running_loop().time()) > 0:
            await news.after(number, timeout=left)
            await self.context.stream_pace.wait(person)
            heard = news.since(number)
            if heard.jobs is None or job_id in heard.jobs:
                return
            number = heard.number


class LogReader:
    """Reads a job's output from a place on, as text; bytes that are none are shown as such.

    Each attempt's output begins at 0.
    """

    def __init__(self, context: Context, attempt: int, offset: int) -> None:
        self._context = context
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self.attempt = attempt
        self.offset = offset

    @property
    def told(self) -> int:
        """Up to where it was told: before a character of which the rest has not come."""
        return self.offset - len(self._text.getstate()[0])

    async def more(self, job: JobRecord) -> AsyncGenerator[Mapping[str, Any]]:
        """All that has come since the last time."""
        if job.attempt != self.attempt:
            self.attempt, self.offset = job.attempt, 0
            self._text.reset()
        while (piece := await run_sync(self._read, job)).content:
            skipped = piece.start - self.offset
            self.offset = piece.end
            yield self._told(piece.start, skipped, self._text.decode(piece.content))
        if job.state.final and not job.live and (rest := self._text.decode(b"", final=True)):
            yield self._told(self.offset, 0, rest)

    def _told(self, start: int, skipped: int, text: str) -> dict[str, Any]:
        return {"attempt": self.attempt, "offset": start, "skipped": skipped, "text": text}

    def _read(self, job: JobRecord) -> LogPiece:
        spool = self._context.spool
        if job.live or spool.size(job.run_id) or job.current.log_size is None:
            return spool.read(job.run_id, self.offset, most=_PIECE)
        if job.log_dropped_at is not None:
            raise gone(f"The log of job {job.id}", self._context.registry.jobs.keep_logs)
        # It ended some time ago: what is left is the stored log, which may be the end of it only.
        files, key = self._context.files, self._context.files.log(job.id, job.attempt)
        start, place = place_in(files.read(key, 0, LONGEST_MARK), self.offset)
        return LogPiece(start, files.read(key, place, _PIECE))


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
        self.open_for(caller, self.tenants_to_read(caller, self.query(TenantQuery).tenant))
        await self.stream(self._changes(caller.name))

    async def _changes(self, person: str) -> AsyncGenerator[Sequence[Event]]:
        changes = self.context.changes
        number = changes.number
        yield [Event(event("reload", {}))]
        while True:
            await changes.after(number, timeout=_LOOK_AGAIN)
            await self.context.stream_pace.wait(person)
            # Also what came while others of the person's streams spoke.
            news = changes.since(number)
            number = news.number
            if news.jobs is None:
                yield [Event(event("reload", {}))]
            else:
                yield await self.context.shared_events.of(number, news.jobs, self._made)

    async def _made(self, job_ids: Collection[str]) -> Mapping[str, Event]:
        jobs, now = await run_sync(self.context.jobs.some, job_ids), self.context.clock()
        held, registry = await costs_of(self.context, jobs), self.context.registry
        told = [(job, event("job", job_answer(job, registry, now=now, held=held.get(job.id)))) for job in jobs]
        return {job.id: Event(text, job.tenant) for job, text in told}
