"""Admission in one process: for a hub without Kueue, with the same rules."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace

from aifactory_profiles import Device

from .. import constants
from ..domain.borrowing import Reclaim
from ..domain.quota import Quota, Usage, over_user_limit
from ..domain.tenants import Tenant
from ..domain.tickets import Ticket, TicketRequest, TicketState
from .base import AdmissionRefused, NotAdmitted, Seen, UserLimitReached
from .queue_order import Claim, Decision, Eviction, decide
from .ticket_changes import MOST_WAITING, ChangeStream, TicketChanges
from .usage import usage_of


@dataclass(frozen=True, slots=True)
class _Filed:
    """A ticket's request, the place it has in the queue, when it was filed and admitted, and why it was evicted."""

    request: TicketRequest
    uid: str
    claim: Claim
    filed_at: float
    admitted_at: float | None = None
    evicted_for: str = ""
    evicted_at: float | None = None
    release_asked: bool = False


class InProcessAdmission:
    """Keeps tickets in memory: they end with the process, so only for servers and jobs that end with it too."""

    def __init__(
        self,
        tenants: Mapping[str, Tenant],
        clock: Callable[[], float] = time.time,
        *,
        reclaim: Reclaim = Reclaim.ANY,
    ) -> None:
        self._reclaim = reclaim
        self._tenants = dict(tenants)
        self._clock = clock
        self._filed: dict[str, _Filed] = {}
        self._numbers = itertools.count(1)
        self._news = asyncio.Event()
        self._changes = TicketChanges(clock)

    async def request(self, request: TicketRequest) -> Ticket:
        self._quota(request.tenant)
        key = _key(request.tenant, request.name)
        if (found := self._filed.get(key)) is not None:
            if (found.request.kind, found.request.owner) != (request.kind, request.owner):
                whose = f"{found.request.kind}/{found.request.owner}"
                raise AdmissionRefused(
                    f"the name {request.name} is taken in {request.tenant} by another ticket, of {whose}"
                )
            return self._ticket(request.tenant, request.name)
        self._check_user(request)
        number = next(self._numbers)
        priority = constants.PRIORITIES.get(request.priority, 0)
        notebook = request.kind == constants.KIND_SERVER
        claim = Claim(key, request.tenant, number, request.takes, priority, notebook=notebook)
        # The ledger keeps it for ever, beside those of other processes.
        self._filed[key] = _Filed(request, str(uuid.uuid4()), claim, self._clock())
        self._decide()
        return self._ticket(request.tenant, request.name)

    async def get(self, tenant: str, name: str) -> Ticket:
        return self._ticket(tenant, name)

    async def hold(self, tenant: str, name: str) -> None:
        filed = self._filed.get(_key(tenant, name))
        if filed is None:
            raise NotAdmitted(f"ticket {name} of {tenant} does not exist")
        if filed.claim.evicted:
            raise NotAdmitted(f"the quota of ticket {name} of {tenant} was taken back")
        if filed.claim.held:
            return
        if filed.claim.waits:
            raise NotAdmitted(f"ticket {name} of {tenant} is not admitted now")
        self._set_claim(replace(filed.claim, held=True))
        self._tell()

    async def release(self, tenant: str, name: str) -> None:
        if _key(tenant, name) not in self._filed:
            return
        if self._changes.heard:
            self._changes.learn(replace(self._ticket(tenant, name), active=False), live=True)
            self._changes.forget(tenant, name, live=True)
        del self._filed[_key(tenant, name)]
        self._decide()

    async def prioritize(self, tenant: str, name: str, priority: str) -> None:
        filed = self._filed.get(_key(tenant, name))
        if filed is None:
            return
        claim = replace(filed.claim, priority=constants.PRIORITIES.get(priority, 0))
        request = replace(filed.request, priority=priority)
        self._filed[_key(tenant, name)] = replace(filed, request=request, claim=claim)
        self._decide()

    def serve(self, tenant: Tenant) -> None:
        self._tenants.setdefault(tenant.name, tenant)

    def follow(self, tenants: Mapping[str, Tenant]) -> None:
        self._tenants.update(tenants)
        self._decide()

    def forget(self, tenant: str) -> None:
        self._tenants.pop(tenant, None)

    def ask_release(self, tenant: str, name: str) -> None:
        """Ask for a ticket's release, as ``aifactory-hub tickets release`` does."""
        key = _key(tenant, name)
        self._filed[key] = replace(self._filed[key], release_asked=True)
        self._tell()

    async def position(self, tenant: str, name: str) -> int | None:
        waiting = [f.claim for f in self._filed.values() if f.claim.tenant == tenant and f.claim.waits]
        order = [claim.key for claim in sorted(waiting, key=lambda c: (-c.priority, c.filed))]
        key = _key(tenant, name)
        return order.index(key) if key in order else None

    async def usage(self, tenant: str) -> Usage:
        return usage_of(self._tickets(tenant))

    async def tickets(self, tenant: str) -> list[Ticket]:
        return self._tickets(tenant)

    async def overview(self, tenant: str) -> Seen:
        return Seen(await self.tickets(tenant), await self.usage(tenant))

    def _tickets(self, tenant: str) -> list[Ticket]:
        self._quota(tenant)
        return [self._ticket(tenant, f.request.name) for f in self._filed.values() if f.request.tenant == tenant]

    async def watch(self, tenant: str, name: str) -> AsyncIterator[Ticket]:
        last: Ticket | None = None
        while last is None or last.state is not TicketState.GONE:
            news, now = self._news, self._ticket(tenant, name)
            if last is not None and last.uid and now.uid != last.uid:
                now = Ticket(tenant, name, last.uid, TicketState.GONE)
            if now != last:
                last = now
                yield now
            else:
                await news.wait()

    def changes(self, *, most: int = MOST_WAITING) -> ChangeStream:
        if not self._changes.heard:
            # Nothing was learned while nobody listened.
            self._changes = TicketChanges(self._clock)
            self._learn(live=False)
        return self._changes.listen(most)

    def heard(self, tenant: str) -> float | None:
        """Nothing can be silent here."""
        return 0.0 if tenant in self._tenants and self._changes.heard else None

    async def close(self) -> None:
        """Nothing is connected."""
        self._changes.close()

    def _quota(self, tenant: str) -> Quota:
        try:
            return self._tenants[tenant].quota
        except KeyError:
            raise AdmissionRefused(f"tenant {tenant!r} is not in the tenant registry") from None

    def _check_user(self, request: TicketRequest) -> None:
        mine: Counter[Device] = Counter()
        for filed in self._filed.values():
            if (filed.request.tenant, filed.request.user) == (request.tenant, request.user):
                mine.update(filed.request.takes)
        over = over_user_limit(self._quota(request.tenant), mine, request.takes)
        if over is not None:
            raise UserLimitReached(over.text(request.user, request.tenant))

    def _decide(self) -> None:
        quotas = {name: tenant.quota for name, tenant in self._tenants.items()}
        while (decision := decide(self._claims(), quotas, self._reclaim)) != Decision():
            for eviction in decision.evict:
                self._evict(eviction)
            for key in decision.admit:
                self._set_claim(replace(self._filed[key].claim, admitted=next(self._numbers)))
        self._tell()

    def _claims(self) -> list[Claim]:
        return [filed.claim for filed in self._filed.values()]

    def _evict(self, eviction: Eviction) -> None:
        filed = self._filed[eviction.key]
        claim = filed.claim
        changed = replace(claim, evicted=True) if claim.held else replace(claim, admitted=None)
        self._set_claim(changed)
        told = replace(self._filed[eviction.key], evicted_for=eviction.reason, evicted_at=self._clock())
        self._filed[eviction.key] = told

    def _set_claim(self, claim: Claim) -> None:
        filed = self._filed[claim.key]
        admitted_at = None if claim.waits else filed.admitted_at or self._clock()
        self._filed[claim.key] = replace(filed, claim=claim, admitted_at=admitted_at)

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
        if self._changes.heard:
            self._learn(live=True)

    def _learn(self, *, live: bool) -> None:
        for filed in self._filed.values():
            self._changes.learn(self._ticket(filed.request.tenant, filed.request.name), live=live)

    def _ticket(self, tenant: str, name: str) -> Ticket:
        self._quota(tenant)
        filed = self._filed.get(_key(tenant, name))
        if filed is None:
            return Ticket(tenant, name, "", TicketState.GONE)
        state, message = self._state(filed)
        request = filed.request
        return Ticket(
            tenant=tenant,
            name=name,
            uid=filed.uid,
            state=state,
            kind=request.kind,
            owner=request.owner,
            user=request.user,
            profile=request.profile,
            active=filed.claim.held,
            devices=request.takes,
            node_selector=dict(request.node_labels) if state is TicketState.ADMITTED else {},
            message=message,
            filed_at=filed.filed_at,
            admitted_at=filed.admitted_at,
            max_seconds=request.max_seconds,
            database=request.database,
            sequence=request.sequence,
            release_asked=filed.release_asked,
            evicted_at=None if state is TicketState.ADMITTED else filed.evicted_at,
            priority=request.priority,
        )

    def _state(self, filed: _Filed) -> tuple[TicketState, str]:
        claim = filed.claim
        if claim.evicted:
            return TicketState.EVICTED, filed.evicted_for
        if not claim.waits:
            return TicketState.ADMITTED, ""
        quota = self._quota(claim.tenant)
        limit = quota.notebook_limit if claim.notebook else quota.limit
        for device, count in claim.devices.items():
            if count > limit(device):
                never = f"asks {count} of {device}, more than the {limit(device)} it can ever get"
                return TicketState.QUEUED, never
        return TicketState.QUEUED, "waits for " + ", ".join(f"{n} of {d}" for d, n in claim.devices.items())


def _key(tenant: str, name: str) -> str:
    return f"{tenant}/{name}"
