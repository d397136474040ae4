"""A person's newest jobs, for the hub's Home page."""

from __future__ import annotations

from ...store import JobFilter
from ..answer_types import OwnJobs
from ..page_request_types import SiteJobsQuery
from .answers import job_answer
from .base import Handler, run_sync
from .operations import Access, operation


class SiteJobs(Handler):
    """For the hub, which knows in which teams the person is."""

    @operation(
        "getJobsOf", "A person's newest jobs in these teams.", answer=OwnJobs, query=SiteJobsQuery, access=Access.SITE
    )
    async def get(self) -> None:
        """The newest first."""
        self.check_shared_token()
        asked, registry = self.query(SiteJobsQuery), self.context.registry
        tenants = tuple(tenant for tenant in asked.tenant if tenant in registry.tenants)
        wanted = JobFilter(owner=asked.user)
        found = await run_sync(self.context.jobs.newest, tenants, where=wanted, limit=asked.limit, before=None)
        told = [job_answer(job, registry, now=self.context.clock()) for job in found]
        kept = ("id", "name", "tenant", "state", "reason", "times")
        self.answer({"jobs": [{name: value for name, value in job.items() if name in kept} for job in told]})
