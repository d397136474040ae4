"""Collects what no job stands behind: files that nobody needs, runs and tickets of the past."""

from __future__ import annotations

import asyncio
import logging

from ..admission.base import AdmissionUnavailable
from ..domain.jobs import job_of
from ..pipelines.base import Pipeline, PipelineUnavailable
from .executors import reconciling
from .steps import Workshop

log = logging.getLogger(__name__)

_EVERY = 60.0
# All kept files are looked through for those of lost jobs, so seldom. In seconds.
_LOST_EVERY = 86400.0
# An upload without a job, or a job's files without a record, is a submission that was given up. In seconds.
_FORGET_AFTER = 3600.0


class Sweeper:
    """Sweeps every minute."""

    def __init__(self, workshop: Workshop) -> None:
        self._w = workshop
        self._lost_swept_at = 0.0

    async def run(self) -> None:
        """For ever, until cancelled."""
        while True:
            try:
                await self.sweep()
            except Exception:
                log.exception("sweeping failed; it is tried again")
            await asyncio.sleep(_EVERY)

    async def sweep(self) -> None:
        """Once."""
        now = self._w.clock()
        await reconciling.run(self._sweep_files, now - _FORGET_AFTER)
        if now >= self._lost_swept_at + _LOST_EVERY:
            self._lost_swept_at = now
            await reconciling.run(self._sweep_lost, now - _FORGET_AFTER)
        for tenant in self._w.registry.tenants:
            try:
                await self._sweep_runs(tenant)
                await self._sweep_tickets(tenant)
            except (AdmissionUnavailable, PipelineUnavailable) as error:
                log.info("runs and tickets of %s can't be swept now: %s", tenant, error)

    def _sweep_lost(self, before: float) -> None:
        """Files of jobs that no record is left of."""
        old = self._w.files.job_ids(older_than=before)
        for job_id in {*old} - self._w.jobs.known(old):
            self._w.files.drop_job(job_id)

    def _sweep_files(self, before: float) -> None:
        self._w.snapshots.collect(before=before)
        quiet = self._w.spool.runs(older_than=before)
        for run_id in {*quiet} - self._alive():
            self._w.spool.drop(run_id)

    def _alive(self) -> set[str]:
        """The runs of all attempts that go on."""
        return {live.run_id for live in self._w.jobs.live_runs()}

    async def _sweep_runs(self, tenant: str) -> None:
        """Remove runs that no attempt stands behind: a create that the API carried out after we had given it up.

        A run of a job that nobody knows is left alone for a while: its record may be on its way back from the journal.
        """
        for engine in self._w.engines:
            await self._sweep_engine(engine, tenant)

    async def _sweep_engine(self, engine: Pipeline, tenant: str) -> None:
        # Runs first, jobs after: an attempt is in the database before its run is created.
        runs = await engine.runs(tenant)
        wanted = await reconciling.run(self._alive)
        stray = [run for run in runs if run.run_id not in wanted]
        known = await reconciling.run(self._w.jobs.known, [job_of(run.run_id) for run in stray])
        for run in stray:
            if job_of(run.run_id) in known or run.age > _FORGET_AFTER:
                log.warning("run %s in %s belongs to no attempt that goes on: removed", run.run_id, tenant)
                await engine.delete(tenant, run.run_id)

    async def _sweep_tickets(self, tenant: str) -> None:
        # Tickets first, jobs after: a job is in the database before its ticket is filed.
        tickets = [t for t in await self._w.admission.tickets(tenant) if t.kind == "job"]
        alive = await reconciling.run(self._alive)
        for ticket in tickets:
            run = ticket.name.removeprefix("job-")
            if run not in alive and await self._w.engines.pods_gone(tenant, run):
                log.warning("ticket %s in %s belongs to no job that goes on: given back", ticket.name, tenant)
                await self._w.admission.release(tenant, ticket.name)
