"""Tickets whose server is gone without having given them back: a hub that crashed, an API that did not answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.domain.tickets import Ticket

from .binding import Binding
from .overrides import marks
from .server import NO_ANSWER, Server

if TYPE_CHECKING:
    from .wiring import Wiring

log = logging.getLogger(__name__)

INTERVAL = 60.0  # seconds


async def clear_own(wiring: Wiring, tenant: Tenant, owner: str, pod: str) -> None:
    """Remove what an earlier start of this very server left in the tenant, so that it does not count against it.

    Raises what ``Server.remove`` raises.
    """
    for ticket in await wiring.admission.tickets(tenant.name):
        if ticket.kind == "server" and ticket.owner == owner:
            log.warning("%s: giving back ticket %s, left by an earlier start", tenant.name, ticket.name)
            await _server(wiring, tenant, ticket, pod).remove()


async def collect_for_ever(wiring: Wiring, live: Callable[[], set[str]], *, interval: float = INTERVAL) -> None:
    """Give back, again and again, every server's ticket that no server holds. Ends only by cancellation."""
    suspects: set[str] = set()
    while True:
        await asyncio.sleep(interval)
        try:
            suspects = await collect(wiring, live, suspects)
        except Exception:
            log.exception("collecting leftover tickets failed, going on")


async def collect(wiring: Wiring, live: Callable[[], set[str]], suspects: set[str]) -> set[str]:
    """One round: tickets that were suspect in the last round and still are go; returns this round's suspects."""
    found: set[str] = set()
    for tenant in wiring.registry.tenants.values():
        try:
            tickets = [t for t in await wiring.admission.tickets(tenant.name) if t.kind == "server"]
            found |= await _collect_in(wiring, tenant, tickets, live, suspects)
        except NO_ANSWER as error:
            log.info("leftover tickets of team %s are looked at later: %s", tenant.name, error)
    return found


async def _collect_in(
    wiring: Wiring, tenant: Tenant, tickets: list[Ticket], live: Callable[[], set[str]], suspects: set[str]
) -> set[str]:
    found: set[str] = set()
    for ticket in tickets:
        if ticket.name in live():
            continue
        if ticket.name not in suspects:
            found.add(ticket.name)
            continue
        log.warning("%s: giving back ticket %s, which no server holds", tenant.name, ticket.name)
        if any(other.owner == ticket.owner and other.name in live() for other in tickets):
            # The pod is that of the server's next start.
            await wiring.admission.release(tenant.name, ticket.name)
        else:
            await _server(wiring, tenant, ticket, f"nb-{ticket.owner}").remove()
    return found


def _server(wiring: Wiring, tenant: Tenant, ticket: Ticket, pod: str) -> Server:
    vcluster = tenant.vcluster
    binding = Binding(tenant.name, ticket.profile, ticket.name, vcluster.namespace, vcluster.name)
    return Server(wiring, binding, pod, marks(wiring.registry.hub, ticket.owner))
