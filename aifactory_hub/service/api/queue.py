"""What waits and why: for a team's people of their teams, for administrators of the hub of all, with the GPUs."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...domain.formatting import iso
from ...domain.jobs import JobState
from ...domain.menu import TeamLoad
from ...domain.queue_view import HeldJob, QueueReader, Waiter, not_known, queue_view, unplaced_pods
from ...store import JobFilter, JobRecord, Jobs
from ...telemetry.base import TelemetryUnavailable
from ..queue_answer_types import GpusAnswer, PlanAnswer, QueueAnswer, QueueQuery
from ..queue_answers import gpus_answer, plan_answer, unknown_gpus, waiter_answer
from .base import Handler, run_sync
from .context import Context
from .operations import operation

# Lines of one answer, and jobs without a ticket that are read for it.
MOST_LINES = 500


class Queue(Handler):
    """The view of the queue."""

    @operation(
        "getQueue",
        "What waits, the longest first, and why; for the hub's administrators also the GPUs, and a plan to cut them.",
        answer=QueueAnswer,
        query=QueueQuery,
    )
    async def get(self) -> None:
        """Whose server waits is for the team's admins and its owner, as on the team's page."""
        caller = await self.caller()
        asked = self.query(QueueQuery).tenant
        whole = caller.administers_platform and asked is None
        tenants = tuple(self.context.registry.tenants) if whole else self.tenants_to_read(caller, asked)
        self.answer(await read_queue(self.context, tenants, QueueReader(caller.name, caller.roles, platform=whole)))


async def read_queue(context: Context, tenants: Collection[str], reader: QueueReader) -> QueueAnswer:
    """What waits in these teams, as ``reader`` may see it; with the GPUs and the plan for the platform's."""
    registry = context.registry
    loads = await context.team_loads.of({name: context.unavailable(name) for name in tenants})
    teams = {name: registry.tenants[name] for name in tenants if name in registry.tenants}
    held = await run_sync(held_jobs, context.jobs, teams)
    pods = unplaced_pods(context.host.pods() or (), teams, loads, registry.hub)
    waiters = queue_view(teams, loads, registry.catalogue, reader, held=held, unplaced=pods)
    gpus, plan = await _of_platform(context, waiters, loads) if reader.platform else (None, None)
    return {
        "as_of": iso(context.clock()),
        "scope": "platform" if reader.platform else "teams",
        "simulated": registry.cluster.simulated,
        "teams": list(teams),
        "not_known": not_known(teams, loads),
        "waiting": [waiter_answer(each, registry) for each in waiters[:MOST_LINES]],
        "left_off": max(0, len(waiters) - MOST_LINES),
        "gpus": gpus,
        "plan": plan,
    }


def held_jobs(jobs: Jobs, tenants: Collection[str]) -> list[HeldJob]:
    """The jobs that wait without a ticket, with why: held ones the oldest first. Blocks."""
    ids = [id_ for name, some in jobs.budgets.held().items() if name in tenants for id_ in some[:MOST_LINES]]
    later = jobs.newest(tenants, where=JobFilter(states=(JobState.PENDING,)), limit=MOST_LINES) if tenants else []
    found = [*jobs.some(ids[:MOST_LINES]), *(job for job in later if job.reason)]
    return [_held(job) for job in found if job.state in (JobState.HELD, JobState.PENDING)]


def _held(job: JobRecord) -> HeldJob:
    return HeldJob(job.id, job.tenant, job.owner, job.spec.profile, job.state.value, job.reason, job.submitted_at)


async def _of_platform(
    context: Context, waiters: list[Waiter], loads: Mapping[str, TeamLoad]
) -> tuple[GpusAnswer, PlanAnswer | None]:
    try:
        gpus = await context.host.gpus()
    except TelemetryUnavailable as error:
        return unknown_gpus(str(error)), None
    registry = context.registry
    told = await run_sync(gpus_answer, gpus, registry, waiters)
    return told, await run_sync(plan_answer, gpus, registry, waiters, loads)
