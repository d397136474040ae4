"""A tenant's usage, summed over its tickets: pure, the same for every quota engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from aifactory_profiles import Device

from ..domain.quota import Holder, Usage
from ..domain.tickets import Ticket, TicketState


def counts(ticket: Ticket) -> bool:
    """Whether quota is held for it: admitted, or held by a pod until that is gone."""
    return ticket.state is TicketState.ADMITTED or (ticket.active and ticket.state is not TicketState.FINISHED)


def usage_of(tickets: Iterable[Ticket]) -> Usage:
    """What these tickets hold, with who holds it; a ticket without devices holds nothing that has a limit."""
    used: Counter[Device] = Counter()
    holders: list[Holder] = []
    for ticket in sorted(tickets, key=lambda ticket: (ticket.user, ticket.name)):
        if counts(ticket):
            used.update(ticket.devices)
            holders.append(_holder(ticket))
    return Usage(dict(used), tuple(holders))


def _holder(ticket: Ticket) -> Holder:
    since, limit = ticket.admitted_at, ticket.max_seconds
    ends_by = None if since is None or limit is None else since + limit
    return Holder(ticket.kind, ticket.owner, ticket.user, dict(ticket.devices), ticket.profile, since, ends_by)
