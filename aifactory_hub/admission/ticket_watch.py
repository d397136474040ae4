"""A tenant's tickets as they change: one watch of Jobs and one of Workloads, however many wait for a ticket."""

from __future__ import annotations

import asyncio
from typing import Any

from ..clusters.api import KubeApi
from ..clusters.listwatch import Change, ListWatch, Pace
from ..constants import LABEL_HUB
from ..domain.tickets import Ticket
from .ticket_reader import JobShape, WorkloadShape, slim_job, slim_workload
from .translate import JOB_UID_LABEL, ticket_of, version_of

Json = dict[str, Any]

# Somebody looks at the page and waits: notice a watch that went silent sooner than elsewhere.
_PACE = Pace(watch=10, silence=13.0, longest_pause=5.0)


class TicketFeed:
    """Follows the Jobs that ``selector`` selects in one namespace. ``start`` it, ``stop`` it."""

    def __init__(
        self, host: KubeApi, tenant: str, jobs: str, workloads: str, selector: str, pace: Pace = _PACE
    ) -> None:
        self.followers = 0
        self._tenant = tenant
        self._jobs = ListWatch(host, jobs, JobShape, slim_job, params={"labelSelector": selector}, pace=pace)
        self._workloads = ListWatch(host, workloads, WorkloadShape, slim_workload, on_change=self._explained, pace=pace)
        self._by_job: dict[str, Json] = {}

    def start(self) -> None:
        """Begin in the background; a second call does nothing."""
        self._jobs.start()
        self._workloads.start()

    async def stop(self) -> None:
        """End both watches."""
        await asyncio.gather(self._jobs.stop(), self._workloads.stop())

    @property
    def age(self) -> float | None:
        """Seconds since Jobs were heard of last; None before the first list. Workloads only explain."""
        return self._jobs.age()

    @property
    def last_error(self) -> str | None:
        """Why Jobs could not be heard of last; None while they are."""
        return self._jobs.last_error

    @property
    def version(self) -> int:
        """Differs after every change."""
        return self._jobs.version + self._workloads.version

    def ticket(self, namespace: str, name: str) -> tuple[Ticket, int] | None:
        """The ticket and its Job's version as last seen; None when not seen, which may only mean not yet."""
        job = self._jobs.items.get((namespace, name))
        if job is None:
            return None
        return ticket_of(self._tenant, job, self._by_job.get(job["metadata"]["uid"])), version_of(job)

    def tickets(self) -> list[tuple[str, Ticket]]:
        """All tickets as last seen, each with the hub that filed it."""
        found = []
        for job in self._jobs.items.values():
            ticket = ticket_of(self._tenant, job, self._by_job.get(job["metadata"]["uid"]))
            found.append((job["metadata"]["labels"].get(LABEL_HUB, ""), ticket))
        return found

    async def changed(self, since: int, seconds: float) -> None:
        """Wait until anything changed since version ``since``, at most ``seconds``."""
        if self.version != since:
            return
        watches = (self._jobs, self._workloads)
        waits = [asyncio.ensure_future(watch.changed(watch.version, seconds)) for watch in watches]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _explained(self, change: Change[Json]) -> None:
        if change.before is not None:
            self._by_job.pop(_job_uid(change.before), None)
        if change.after is not None:
            self._by_job[_job_uid(change.after)] = change.after


def _job_uid(workload: Json) -> str:
    return str(workload["metadata"]["labels"][JOB_UID_LABEL])
