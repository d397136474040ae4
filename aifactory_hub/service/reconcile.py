"""The loop that takes every live job forward, whatever happened to this process or to the cluster meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from functools import partial

from ..admission.base import AdmissionUnavailable
from ..domain.jobs import job_of
from ..domain.tickets import Ticket
from ..pipelines.base import PipelineUnavailable
from ..store import JobRecord
from .steps import JobSteps, Workshop

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
_SWEEP_EVERY = 60.0
_SWEEP_LOST_EVERY = 86400.0
# An upload without a job, or a job's files without a record, is a submission that was given up. In seconds.
_FORGET_AFTER = 3600.0


class Reconciler:
    """Runs passes over the live jobs: at each tick, and at once when woken.

    Tenants are independent: each has its own pass, so one whose vCluster hangs delays nobody else.
    """

    def __init__(self, workshop: Workshop, *, tick: float = _TICK) -> None:
        self._w = workshop
        self._steps = JobSteps(workshop)
        self._tick = tick
        self._woken = asyncio.Event()
        self._passes: dict[str, asyncio.Task[bool]] = {}
        self._hurry_until = 0.0
        self._lost_swept_at = 0.0

    def wake(self) -> None:
        """Something changed: look now."""
        self._woken.set()

    def hurry(self) -> None:
        """Somebody waits for a quick answer: look often for a moment."""
        self._hurry_until = asyncio.get_running_loop().time() + _HURRY_FOR
        self.wake()

    async def run(self) -> None:
        """For ever, until cancelled; the passes in flight are then ended too, between two awaits of theirs."""
        sweeping = asyncio.create_task(self._sweep_for_ever(), name="sweep")
        try:
            while True:
                self._woken.clear()
                try:
                    await self._start_passes()
                except Exception:
                    log.exception("the jobs could not be looked through; it is tried again")
                await self._pause()
        finally:
            ending = [sweeping, *self._passes.values()]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    async def settle(self, *, most: int = 20) -> None:
        """Passes, one after the other, until no job can go further by itself."""
        for _ in range(most):
            by_tenant = _by_tenant(await asyncio.to_thread(self._w.jobs.live))
            if not any([await self._pass(tenant, jobs) for tenant, jobs in by_tenant.items()]):
                return

    async def sweep(self) -> None:
        """Collect what no job stands behind: old uploads, files without a record, runs and tickets of the past."""
        now = self._w.clock()
        await asyncio.to_thread(self._sweep_files, now - _FORGET_AFTER)
        if now >= self._lost_swept_at + _SWEEP_LOST_EVERY:
            self._lost_swept_at = now
            await asyncio.to_thread(self._sweep_lost, now - _FORGET_AFTER)
        for tenant in self._w.registry.tenants:
            try:
                await self._sweep_runs(tenant)
                await self._sweep_tickets(tenant)
            except (AdmissionUnavailable, PipelineUnavailable) as error:
                log.info("runs and tickets of %s can't be swept now: %s", tenant, error)

    async def _start_passes(self) -> None:
        for tenant, jobs in _by_tenant(await asyncio.to_thread(self._w.jobs.live)).items():
            if tenant not in self._passes:
                task = asyncio.create_task(self._pass(tenant, jobs), name=f"jobs of {tenant}")
                self._passes[tenant] = task
                task.add_done_callback(partial(self._pass_ended, tenant))

    def _pass_ended(self, tenant: str, task: asyncio.Task[bool]) -> None:
        del self._passes[tenant]
        if task.cancelled():
            return
        if task.exception() is not None:
            log.error("the jobs of %s could not be looked at", tenant, exc_info=task.exception())
        elif task.result():
            self.wake()

    async def _pass(self, tenant: str, jobs: Sequence[JobRecord]) -> bool:
        tickets = await self._tickets(tenant)
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(job: JobRecord) -> bool:
            async with turn:
                try:
                    return await self._steps.advance(job, tickets)
                except Exception:
                    log.exception("job %s could not be taken forward; it is tried again", job.id)
                    return False

        return any(await asyncio.gather(*map(one, jobs)))

    async def _tickets(self, tenant: str) -> Mapping[str, Ticket] | None:
        if tenant not in self._w.registry.tenants:
            return None
        try:
            return {ticket.name: ticket for ticket in await self._w.admission.tickets(tenant)}
        except AdmissionUnavailable as error:
            log.info("tickets of %s: %s", tenant, error)
            return None

    async def _pause(self) -> None:
        hurry = asyncio.get_running_loop().time() < self._hurry_until
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(_HURRY, self._tick) if hurry else self._tick):
                await self._woken.wait()
        await asyncio.sleep(_SETTLE)

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                await self.sweep()
            except Exception:
                log.exception("sweeping failed; it is tried again")
            await asyncio.sleep(_SWEEP_EVERY)

    def _sweep_lost(self, before: float) -> None:
        """Files of jobs that no record is left of; all files are looked through, so seldom."""
        old = self._w.files.job_ids(older_than=before)
        for job_id in {*old} - self._w.jobs.known(old):
            self._w.files.drop_job(job_id)

    def _sweep_files(self, before: float) -> None:
        self._w.snapshots.collect(before=before)
        quiet = self._w.spool.runs(older_than=before)
        for run_id in {*quiet} - {job.run_id for job in self._w.jobs.live()}:
            self._w.spool.drop(run_id)

    async def _sweep_runs(self, tenant: str) -> None:
        """Remove runs that no attempt stands behind: a create that the API carried out after we had given it up.

        A run of a job that nobody knows is left alone for a while: its record may be on its way back from the journal.
        """
        # Runs first, jobs after: an attempt is in the database before its run is created.
        runs = await self._w.pipeline.runs(tenant)
        wanted = {job.run_id for job in await asyncio.to_thread(self._w.jobs.live)}
        stray = [run for run in runs if run.run_id not in wanted]
        known = await asyncio.to_thread(self._w.jobs.known, [job_of(run.run_id) for run in stray])
        for run in stray:
            if job_of(run.run_id) in known or run.age > _FORGET_AFTER:
                log.warning("run %s in %s belongs to no attempt that goes on: removed", run.run_id, tenant)
                await self._w.pipeline.delete(tenant, run.run_id)

    async def _sweep_tickets(self, tenant: str) -> None:
        # Tickets first, jobs after: a job is in the database before its ticket is filed.
        tickets = [t for t in await self._w.admission.tickets(tenant) if t.kind == "job"]
        alive = {job.ticket_name for job in await asyncio.to_thread(self._w.jobs.live)}
        for ticket in tickets:
            run = ticket.name.removeprefix("job-")
            gone = ticket.name not in alive and await self._w.pipeline.pods_gone(tenant, run)
            if gone:
                log.warning("ticket %s in %s belongs to no job that goes on: given back", ticket.name, tenant)
                await self._w.admission.release(tenant, ticket.name)


def _by_tenant(jobs: Sequence[JobRecord]) -> dict[str, list[JobRecord]]:
    found: dict[str, list[JobRecord]] = {}
    for job in jobs:
        found.setdefault(job.tenant, []).append(job)
    return found
