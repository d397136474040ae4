"""The gate before admission: each ticket passes all policies before the quota engine hears of it."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

from ..domain.quota import Usage
from ..domain.refusals import Refusal
from ..domain.tenants import Tenant
from ..domain.ticket_policy import review_menu
from ..domain.tickets import Ticket, TicketRequest
from .base import Admission, AdmissionRefused, AdmissionUnavailable, Seen
from .ticket_changes import MOST_WAITING, ChangeStream

log = logging.getLogger(__name__)


class PolicyRefused(AdmissionRefused):
    """A policy said no, and no ticket was filed. ``refusal`` says why, for a person and for a program."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class TicketPolicy(Protocol):
    """One rule for tickets. It gathers what it needs and decides with a pure function."""

    async def review(self, request: TicketRequest) -> Refusal | None:
        """Why the ticket may not be filed; None if this policy has nothing against it.

        It is asked again each time the ticket is asked for. With ``request.running`` what the ticket is for runs
        already: a refusal then leaves it uncounted, so a policy answers None unless it wants exactly that.
        """


class MenuPolicy:
    """A ticket is for a team in tenants.yaml that has not ended, and a profile on the team's menu.

    ``tenants`` gives those of now.
    """

    def __init__(self, tenants: Callable[[], Mapping[str, Tenant]], clock: Callable[[], float] = time.time) -> None:
        self._tenants = tenants
        self._clock = clock

    async def review(self, request: TicketRequest) -> Refusal | None:
        """See review_menu."""
        return review_menu(request, self._tenants().get(request.tenant), self._clock())


class GatedAdmission:
    """An Admission that asks ``policies`` in order before it files a ticket.

    The first refusal counts, so one more policy can only refuse more. One that fails with an error has not said yes:
    ``request`` then raises AdmissionUnavailable. What files tickets takes this type, and not an Admission, so that the
    type checker finds a way round.
    """

    def __init__(self, inner: Admission, policies: Sequence[TicketPolicy]) -> None:
        self._inner = inner
        self._policies = tuple(policies)

    async def request(self, request: TicketRequest) -> Ticket:
        """See Admission. Raises PolicyRefused besides."""
        for policy in self._policies:
            refusal = await self._review(policy, request)
            if refusal is not None:
                log.info("%s in %s: no ticket: %s", request.name, request.tenant, refusal.message)
                raise PolicyRefused(refusal)
        return await self._inner.request(request)

    async def _review(self, policy: TicketPolicy, request: TicketRequest) -> Refusal | None:
        try:
            return await policy.review(request)
        except AdmissionUnavailable:
            raise
        except Exception as error:
            log.exception("policy %s failed on ticket %s in %s", type(policy).__name__, request.name, request.tenant)
            raise AdmissionUnavailable("a policy of this site could not be checked; it is tried again") from error

    async def get(self, tenant: str, name: str) -> Ticket:
        """See Admission."""
        return await self._inner.get(tenant, name)

    async def hold(self, tenant: str, name: str) -> None:
        """See Admission."""
        await self._inner.hold(tenant, name)

    async def release(self, tenant: str, name: str) -> None:
        """See Admission."""
        await self._inner.release(tenant, name)

    async def prioritize(self, tenant: str, name: str, priority: str) -> None:
        """See Admission."""
        await self._inner.prioritize(tenant, name, priority)

    def serve(self, tenant: Tenant) -> None:
        """See Admission."""
        self._inner.serve(tenant)

    def follow(self, tenants: Mapping[str, Tenant]) -> None:
        """See Admission."""
        self._inner.follow(tenants)

    def forget(self, tenant: str) -> None:
        """See Admission."""
        self._inner.forget(tenant)

    async def position(self, tenant: str, name: str) -> int | None:
        """See Admission."""
        return await self._inner.position(tenant, name)

    async def usage(self, tenant: str) -> Usage:
        """See Admission."""
        return await self._inner.usage(tenant)

    async def tickets(self, tenant: str) -> list[Ticket]:
        """See Admission."""
        return await self._inner.tickets(tenant)

    async def overview(self, tenant: str) -> Seen:
        """See Admission."""
        return await self._inner.overview(tenant)

    def watch(self, tenant: str, name: str) -> AsyncIterator[Ticket]:
        """See Admission."""
        return self._inner.watch(tenant, name)

    def changes(self, *, most: int = MOST_WAITING) -> ChangeStream:
        """See Admission."""
        return self._inner.changes(most=most)

    def heard(self, tenant: str) -> float | None:
        """See Admission."""
        return self._inner.heard(tenant)

    async def close(self) -> None:
        """See Admission."""
        await self._inner.close()
