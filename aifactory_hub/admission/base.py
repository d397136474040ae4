"""The contract of admission: a ticket first, then the pod."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ..domain.quota import Usage
from ..domain.tenants import Tenant
from ..domain.tickets import Ticket, TicketRequest
from .ticket_changes import MOST_WAITING, ChangeStream


class AdmissionUnavailable(Exception):
    """The quota engine did not answer. Nothing is known, so nothing may be concluded: try again."""


class AdmissionRefused(Exception):
    """The quota engine said no for good; the text says why. Trying the same again gives the same answer."""


class NotAdmitted(AdmissionRefused):
    """The ticket may not be held: it waits, or waits again, or is gone. Nothing may be started on it."""


class UserLimitReached(NotAdmitted):
    """The person has, or waits for, as much as the team lets one person have. No ticket was filed; later one may be."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A tenant's ``tickets`` of this hub and what it holds, of all hubs, as heard of ``age`` seconds ago."""

    tickets: list[Ticket]
    usage: Usage
    age: float = 0.0


class Admission(Protocol):
    """Takes, follows and gives back tickets. Every method raises AdmissionUnavailable when the engine does not answer.

    Guarantees, checked by one set of contract tests for every implementation:

    - ``request`` with a name that exists returns that ticket and files no second one. A name that somebody else's
      ticket has raises AdmissionRefused.
    - A ticket that was ``hold``-ed keeps its quota, also when evicted, until ``release``: what runs is counted.
    - A ticket that loses its place before it was ``hold``-ed is QUEUED again; ``hold`` then raises NotAdmitted.
    - ``hold`` of an evicted ticket raises NotAdmitted, and the ticket stays held.
    - ``request`` raises UserLimitReached rather than give one person more than the tenant's limit for one person.
    - ``release`` of a ticket that is gone does nothing. It is called only after the pod is gone.
    - The sum of devices of admitted and held tickets of a tenant never exceeds what its quota allows.
    - ``changes`` tells of every ticket of this hub, of all tenants, in the order of each ticket's own changes. It
      begins with the tickets that there are, each told as new. What happened while the engine could not be heard is
      told as the difference, once it can be: a ticket that has gone is GONE, and what came and went unseen is not told.
    - A time from TimeSource.ENGINE is the engine's own, by its clock and perhaps in whole seconds; the others are by
      this machine's clock. So times of one ticket are not always in order, and may be equal.
    - Several may listen, and none waits for another. One that takes too slowly loses what waits for it and is told so
      with MissedChanges: it then reads again.
    """

    async def request(self, request: TicketRequest) -> Ticket:
        """File the ticket, or find the one filed before under that name."""

    async def get(self, tenant: str, name: str) -> Ticket:
        """The ticket now; its state is GONE when there is none."""

    async def hold(self, tenant: str, name: str) -> None:
        """Say that a pod will live on this ticket, so that its quota is kept until ``release``. May be repeated.

        To be called before the pod is created. Raises NotAdmitted when the ticket may not run now.
        """

    async def release(self, tenant: str, name: str) -> None:
        """Give the ticket back. No-op when there is none."""

    async def prioritize(self, tenant: str, name: str, priority: str) -> None:
        """Give the ticket another priority: where it waits, its place changes at once. No-op when there is none."""

    def serve(self, tenant: Tenant) -> None:
        """Also answer for this tenant, which is not in the registry any more and of which something still runs."""

    def follow(self, tenants: Mapping[str, Tenant]) -> None:
        """Answer for these tenants as they are now. Those that are gone are answered for until ``forget``."""

    def forget(self, tenant: str) -> None:
        """Answer no more for a tenant that is gone and of which nothing runs."""

    async def position(self, tenant: str, name: str) -> int | None:
        """0-based place in the tenant's queue; None when not queued or not known."""

    async def usage(self, tenant: str) -> Usage:
        """What the tenant holds now: admitted and held tickets, with their holders."""

    async def tickets(self, tenant: str) -> list[Ticket]:
        """All tickets of ours in the tenant, whatever their state."""

    async def overview(self, tenant: str) -> Seen:
        """What a page shows of the tenant: cheap, so that it can be asked for often, and at most half a minute old."""

    def watch(self, tenant: str, name: str) -> AsyncIterator[Ticket]:
        """The ticket now and after each change, until it is GONE (which is yielded last)."""

    def changes(self, *, most: int = MOST_WAITING) -> ChangeStream:
        """How tickets change from now on: to be iterated in a ``with`` block. At most ``most`` changes wait in it.

        It never raises for an engine that is silent, and tells nothing then: see ``heard``.
        """

    def heard(self, tenant: str) -> float | None:
        """How many seconds ago the engine last showed that ``changes`` of this tenant would be heard; None when they
        would not be: not yet, or nobody listens."""

    async def close(self) -> None:
        """Let go of connections, and end ``changes``."""
