"""Removes orphans: files, runs and tickets that belong to no job any more.

A database that is empty or another one knows no job, so what it did not make, and what is too much at once, is left
alone and logged.
"""

from __future__ import annotations

import asyncio
import logging

from ...admission.base import AdmissionUnavailable
from ...constants import KIND_JOB
from ...domain.jobs import job_of
from ...domain.orphans import TicketVerdicts, are_many, judge_tickets, ticket_key
from ...engines.base import Engine, EngineUnavailable
from ...store.model_registry import ModelRegistry
from ..executors import reconciling
from .steps import StepParts

log = logging.getLogger(__name__)

_EVERY = 60.0
# All kept files are looked through for those of lost jobs, so seldom. In seconds.
_LOST_EVERY = 86400.0
# An upload without a job, or a job's files without a record, is a submission that was given up. In seconds.
_FORGET_AFTER = 3600.0
# Runs of one engine in one tenant that one sweep removes.
_MOST_REMOVED = 50
_ASK = (
    "Was the database replaced or restored? Bring the right one back, or end what nobody needs: "
    "`aifactory-hub tickets list` and `tickets release`."
)


class Sweeper:
    """Sweeps every minute."""

    def __init__(self, step_parts: StepParts) -> None:
        self._w = step_parts
        self._lost_swept_at = 0.0
        # Keys of tickets that are held, by tenant.
        self._held: dict[str, frozenset[str]] = {}

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
                verdicts = await self._judge_tickets(tenant)
                await self._sweep_runs(tenant, verdicts)
                await self._sweep_tickets(tenant, verdicts)
            except (AdmissionUnavailable, EngineUnavailable) as error:
                log.info("runs and tickets of %s can't be swept now: %s", tenant, error)

    def _sweep_lost(self, before: float) -> None:
        """Files of jobs that no record is left of."""
        old = self._w.files.job_ids(older_than=before)
        lost = {*old} - self._w.jobs.known(old) - ModelRegistry(self._w.jobs.db).held_jobs(old)
        if are_many(len(lost), len({*old})):
            log.error("files of %d of %d jobs belong to no job in the database: kept. %s", len(lost), len({*old}), _ASK)
            return
        for job_id in lost:
            self._w.files.drop_job(job_id)

    def _sweep_files(self, before: float) -> None:
        self._w.snapshots.collect(before=before)
        quiet = self._w.spool.runs(older_than=before)
        for run_id in {*quiet} - self._alive():
            self._w.spool.drop(run_id)

    def _alive(self) -> set[str]:
        """The runs of all attempts that go on."""
        return {live.run_id for live in self._w.jobs.live_runs()}

    async def _judge_tickets(self, tenant: str) -> TicketVerdicts:
        """What becomes of the tenant's tickets of jobs that no attempt holds. Held ones are logged once."""
        # Tickets first, jobs after: a job is in the database before its ticket is filed.
        tickets = [t for t in await self._w.admission.tickets(tenant) if t.kind == KIND_JOB]
        known = {ticket_of_run(run_id) for run_id in await reconciling.run(self._alive)}
        before = self._held.get(tenant, frozenset())
        verdicts = judge_tickets(tickets, known, database=self._w.database, held_before=before)
        held = frozenset(ticket_key(each.ticket) for each in verdicts.held)
        self._held[tenant] = held
        if held - before:
            names = ", ".join(sorted(each.ticket.name for each in verdicts.held)[:10])
            log.error(
                "%s: %d of %d tickets of jobs belong to no job in the database and are held, with what runs on them: "
                "%s. %s",
                tenant,
                len(held),
                len(tickets),
                names,
                _ASK,
            )
        return verdicts

    async def _sweep_runs(self, tenant: str, verdicts: TicketVerdicts) -> None:
        """Remove runs that no attempt stands behind: a create that the API carried out after we had given it up.

        A run of a job that nobody knows is left alone for a while: its record may be on its way back from the journal.
        One whose ticket is held is left alone until an administrator releases that.
        """
        held = {each.ticket.name for each in verdicts.held}
        released = {ticket.name for ticket in verdicts.give_back if ticket.release_asked}
        for engine in self._w.engines:
            await self._sweep_engine(engine, tenant, held, released)

    async def _sweep_engine(self, engine: Engine, tenant: str, held: set[str], released: set[str]) -> None:
        # Runs first, jobs after: an attempt is in the database before its run is created.
        runs = await engine.runs(tenant)
        wanted = await reconciling.run(self._alive)
        stray = [run for run in runs if run.run_id not in wanted and ticket_of_run(run.run_id) not in held]
        known = await reconciling.run(self._w.jobs.known, [job_of(run.run_id) for run in stray])
        over = [run for run in stray if job_of(run.run_id) in known or ticket_of_run(run.run_id) in released]
        lost = [run for run in stray if run not in over and run.age > _FORGET_AFTER]
        if are_many(len(lost), len(runs)):
            log.error("%s: %d of %d runs belong to no job: kept. %s", tenant, len(lost), len(runs), _ASK)
            lost = []
        # A team can make as many objects with our labels as it likes, and other teams wait for their turn.
        for run in [*over, *lost][:_MOST_REMOVED]:
            log.warning("run %s in %s belongs to no attempt that goes on: removed", run.run_id, tenant)
            await engine.delete(tenant, run.run_id)

    async def _sweep_tickets(self, tenant: str, verdicts: TicketVerdicts) -> None:
        for ticket in verdicts.give_back:
            if await self._w.engines.pods_gone(tenant, ticket.name.removeprefix("job-")):
                log.warning("ticket %s in %s belongs to no job that goes on: given back", ticket.name, tenant)
                await self._w.admission.release(tenant, ticket.name)


def ticket_of_run(run_id: str) -> str:
    """The name of an attempt's ticket."""
    return f"job-{run_id}"
