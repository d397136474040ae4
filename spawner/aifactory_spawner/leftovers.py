"""What servers left that are gone: tickets not given back, and pods without a server.

A hub that crashed leaves them, and an API that did not answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

from aifactory_hub.domain.orphans import Orphan, ServerKey, find_orphans, to_remove
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.domain.tickets import Ticket

from .binding import Binding
from .overrides import marks
from .server import NO_ANSWER, Server

if TYPE_CHECKING:
    from .wiring import Shared, Wiring

log = logging.getLogger(__name__)

# Seconds between looks. After a start of the hub the first two come soon: what a dead hub left is gone in a minute.
FIRST_PAUSES = (8.0, 15.0)
INTERVAL = 60.0


async def clear_own(wiring: Wiring, tenant: Tenant, owner: str, pod: str) -> None:
    """Remove what an earlier start of this very server left in the tenant, so that it does not count against it.

    Raises what ``Server.remove`` raises.
    """
    for ticket in await wiring.admission.tickets(tenant.name):
        if ticket.kind == "server" and ticket.owner == owner:
            log.warning("%s: giving back ticket %s, left by an earlier start", tenant.name, ticket.name)
            await _server(wiring, tenant, ticket, pod).remove()


@dataclass(frozen=True, slots=True)
class OrphanRules:
    """Pods without server and ticket are removed only if ``remove``, and only after ``delay`` seconds."""

    remove: bool = False
    delay: float = 600.0


async def collect_for_ever(wiring: Wiring, shared: Shared, *, pauses: Iterable[float] = FIRST_PAUSES) -> None:
    """Look again and again for what no server holds, and clear it away. Ends only by cancellation."""
    suspects: set[str] = set()
    for pause in chain(pauses, repeat(INTERVAL)):
        await asyncio.sleep(pause)
        try:
            suspects = await collect(wiring, shared.servers, suspects)
            await sweep(wiring, shared, time.time())
        except Exception:
            log.exception("collecting leftovers failed, going on")


async def sweep(wiring: Wiring, shared: Shared, now: float) -> None:
    """Find the pods without a server, and remove those that the rules say."""
    if wiring.watch.stale:
        return
    known = set(shared.servers().values())
    for tenant in wiring.registry.tenants:
        try:
            # What has a ticket is the business of ``collect``.
            known |= {ServerKey(tenant, t.owner) for t in await wiring.admission.tickets(tenant) if t.kind == "server"}
        except NO_ANSWER:
            known |= {orphan.key for orphan in shared.orphans if orphan.key.tenant == tenant}
    tenants = {(t.vcluster.namespace, t.vcluster.name): t.name for t in wiring.registry.tenants.values()}
    found = find_orphans(wiring.watch.pods(), wiring.registry.hub, tenants, known, shared.orphans, now)
    new = {orphan.uid for orphan in found} - {orphan.uid for orphan in shared.orphans}
    shared.orphans = found
    for orphan in found:
        if orphan.uid in new:
            log.warning("%s: pod %s is this hub's and has no server", orphan.key.tenant, orphan.pod)
    if shared.rules.remove:
        await _remove(wiring, to_remove(found, delay=shared.rules.delay, now=now))


async def _remove(wiring: Wiring, orphans: Iterable[Orphan]) -> None:
    for orphan in orphans:
        tenant = wiring.registry.tenants[orphan.key.tenant]
        binding = Binding(tenant.name, "", "", tenant.vcluster.namespace, tenant.vcluster.name)
        server = Server(wiring, binding, orphan.pod, marks(wiring.registry.hub, orphan.key.owner))
        log.warning("%s: removing pod %s, which has had no server", tenant.name, orphan.pod)
        try:
            await server.discard()
        except NO_ANSWER as error:
            log.info("%s: pod %s is removed later: %s", tenant.name, orphan.pod, error)


async def collect(wiring: Wiring, live: Callable[[], Collection[str]], suspects: set[str]) -> set[str]:
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
    wiring: Wiring, tenant: Tenant, tickets: list[Ticket], live: Callable[[], Collection[str]], suspects: set[str]
) -> set[str]:
    found: set[str] = set()
    # A server is bound before its ticket is filed, so whoever holds one that was listed is known now. Read once:
    # with a thousand servers it takes a while.
    held = live()
    for ticket in tickets:
        if ticket.name in held:
            continue
        if ticket.name not in suspects:
            found.add(ticket.name)
            continue
        held = live()
        if ticket.name in held:
            continue
        log.warning("%s: giving back ticket %s, which no server holds", tenant.name, ticket.name)
        if any(other.owner == ticket.owner and other.name in held for other in tickets):
            # The pod is that of the server's next start.
            await wiring.admission.release(tenant.name, ticket.name)
        else:
            await _server(wiring, tenant, ticket, f"nb-{ticket.owner}").remove()
    return found


def _server(wiring: Wiring, tenant: Tenant, ticket: Ticket, pod: str) -> Server:
    vcluster = tenant.vcluster
    binding = Binding(tenant.name, ticket.profile, ticket.name, vcluster.namespace, vcluster.name)
    return Server(wiring, binding, pod, marks(wiring.registry.hub, ticket.owner))
