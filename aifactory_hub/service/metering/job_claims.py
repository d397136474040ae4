"""Whose jobs are, as the service's own records have it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ...domain.jobs import job_of
from ...domain.possessions import Claim
from ...domain.usage import Attribution
from ...store import Jobs
from ..executors import metering


def job_claims(jobs: Jobs) -> Callable[[str, str], Awaitable[Claim | None]]:
    """See metering.claims.JobClaim."""

    def of(tenant: str, run: str) -> Claim | None:
        job = jobs.get(job_of(run))
        if job is None or job.tenant != tenant:
            return None
        return Claim(job.owner, job.spec.profile, Attribution.JOB)

    async def ask(tenant: str, run: str) -> Claim | None:
        return await metering.run(of, tenant, run)

    return ask
