"""What jobs have cost so far, as the ledger has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from ...domain.job_costs import HeldCost, Run, held_costs
from ...domain.jobs import run_id
from ...domain.names import slug
from ...domain.usage import Hold
from ...store import JobRecord
from .base import run_sync
from .context import Context

# Runs that one question names: databases take a few thousand parameters.
_AT_ONCE = 500


async def costs_of(context: Context, jobs: Iterable[JobRecord]) -> Mapping[str, HeldCost]:
    """By the job's id; nothing of a job of which the ledger knows no run. One question for a page of jobs."""
    runs = {
        slug(run_id(job.id, attempt.number)): Run(job.id, attempt.number, job.tenant)
        for job in jobs
        for attempt in job.attempts
        if attempt.run_intended_at is not None
    }
    if not runs:
        return {}
    found: Mapping[str, HeldCost] = await run_sync(_costs, context, runs)
    return found


async def cost_of(context: Context, job: JobRecord) -> HeldCost | None:
    """Of one job; None where the ledger knows no run of it."""
    return (await costs_of(context, [job])).get(job.id)


def _costs(context: Context, runs: Mapping[str, Run]) -> Mapping[str, HeldCost]:
    owners, holds = iter(runs), dict[str, list[Hold]]()
    while some := list(islice(owners, _AT_ONCE)):
        holds.update(context.usage.of_owners("job", some))
    return held_costs(runs, holds, context.billing.prices(), context.heard_at()) if holds else {}
