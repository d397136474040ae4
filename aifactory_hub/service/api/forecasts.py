"""Before a job is submitted, or while it waits: what would run, and what its queue looks like."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ...domain.forecasts import Forecast, forecast
from ...domain.jobs import JobPlan, JobState
from ...domain.menu import TeamLoad
from ...engines.base import RunSpec
from ...store import JobRecord
from ..run_spec import run_spec
from .context import Context

_NOT_SHOWN = "(not shown)"
# Seconds that a list waits for places in the queue: without them it is still a list.
_LIST_WAITS = 1.0


async def look(context: Context, tenant: str) -> TeamLoad:
    """Who holds what in the tenant, and who waits."""
    return (await context.team_loads.of({tenant: context.unavailable(tenant)}))[tenant]


async def forecast_of(context: Context, job: JobRecord) -> Forecast:
    """The place of a job that waits, and for how long; nothing of any other job."""
    registry = context.registry
    catalogue = registry.catalogue
    if job.tenant not in registry.tenants:
        return Forecast()
    if job.state is not JobState.QUEUED or job.spec.profile not in catalogue.names:
        return Forecast()
    team_load = await look(context, job.tenant)
    return forecast(
        registry.tenants[job.tenant], catalogue.profile(job.spec.profile), team_load, ticket=job.ticket_name
    )


async def forecasts_of(context: Context, jobs: Iterable[JobRecord]) -> Mapping[str, Forecast]:
    """The places of those that wait, by their ids; nothing while the quota engine does not answer quickly."""
    waiting = [job for job in jobs if job.state is JobState.QUEUED]
    if not waiting:
        return {}
    asked = asyncio.gather(*(forecast_of(context, job) for job in waiting))
    done, _ = await asyncio.wait({asked}, timeout=_LIST_WAITS)
    if not done:
        asked.cancel()
        return {}
    return {job.id: seen for job, seen in zip(waiting, asked.result(), strict=True)}


def preview(context: Context, record: JobRecord, plan: JobPlan) -> RunSpec:
    """What would be created for a job, without its secrets."""
    spec = run_spec(record, plan.profile, context.registry, token=_NOT_SHOWN, node_selector=plan.profile.node_labels)
    return replace(spec, secret_files=dict.fromkeys(spec.secret_files, _NOT_SHOWN))
