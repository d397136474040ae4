"""A tenant's tickets as they change: one watch of Jobs and one of Workloads, however many wait for a ticket."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from ..clusters.api import KubeApi
from ..clusters.listwatch import Change, ListWatch, Pace, Source
from ..constants import LABEL_HUB
from ..domain.tickets import Ticket, TicketState
from .ticket_changes import TicketChanges
from .ticket_reader import JobShape, WorkloadShape, slim_job, slim_workload
from .translate import JOB_UID_LABEL, ticket_of, version_of

Json = dict[str, Any]

# Somebody looks at the page and waits: notice a watch that went silent sooner than elsewhere.
_PACE = Pace(watch=10, silence=13.0, longest_pause=5.0)
# Seconds. A Workload says when its Job was admitted, and comes by another watch: a little earlier or later.
_EXPLAINED_WITHIN = 1.0
# Workloads only explain: where they can't be listed, tickets are told of without them.
_FIRST_WORKLOADS = 10.0


class TicketFeed:
    """Follows the Jobs that ``selector`` selects in one namespace. ``start`` it, ``stop`` it."""

    def __init__(
        self, host: KubeApi, tenant: str, jobs: str, workloads: str, selector: str, pace: Pace = _PACE
    ) -> None:
        self.followers = 0
        self._tenant = tenant
        only = {"labelSelector": selector}
        self._jobs = ListWatch(host, jobs, JobShape, slim_job, params=only, on_change=self._job_changed, pace=pace)
        self._workloads = ListWatch(host, workloads, WorkloadShape, slim_workload, on_change=self._explained, pace=pace)
        self._by_job: dict[str, Json] = {}
        self._notifier: _Notifier | None = None
        self._beginning: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the background; a second call does nothing."""
        self._jobs.start()
        self._workloads.start()

    async def stop(self) -> None:
        """End both watches."""
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.gather(self._beginning, return_exceptions=True)
        await asyncio.gather(self._jobs.stop(), self._workloads.stop())
        if self._notifier is not None:
            self._notifier.end()

    def tell(self, changes: TicketChanges, hub: str) -> None:
        """Have ``changes`` learn of the tickets of ``hub`` from now on; a second call does nothing."""
        if self._beginning is None:
            begin = self._begin(_Notifier(changes, hub))
            self._beginning = asyncio.create_task(begin, name=f"tickets of {self._tenant}")

    async def _begin(self, notifier: _Notifier) -> None:
        """With what there is, once both have been listed: a Job is not told of before its Workload could explain it."""
        while not await self._jobs.synced(3600):
            pass
        await self._workloads.synced(_FIRST_WORKLOADS)
        self._notifier = notifier
        for job in self._jobs.items.values():
            notifier.learn(job, self._ticket(job), live=False)

    @property
    def telling(self) -> bool:
        """Whether changes are told of by now."""
        return self._notifier is not None

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
        return None if job is None else (self._ticket(job), version_of(job))

    def tickets(self) -> list[tuple[str, Ticket]]:
        """All tickets as last seen, each with the hub that filed it."""
        return [(_hub(job), self._ticket(job)) for job in self._jobs.items.values()]

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

    def _ticket(self, job: Json) -> Ticket:
        return ticket_of(self._tenant, job, self._by_job.get(job["metadata"]["uid"]))

    def _job_changed(self, change: Change[Json]) -> None:
        if (notifier := self._notifier) is None:
            return
        before, after, live = change.before, change.after, change.source is not Source.LIST
        if before is not None and (after is None or after["metadata"]["uid"] != before["metadata"]["uid"]):
            notifier.forget(before, self._tenant, live=live)
        if after is not None:
            notifier.learn(after, self._ticket(after), live=live)

    def _explained(self, change: Change[Json]) -> None:
        if change.before is not None:
            self._by_job.pop(_job_uid(change.before), None)
        if change.after is None:
            return  # a Workload that goes says nothing new
        uid = _job_uid(change.after)
        self._by_job[uid] = change.after
        if self._notifier is not None and (job := self._notifier.job(uid)) is not None:
            self._notifier.explain(self._ticket(job), live=change.source is not Source.LIST)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A ticket that is told of when ``timer`` ends; ``live``: it was heard of as it came to be so."""

    ticket: Ticket
    live: bool
    timer: asyncio.TimerHandle


class _Notifier:
    """Tells ``changes`` of the tickets of one hub in a feed.

    A ticket that came into a state is told of once its Workload has said since when, or a moment later.
    """

    def __init__(self, changes: TicketChanges, hub: str) -> None:
        self._changes = changes
        self._hub = hub
        self._jobs: dict[str, tuple[Json, TicketState]] = {}
        self._waiting: dict[str, _Waiting] = {}

    def job(self, uid: str) -> Json | None:
        """The ticket's Job as it was learned last."""
        return self._jobs[uid][0] if uid in self._jobs else None

    def learn(self, job: Json, ticket: Ticket, *, live: bool) -> None:
        """The ticket's Job has changed."""
        if _hub(job) != self._hub:
            return
        before = self._jobs.get(ticket.uid)
        self._jobs[ticket.uid] = job, ticket.state
        self._tell_what_waits(ticket.uid)
        if _unexplained(ticket) and (before is None or before[1] is not ticket.state):
            timer = asyncio.get_running_loop().call_later(_EXPLAINED_WITHIN, self._tell_what_waits, ticket.uid)
            self._waiting[ticket.uid] = _Waiting(ticket, live, timer)
        else:
            self._changes.learn(ticket, live=live)

    def explain(self, ticket: Ticket, *, live: bool) -> None:
        """The ticket's Workload has changed."""
        waiting = self._waiting.get(ticket.uid)
        if waiting is None:
            self._changes.learn(ticket, live=live)
        elif not _unexplained(ticket):
            del self._waiting[ticket.uid]
            waiting.timer.cancel()
            self._changes.learn(ticket, live=waiting.live)

    def forget(self, job: Json, tenant: str, *, live: bool) -> None:
        """There is none any more."""
        uid = job["metadata"]["uid"]
        if self._jobs.pop(uid, None) is not None:
            self._tell_what_waits(uid)
            self._changes.forget(tenant, job["metadata"]["name"], live=live)

    def end(self) -> None:
        """Nothing more is told."""
        for waiting in self._waiting.values():
            waiting.timer.cancel()
        self._waiting = {}

    def _tell_what_waits(self, uid: str) -> None:
        if (waiting := self._waiting.pop(uid, None)) is not None:
            waiting.timer.cancel()
            self._changes.learn(waiting.ticket, live=waiting.live)


def _unexplained(ticket: Ticket) -> bool:
    """Whether its Workload has more to say of it."""
    admitted = ticket.state is TicketState.ADMITTED and ticket.admitted_at is None
    return admitted or (ticket.state is TicketState.EVICTED and ticket.evicted_at is None)


def _hub(job: Json) -> str:
    return str(job["metadata"]["labels"].get(LABEL_HUB, ""))


def _job_uid(workload: Json) -> str:
    return str(workload["metadata"]["labels"][JOB_UID_LABEL])
