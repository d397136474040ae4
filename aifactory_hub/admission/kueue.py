"""Admission by Kueue: a ticket is a suspended Job in the tenant's host namespace, from which nothing ever runs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from aifactory_profiles import Device

from .. import constants
from ..clusters.api import KubeApi
from ..clusters.errors import ApiError, ApiUnreachable
from ..clusters.listwatch import Pace
from ..domain.names import slug
from ..domain.quota import Usage, over_user_limit
from ..domain.tenants import Tenant
from ..domain.tickets import Ticket, TicketRequest, TicketState
from .base import AdmissionRefused, AdmissionUnavailable, NotAdmitted, Seen, UserLimitReached
from .ticket_changes import MOST_WAITING, ChangeStream, TicketChanges
from .ticket_reader import TicketReader
from .ticket_watch import TicketFeed
from .translate import (
    JOB_UID_LABEL,
    PRIORITY_LABEL,
    gone,
    has_lost_quota,
    is_held,
    is_suspended,
    is_ticket_of,
    job_for,
    owner_of,
    position_of,
    ticket_of,
    version_of,
)
from .usage import usage_of

Json = dict[str, Any]

# Seconds. Kueue's webhook is away for about 14 s, and its scheduler for 21 s, when its only pod is killed.
TIMEOUT = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.3, 5.0
# Another writer is Kueue itself, which changes a ticket a few times around its admission.
_CONFLICTS = 5
_NOTHING_RUNS: Json = {"status": {"active": 0, "ready": 0}}


class KueueAdmission:
    """Tickets of ``tenants`` on ``host``, marked as of hub ``hub``. The caller closes ``host``."""

    def __init__(self, host: KubeApi, tenants: Mapping[str, Tenant], hub: str, *, timeout: float = TIMEOUT) -> None:
        self._host = host
        self._tenants = dict(tenants)
        self._hub = hub
        self._timeout = timeout
        self._feeds: dict[str, TicketFeed] = {}
        self._overviews: dict[str, TicketFeed] = {}
        self._readers: dict[str, TicketReader] = {}
        self._changes = TicketChanges()
        self._listened = False
        self._ending: set[asyncio.Task[None]] = set()

    async def request(self, request: TicketRequest) -> Ticket:
        """File the ticket, trying again for up to ``timeout`` seconds: a create that got lost is found by its name."""
        body, pause = job_for(request, self._hub), _FIRST_PAUSE
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return await self._file_within_limits(request, body)
            except AdmissionUnavailable:
                if time.monotonic() + pause > deadline:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def get(self, tenant: str, name: str) -> Ticket:
        ticket, _ = await self._read(tenant, name)
        return ticket

    async def hold(self, tenant: str, name: str) -> None:
        """Set the ticket's status to active, only on the very version in which it was seen admitted.

        Never startTime: Kueue could not unsuspend it again, and would hold its quota for ever.

        After its restart Kueue can give a ticket's quota to another one before it suspends the ticket's Job again. So
        the Workload is read once the Job is held. The same check is made for a ticket that is held already: an earlier
        call may have held it and then not have been answered.
        """
        for _ in range(_CONFLICTS):
            job = await self._job(tenant, name)
            if job is None:
                raise NotAdmitted(f"ticket {name} of {tenant} does not exist")
            if is_held(job):
                await self._check_still_admitted(tenant, job)
                return
            if is_suspended(job):
                raise NotAdmitted(f"ticket {name} of {tenant} is not admitted now")
            seen = {"resourceVersion": job["metadata"]["resourceVersion"]}
            if await self._patch(tenant, name, {"metadata": seen, "status": {"active": 1, "ready": 1}}):
                await self._check_quota(tenant, job)
                return
        raise AdmissionUnavailable(f"ticket {name} of {tenant} changes too fast to be held")

    async def _check_still_admitted(self, tenant: str, job: Json) -> None:
        """Raises NotAdmitted when the quota of a held ticket was taken back. It stays held: a pod may live on it."""
        if is_suspended(job) or has_lost_quota(await self._workload(tenant, job)):
            raise NotAdmitted(f"the quota of ticket {job['metadata']['name']} of {tenant} was taken back")

    async def _check_quota(self, tenant: str, job: Json) -> None:
        """Let go of a ticket that was just held, and raise NotAdmitted, when its quota is another's by now."""
        name, kept = job["metadata"]["name"], False
        try:
            kept = not has_lost_quota(await self._workload(tenant, job))
        finally:
            if not kept:
                await self._patch(tenant, name, _NOTHING_RUNS)
        if not kept:
            raise NotAdmitted(f"the quota of ticket {name} of {tenant} was taken back as it was admitted")

    async def release(self, tenant: str, name: str) -> None:
        job = await self._job(tenant, name)
        if job is None:
            return
        if is_held(job):
            await self._patch(tenant, name, _NOTHING_RUNS)
        try:
            # Only this one: a ticket filed under the same name meanwhile is another right to run.
            await self._host.delete(f"{self._jobs(tenant)}/{name}", uid=job["metadata"]["uid"])
        except (ApiError, ApiUnreachable) as error:
            raise AdmissionUnavailable(str(error)) from error

    async def prioritize(self, tenant: str, name: str, priority: str) -> None:
        """By the Job's label, which Kueue follows, also while the Job runs (seen on 0.19)."""
        if await self._job(tenant, name) is not None:
            await self._patch(tenant, name, {"metadata": {"labels": {PRIORITY_LABEL: priority}}}, part="")

    def serve(self, tenant: Tenant) -> None:
        self._tenants.setdefault(tenant.name, tenant)
        self._hear([tenant.name])

    def follow(self, tenants: Mapping[str, Tenant]) -> None:
        for name, tenant in tenants.items():
            if (known := self._tenants.get(name)) is not None and known.vcluster != tenant.vcluster:
                self.forget(name)
        self._tenants.update(tenants)
        self._hear(tenants)

    def forget(self, tenant: str) -> None:
        self._tenants.pop(tenant, None)
        self._readers.pop(tenant, None)
        if (feed := self._overviews.pop(tenant, None)) is not None:
            task = asyncio.create_task(feed.stop(), name=f"end the overview of {tenant}")
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def position(self, tenant: str, name: str) -> int | None:
        """By Kueue's visibility API, notebooks before jobs; None whenever that can't say."""
        path = f"/apis/visibility.kueue.x-k8s.io/v1beta2/namespaces/{self._namespace(tenant)}/localqueues"
        lists = (f"{path}/{queue}/pendingworkloads" for queue in (constants.LOCAL_QUEUE, constants.JOBS_LOCAL_QUEUE))
        try:
            return position_of(name, await asyncio.gather(*(self._host.get(each, timeout=3.0) for each in lists)))
        except (ApiError, ApiUnreachable, LookupError, TypeError, ValueError):
            return None

    async def usage(self, tenant: str) -> Usage:
        """Over the tickets of every hub in the tenant, because they share its quota."""
        jobs = await self._list(self._jobs(tenant), constants.LABEL_OWNER_KIND)
        return usage_of(ticket_of(tenant, job, None) for job in jobs)

    async def tickets(self, tenant: str) -> list[Ticket]:
        try:
            jobs, workloads = await asyncio.gather(
                self._host.read(self._jobs(tenant), {"labelSelector": self._ours()}),
                self._host.read(self._workloads(tenant)),
            )
            reader = self._readers.setdefault(tenant, TicketReader(tenant, self._host.server))
            return await asyncio.to_thread(reader.read, jobs, workloads)
        except (ApiError, ApiUnreachable) as error:
            raise AdmissionUnavailable(str(error)) from error

    async def overview(self, tenant: str) -> Seen:
        """From a watch of its own, which begins with the first question; while that is silent, by asking."""
        feed = self._overview(tenant)
        if feed.age is None or feed.age > Pace().silence:
            tickets, usage = await asyncio.gather(self.tickets(tenant), self.usage(tenant))
            return Seen(tickets, usage)
        seen = feed.tickets()
        ours = [ticket for hub, ticket in seen if hub == self._hub]
        return Seen(ours, usage_of(ticket for _, ticket in seen), feed.age or 0.0)

    def _overview(self, tenant: str) -> TicketFeed:
        """The watch of all tickets in the tenant, of every hub; it begins with the first call."""
        feed = self._overviews.get(tenant)
        if feed is None:
            jobs, workloads = self._jobs(tenant), self._workloads(tenant)
            feed = TicketFeed(self._host, tenant, jobs, workloads, constants.LABEL_OWNER_KIND, Pace())
            self._overviews[tenant] = feed
            feed.start()
        return feed

    def changes(self, *, most: int = MOST_WAITING) -> ChangeStream:
        """From the watches of ``overview``, which begin with the first call; ours only."""
        self._listened = True
        self._hear(self._tenants)
        return self._changes.listen(most)

    def _hear(self, tenants: Iterable[str]) -> None:
        """Have ``changes`` told of these tenants, once anybody has listened."""
        for tenant in tenants if self._listened else ():
            self._overview(tenant).tell(self._changes, self._hub)

    def heard(self, tenant: str) -> float | None:
        feed = self._overviews.get(tenant)
        return feed.age if feed is not None and feed.telling else None

    async def watch(self, tenant: str, name: str) -> AsyncIterator[Ticket]:
        """Raises AdmissionUnavailable when nothing was heard for ``timeout`` seconds."""
        feed = self._join(tenant)
        try:
            started = time.monotonic()
            last, version = await self._read(tenant, name)
            yield last
            while last.state is not TicketState.GONE:
                seen = feed.version
                now, version = await self._newer(feed, last, version)
                if now != last:
                    last = now
                    yield now
                    continue
                self._raise_if_silent(feed, started)
                # At most half a second, so that a ticket which the watch does not show is asked for directly.
                await feed.changed(seen, 0.5)
        finally:
            await self._leave(tenant, feed)

    async def close(self) -> None:
        """End the watches and ``changes``; ``host`` is the caller's."""
        self._changes.close()
        feeds = [*self._feeds.values(), *self._overviews.values()]
        self._feeds, self._overviews = {}, {}
        await asyncio.gather(*(feed.stop() for feed in feeds), *self._ending)

    async def _file_within_limits(self, request: TicketRequest, body: Json) -> Ticket:
        """File the ticket, and take it back if the person then has more than one person may have.

        Kueue knows no persons. Two requests of one person at once each see the other's ticket after filing their own,
        so that both may be taken back, but never do both stay.
        """
        if self._tenant(request.tenant).quota.per_user.keys().isdisjoint(request.takes):
            return await self._file(request, body)
        others = await self._of_user(request)
        if request.name not in others:
            self._check_user(request, others)
        ticket = await self._file(request, body)
        if request.name not in others:
            others = {name: each for name, each in (await self._of_user(request)).items() if name != request.name}
            try:
                self._check_user(request, others)
            except UserLimitReached:
                await self.release(request.tenant, request.name)
                raise
        return ticket

    async def _of_user(self, request: TicketRequest) -> dict[str, Ticket]:
        """The person's tickets in the tenant that are not over, of every hub, by name."""
        selector = f"{constants.LABEL_OWNER_KIND},{constants.LABEL_USER}={slug(request.user)}"
        jobs = await self._list(self._jobs(request.tenant), selector)
        tickets = [ticket_of(request.tenant, job, None) for job in jobs]
        return {t.name: t for t in tickets if t.user == request.user and t.state is not TicketState.FINISHED}

    def _check_user(self, request: TicketRequest, others: Mapping[str, Ticket]) -> None:
        has: Counter[Device] = Counter()
        for ticket in others.values():
            has.update(ticket.devices)
        over = over_user_limit(self._tenant(request.tenant).quota, has, request.takes)
        if over is not None:
            raise UserLimitReached(over.text(request.user, request.tenant))

    async def _file(self, request: TicketRequest, body: Json) -> Ticket:
        try:
            return ticket_of(request.tenant, await self._host.create(self._jobs(request.tenant), body), None)
        except ApiUnreachable as error:
            raise AdmissionUnavailable(error.reason) from error
        except ApiError as error:
            if error.status == 401:
                raise AdmissionUnavailable(error.message) from error
            if error.status != 409:
                raise AdmissionRefused(f"the host cluster refused the ticket: {error.message}") from error
        return await self._existing(request)

    async def _read(self, tenant: str, name: str) -> tuple[Ticket, int]:
        job = await self._job(tenant, name)
        if job is None:
            return gone(tenant, name), 0
        workload = await self._workload(tenant, job) if is_suspended(job) else None
        return ticket_of(tenant, job, workload), version_of(job)

    async def _newer(self, feed: TicketFeed, last: Ticket, version: int) -> tuple[Ticket, int]:
        """The ticket as the feed shows it, or as read directly when the feed shows none or another one of its name.

        What the feed shows from before ``version`` is not taken: it may be behind what was read directly.
        """
        shown = feed.ticket(self._namespace(last.tenant), last.name)
        if shown is not None and shown[0].uid == last.uid:
            return shown if shown[1] >= version else (last, version)
        try:
            now, version = await self._read(last.tenant, last.name)
        except AdmissionUnavailable:
            return last, version
        return (now if now.uid == last.uid else gone(last.tenant, last.name, last.uid)), version

    def _raise_if_silent(self, feed: TicketFeed, started: float) -> None:
        quiet = feed.age if feed.age is not None else time.monotonic() - started
        if quiet > self._timeout:
            raise AdmissionUnavailable(feed.last_error or f"nothing was heard for {quiet:.0f} s")

    def _join(self, tenant: str) -> TicketFeed:
        """The tenant's feed, which runs while anybody follows it."""
        feed = self._feeds.setdefault(tenant, self._new_feed(tenant))
        feed.followers += 1
        feed.start()
        return feed

    async def _leave(self, tenant: str, feed: TicketFeed) -> None:
        feed.followers -= 1
        if feed.followers:
            return
        if self._feeds.get(tenant) is feed:
            del self._feeds[tenant]
        await feed.stop()

    def _new_feed(self, tenant: str) -> TicketFeed:
        return TicketFeed(self._host, tenant, self._jobs(tenant), self._workloads(tenant), self._ours())

    async def _existing(self, request: TicketRequest) -> Ticket:
        try:
            job = await self._host.get(f"{self._jobs(request.tenant)}/{request.name}")
        except (ApiError, ApiUnreachable) as error:
            raise AdmissionUnavailable(str(error)) from error
        if not is_ticket_of(job, self._hub) or owner_of(job) != (request.kind, request.owner):
            whose = "/".join(owner_of(job))
            raise AdmissionRefused(
                f"the name {request.name} is taken in {request.tenant} by another ticket, of {whose}"
            )
        return ticket_of(request.tenant, job, None)

    async def _job(self, tenant: str, name: str) -> Json | None:
        """The ticket's Job; None when there is none, or when what has the name is not our ticket."""
        try:
            job = await self._host.get(f"{self._jobs(tenant)}/{name}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise AdmissionUnavailable(str(error)) from error
        except ApiUnreachable as error:
            raise AdmissionUnavailable(error.reason) from error
        return job if is_ticket_of(job, self._hub) else None

    async def _workload(self, tenant: str, job: Json) -> Json | None:
        return next(iter(await self._list(self._workloads(tenant), f"{JOB_UID_LABEL}={job['metadata']['uid']}")), None)

    async def _patch(self, tenant: str, name: str, patch: Json, *, part: str = "/status") -> bool:
        """Whether it was applied: False when the ticket is gone or is not any more what was read."""
        try:
            await self._host.merge_patch(f"{self._jobs(tenant)}/{name}{part}", patch)
        except ApiError as error:
            if error.status in (404, 409):
                return False
            raise AdmissionUnavailable(str(error)) from error
        except ApiUnreachable as error:
            raise AdmissionUnavailable(error.reason) from error
        return True

    async def _list(self, path: str, selector: str | None) -> list[Json]:
        try:
            answer = await self._host.get(path, {"labelSelector": selector} if selector else None)
            return list(answer.get("items") or ())
        except (ApiError, ApiUnreachable) as error:
            raise AdmissionUnavailable(str(error)) from error

    def _ours(self) -> str:
        return f"{constants.LABEL_HUB}={self._hub},{constants.LABEL_OWNER_KIND}"

    def _namespace(self, tenant: str) -> str:
        return self._tenant(tenant).vcluster.namespace

    def _tenant(self, tenant: str) -> Tenant:
        try:
            return self._tenants[tenant]
        except KeyError:
            raise AdmissionRefused(f"tenant {tenant!r} is not in the tenant registry") from None

    def _jobs(self, tenant: str) -> str:
        return f"/apis/batch/v1/namespaces/{self._namespace(tenant)}/jobs"

    def _workloads(self, tenant: str) -> str:
        return f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{self._namespace(tenant)}/workloads"
