"""Before a job is submitted, or while it waits: what would run, may it, when, and for how much."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from aifactory_profiles import Profile

from ..admission.accounts import counts, usage_of
from ..admission.base import AdmissionUnavailable
from ..domain.forecasts import Demand, ExpectedStart, expect_start
from ..domain.jobs import JobPlan
from ..domain.quota import Usage
from ..domain.tickets import Ticket, TicketState
from ..pipelines.base import RunSpec
from ..store import JobRecord
from .context import Context
from .steps import run_spec

# What people wait for at most for a detail that an answer can do without, in seconds.
DETAIL_TIMEOUT = 2.0
_NOT_SHOWN = "(not shown)"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the queue looks like for something that is not in it yet, or is. ``usage`` None: not known now."""

    usage: Usage | None
    position: int | None
    expected_start: ExpectedStart | None


async def outlook(context: Context, tenant: str, profile: Profile, job: JobRecord | None = None) -> Outlook:
    """The queue of ``tenant`` for ``profile``: behind all that waits; of a ``job`` that waits, behind those before."""
    try:
        async with asyncio.timeout(DETAIL_TIMEOUT):
            tickets = await context.admission.tickets(tenant)
            place = None if job is None else await context.admission.position(tenant, job.ticket_name)
    except (AdmissionUnavailable, TimeoutError):
        return Outlook(None, None, None)
    owners = [t.owner for t in tickets if t.kind == "job"]
    records = {r.id: r for r in await asyncio.to_thread(context.jobs.some, owners)}
    waiting = [t for t in tickets if t.state is TicketState.QUEUED and not counts(t)]
    if job is not None:
        waiting = [t for t in waiting if _before(t, job, records)]
    now, most = context.clock(), float(context.registry.jobs.deadline)
    running = [_running(t, records.get(t.owner), now, most) for t in tickets if counts(t)]
    ahead = [Demand(t.devices, longest=most if t.kind == "job" else None) for t in waiting]
    quota = context.registry.tenants[tenant].quota
    start = expect_start(quota, running, ahead, profile.devices)
    return Outlook(usage_of(tickets), len(waiting) if job is None else place, start)


def preview(context: Context, record: JobRecord, plan: JobPlan) -> RunSpec:
    """What would be created for a job, without its secrets."""
    spec = run_spec(record, plan.profile, context.registry, token=_NOT_SHOWN, node_selector=plan.profile.node_labels)
    return replace(spec, secret_files=dict.fromkeys(spec.secret_files, _NOT_SHOWN))


def _before(ticket: Ticket, job: JobRecord, records: Mapping[str, JobRecord]) -> bool:
    other = records.get(ticket.owner)
    return other is None or (other.submitted_at, other.id) < (job.submitted_at, job.id)


def _running(ticket: Ticket, record: JobRecord | None, now: float, most: float) -> Demand:
    if record is None:
        return Demand(ticket.devices)  # a notebook ends when its owner says so
    since = record.running_at or record.starting_at or now
    return Demand(ticket.devices, longest=max(0.0, since + most - now))
