"""The loop that takes every live job forward, whatever happened to this process or to the cluster meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from ...admission.base import AdmissionUnavailable
from ...constants import KIND_JOB
from ...domain.jobs import job_of
from ...domain.tickets import MissedChanges, Ticket, TicketChange, TicketEvent
from ...store import JobRecord
from ..executors import reconciling
from .due_jobs import DueJobs, pause_after
from .orphans import Sweeper
from .steps import JobSteps, StepParts

log = logging.getLogger(__name__)

# Seconds between two looks when nothing wakes the loop, and while a ticket was filed a moment ago: Kueue admits
# within about 0.1 s, and a person waits.
_TICK = 1.0
_HURRY = 0.15
_HURRY_FOR = 3.0
# Changes come in bursts; one look serves a whole burst.
_SETTLE = 0.03
# One tenant's jobs are looked at this many at a time, so that a long queue does not flood its API.
_AT_ONCE = 8
# Jobs are read from the database this many at a time.
_READ = 500
# The jobs that are due are compared with the database this often, in seconds.
_COMPARE_EVERY = 60.0
# A tenant whose tickets take long to list is listed less often: this many times as long as it took.
_LIST_SELDOM = 5.0
# The tickets of so many jobs, or of one in so many of a tenant's, are read one by one; for more of them all are listed,
# which takes longer the more there are.
_FEW, _ONE_IN = 8, 20
# Two missed ends of a watch: what the quota engine would tell may then be lost. In seconds.
_SILENT_AFTER = 60.0
_LATER = float("inf")
_JOB_ID = re.compile(r"j[0-9a-f]{12}")


class Reconciler:
    """Runs passes over the live jobs that are due or of which something was heard: at each tick, and when woken.

    ``quiet`` is after how many seconds a job of which nothing is heard is looked at all the same, and ``unheard`` the
    same for a tenant that would not be heard: whose tickets' engine is silent, or of which ``hears`` says so. What is
    heard is a reason to look, and nothing else: what is done is decided from what is read then. Tenants are
    independent: each has its own pass, so one whose vCluster hangs delays nobody else.
    """

    def __init__(
        self,
        step_parts: StepParts,
        *,
        tick: float = _TICK,
        quiet: float | None = None,
        unheard: float | None = None,
        hears: Callable[[str], bool] = lambda tenant: True,
    ) -> None:
        self._w = step_parts
        self._steps = JobSteps(step_parts)
        self._sweeper = Sweeper(step_parts)
        self._tick = tick
        self._quiet = tick if quiet is None else quiet
        self._unheard = self._quiet if unheard is None else unheard
        self._hears = hears
        self._woken = asyncio.Event()
        self._passes: dict[str, asyncio.Task[bool]] = {}
        self._due_jobs: dict[str, DueJobs] = {}
        self._silent: set[str] = set()
        self._listed_until: dict[str, float] = {}
        self._news: deque[str] = deque()
        self._hurried: dict[str, float] = {}
        self._compare_at = 0.0

    def heard(self, job_id: str) -> None:
        """A job changed in the database; may be called in any thread. What is new is taken up at the next tick."""
        self._news.append(job_id)

    def wake(self, pod: str | None = None, *, ending: bool = False) -> None:
        """Something changed: look now, at the job whose pod's name it is. Of a pod that is over the engine's controller
        tells a moment later, so then also ``hurry``."""
        found = None if pod is None else _JOB_ID.search(pod)
        if found and ending:
            self.hurry(found[0])
        elif found:
            self._soon(found[0])
        self._woken.set()

    def hurry(self, job_id: str) -> None:
        """Somebody waits for a quick answer: look often at this job for a moment."""
        self._hurried[job_id] = asyncio.get_running_loop().time() + _HURRY_FOR
        self._soon(job_id)
        self._woken.set()

    async def run(self) -> None:
        """For ever, until cancelled; the passes in flight are then ended too, between two awaits of theirs."""
        beside = [
            asyncio.create_task(self._sweeper.run(), name="sweep"),
            asyncio.create_task(self._listen(), name="changes of tickets"),
        ]
        try:
            while True:
                self._woken.clear()
                try:
                    await self._start_passes()
                except Exception:
                    log.exception("the jobs could not be looked through; it is tried again")
                await self._pause()
        finally:
            ending = [*beside, *self._passes.values()]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    async def settle(self, *, most: int = 20) -> None:
        """Passes over all jobs, one after the other, until no job can go further by itself."""
        for _ in range(most):
            await self._compare()
            moved = [await self._pass(tenant, everything=True) for tenant in list(self._due_jobs)]
            if not any(moved):
                return

    async def sweep(self) -> None:
        """Collect what no job stands behind."""
        await self._sweeper.sweep()

    def _soon(self, job_id: str) -> None:
        self._news.append(job_id)
        for due_jobs in self._due_jobs.values():
            if job_id in due_jobs:
                due_jobs.put(job_id, 0.0)

    async def _start_passes(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._compare_at:
            self._compare_at = now + _COMPARE_EVERY
            await self._compare()
        else:
            await self._hear()
        self._hurried = {job_id: until for job_id, until in self._hurried.items() if until > now}
        for tenant, due_jobs in list(self._due_jobs.items()):
            if not due_jobs:
                del self._due_jobs[tenant]
                continue
            self._mind_silence(tenant, due_jobs)
            at = due_jobs.next()
            if at is not None and tenant not in self._passes and now >= max(at, self._listed_until.get(tenant, 0.0)):
                task = asyncio.create_task(self._pass(tenant), name=f"jobs of {tenant}")
                self._passes[tenant] = task
                task.add_done_callback(partial(self._pass_ended, tenant))

    async def _compare(self) -> None:
        """Take the jobs that are due from the database: nothing depends on having heard."""
        live = {row.id: row.tenant for row in await reconciling.run(self._w.jobs.live_runs)}
        for due_jobs in self._due_jobs.values():
            for job_id in [job_id for job_id in due_jobs.jobs() if job_id not in live]:
                due_jobs.drop(job_id)
        for place, (job_id, tenant) in enumerate(live.items()):
            due_jobs = self._due_jobs.setdefault(tenant, DueJobs())
            if job_id not in due_jobs:
                due_jobs.put(job_id, -1.0 / (place + 1))  # all due, the oldest first

    async def _hear(self) -> None:
        """Take up jobs that are new."""
        heard = {self._news.popleft() for _ in range(len(self._news))}
        new = [job_id for job_id in heard if not any(job_id in due_jobs for due_jobs in self._due_jobs.values())]
        for some in _parts(new):
            for job in await reconciling.run(self._w.jobs.some, some):
                if job.live:
                    self._due_jobs.setdefault(job.tenant, DueJobs()).put(job.id, 0.0)

    def _pass_ended(self, tenant: str, task: asyncio.Task[bool]) -> None:
        del self._passes[tenant]
        if task.cancelled():
            return
        if task.exception() is not None:
            log.error("the jobs of %s could not be looked at", tenant, exc_info=task.exception())
        elif task.result():
            self._woken.set()

    async def _listen(self) -> None:
        """Wake for the jobs whose tickets change, until the engine is closed."""
        while True:
            try:
                with self._w.admission.changes() as changes:
                    async for change in changes:
                        self._ticket_changed(change)
                return
            except Exception:
                log.exception("changes of tickets can't be heard; it is tried again")
            await asyncio.sleep(self._tick)

    def _ticket_changed(self, change: TicketChange | MissedChanges) -> None:
        if isinstance(change, MissedChanges):
            for due_jobs in self._due_jobs.values():
                for job_id in due_jobs.jobs():
                    due_jobs.put(job_id, 0.0)
            self._woken.set()
        elif change.ticket.kind == KIND_JOB and change.what is not TicketEvent.HELD:  # nobody else holds them
            job_id = job_of(change.ticket.name.removeprefix("job-"))
            its_tenant = self._due_jobs.get(change.ticket.tenant)
            if its_tenant is None or job_id not in its_tenant:
                return
            if change.before is None and change.ticket.tenant in self._silent:
                # The tickets that there were as it began to be heard, most of them as they were looked at already.
                its_tenant.put(job_id, self._in_a_while(), sooner=True)
            else:
                its_tenant.put(job_id, 0.0)
                self._woken.set()

    def _mind_silence(self, tenant: str, due_jobs: DueJobs) -> None:
        """When a tenant is not heard any more, its jobs are looked at as if nothing had ever been told."""
        age = self._w.admission.heard(tenant)
        if age is not None and age <= _SILENT_AFTER and self._hears(tenant):
            self._silent.discard(tenant)
        elif tenant not in self._silent:
            self._silent.add(tenant)
            for job_id in due_jobs.jobs():
                due_jobs.put(job_id, self._in_a_while(), sooner=True)

    def _in_a_while(self) -> float:
        """Before ``unheard`` is over, and not for all at once."""
        return asyncio.get_running_loop().time() + random.uniform(0, self._unheard)  # noqa: S311

    async def _pass(self, tenant: str, *, everything: bool = False) -> bool:
        """Look at the tenant's jobs that are due; whether any went further."""
        due_jobs, clock = self._due_jobs[tenant], asyncio.get_running_loop().time
        # As it was before anything is read: what changed until the tenant was heard may not have been told.
        silent = tenant in self._silent
        due = due_jobs.jobs() if everything else due_jobs.due(clock())
        # The jobs first: a ticket that was filed after it was looked for must not look as if it had gone.
        first = await self._read(due[:_READ])
        few = len(due) <= min(_READ, max(_FEW, len(due_jobs) // _ONE_IN))
        tickets = await (self._tickets_of(tenant, first) if few else self._list(tenant))
        moved = await self._look(due_jobs, first, tickets, silent)
        for some in _parts(due[_READ:]):
            moved = await self._look(due_jobs, await self._read(some), tickets, silent) or moved
        return moved

    async def _read(self, job_ids: Sequence[str]) -> list[JobRecord]:
        """First come, first served."""
        found = await reconciling.run(self._w.jobs.some, job_ids) if job_ids else []
        return sorted(found, key=lambda job: (job.submitted_at, job.id))

    async def _look(
        self, due_jobs: DueJobs, jobs: Sequence[JobRecord], tickets: Mapping[str, Ticket] | None, silent: bool
    ) -> bool:
        turn, clock = asyncio.Semaphore(_AT_ONCE), asyncio.get_running_loop().time

        async def one(job: JobRecord) -> bool:
            async with turn:
                # So that what is heard of it meanwhile counts more than what is decided below.
                due_jobs.put(job.id, _LATER)
                try:
                    moved = await self._steps.advance(job, tickets)
                except Exception:
                    log.exception("job %s could not be taken forward; it is tried again", job.id)
                    moved = False
            pause = pause_after(job, quiet=self._quiet_pause(silent), tick=self._tick, now=self._w.clock())
            if job.id in self._hurried:
                pause = min(pause, _HURRY)
            due_jobs.put(job.id, clock() + (0.0 if moved else pause), sooner=True)
            return moved

        looked = [job for job in jobs if job.live]
        for job in jobs:
            if not job.live:
                due_jobs.drop(job.id)
        return any(await asyncio.gather(*map(one, looked)))

    def _quiet_pause(self, silent: bool) -> float:
        """Not the same for all, so that they are not looked at all at once."""
        if silent:
            return self._unheard
        return self._quiet * random.uniform(0.5, 1.0)  # noqa: S311

    async def _list(self, tenant: str) -> Mapping[str, Ticket] | None:
        if tenant not in self._w.registry.tenants:
            return None
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            return {ticket.name: ticket for ticket in await self._w.admission.tickets(tenant)}
        except AdmissionUnavailable as error:
            log.info("tickets of %s: %s", tenant, error)
            return None
        finally:
            self._listed_until[tenant] = clock() + _LIST_SELDOM * (clock() - began)

    async def _tickets_of(self, tenant: str, jobs: Sequence[JobRecord]) -> Mapping[str, Ticket] | None:
        """Those that steps of these jobs ask about."""
        if tenant not in self._w.registry.tenants:
            return None
        names = [job.ticket_name for job in jobs if not job.state.final and job.current.kind is None]
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str) -> Ticket:
            async with turn:
                return await self._w.admission.get(tenant, name)

        found: dict[str, Ticket] = {}
        for name, ticket in zip(names, await asyncio.gather(*map(one, names), return_exceptions=True), strict=True):
            if isinstance(ticket, AdmissionUnavailable):
                log.info("ticket %s of %s: %s", name, tenant, ticket)
                return None
            if isinstance(ticket, BaseException):
                raise ticket
            found[name] = ticket
        return found

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(_HURRY, self._tick) if self._hurried else self._tick):
                await self._woken.wait()
        await asyncio.sleep(_SETTLE)


def _parts(job_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(job_ids), _READ):
        yield job_ids[begin : begin + _READ]
