"""What servers left that are gone: tickets not given back, and pods without a server.

A hub that crashed leaves them, and an API that did not answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

from aifactory_hub.constants import KIND_SERVER, NOTEBOOKS_NAMESPACE
from aifactory_hub.domain.orphans import (
    HeldTicket,
    Orphan,
    ServerKey,
    TicketVerdicts,
    find_orphans,
    judge_tickets,
    ticket_key,
    to_remove,
)
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.domain.tickets import Ticket

from .binding import Binding
from .overrides import marks
from .server import NO_ANSWER, Server

if TYPE_CHECKING:
    from .host_cluster import Shared, Wiring

log = logging.getLogger(__name__)

# Seconds between looks. After a start of the hub the first two come soon: what a dead hub left is gone in a minute.
FIRST_PAUSES = (8.0, 15.0)
INTERVAL = 60.0


async def clear_own(wiring: Wiring, tenant: Tenant, owner: str, pod: str, database: str | None) -> Ticket | None:
    """Remove what an earlier start of this very server left in the tenant, so that it does not count against it.

    Where that start was another database's and its notebook runs on, nothing is removed: the ticket is returned, to be
    taken over. Raises what ``Server.remove`` raises.
    """
    for ticket in await wiring.admission.tickets(tenant.name):
        if ticket.kind == KIND_SERVER and ticket.owner == owner:
            server = _server(wiring, tenant, ticket, pod)
            if ticket.database != database and not ticket.release_asked and server.runs():
                return ticket
            log.warning("%s: giving back ticket %s, left by an earlier start", tenant.name, ticket.name)
            await server.remove()
    return None


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
            suspects = await collect(wiring, shared, suspects)
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
            known |= {
                ServerKey(tenant, t.owner) for t in await wiring.admission.tickets(tenant) if t.kind == KIND_SERVER
            }
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
        servers = sum(1 for pod in wiring.watch.pods() if pod.namespace == NOTEBOOKS_NAMESPACE) - len(found)
        await _remove(wiring, to_remove(found, delay=shared.rules.delay, now=now, servers=servers))


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


async def collect(wiring: Wiring, shared: Shared, suspects: Collection[str]) -> set[str]:
    """One round: tickets that were suspect in the last round and still are go; returns this round's suspects.

    Tickets that this hub's database does not know, and many at once, are held for a person instead.
    """
    listed: dict[str, list[Ticket]] = {}
    for tenant in wiring.registry.tenants:
        try:
            listed[tenant] = [t for t in await wiring.admission.tickets(tenant) if t.kind == KIND_SERVER]
        except NO_ANSWER as error:
            log.info("leftover tickets of team %s are looked at later: %s", tenant, error)
    # A server is bound before its ticket is filed, so whoever holds one that was listed is known now. Read once:
    # with a thousand servers it takes a while.
    verdicts = judge(shared, [ticket for tickets in listed.values() for ticket in tickets])
    found = {ticket.name for ticket in verdicts.give_back}
    for ticket in verdicts.give_back:
        if ticket.name not in suspects:
            continue
        held = shared.servers()
        if ticket.name not in held or ticket.release_asked:
            try:
                await _give_back(wiring, ticket, listed[ticket.tenant], held)
                found.discard(ticket.name)
            except NO_ANSWER as error:
                log.info("%s: ticket %s is given back later: %s", ticket.tenant, ticket.name, error)
    return found


def judge(shared: Shared, tickets: list[Ticket]) -> TicketVerdicts:
    """What becomes of the tickets that no server holds; those that are held are remembered and logged once."""
    database = shared.database
    known = shared.servers()
    if database is None:
        verdicts = judge_tickets(tickets, known, database=None)
    else:
        database.look_for_restore(tickets)
        verdicts = judge_tickets(tickets, known, database=database.id, held_before=database.held)
        database.keep_held([ticket_key(each.ticket) for each in verdicts.held])
    _report(verdicts, shared.held, len(tickets))
    shared.held = verdicts.held
    return verdicts


def _report(verdicts: TicketVerdicts, before: tuple[HeldTicket, ...], total: int) -> None:
    new = {ticket_key(each.ticket) for each in verdicts.held} - {ticket_key(each.ticket) for each in before}
    if not new:
        return
    for each in verdicts.held:
        if ticket_key(each.ticket) in new:
            log.error(
                "%s: ticket %s of %s is held: %s", each.ticket.tenant, each.ticket.name, each.ticket.user, each.reason
            )
    log.error(
        "%d of %d tickets of servers belong to no server in this hub's database and are held: their notebooks run on. "
        "Was the database replaced or restored? Bring the right one back, or have each person sign in and start the "
        "server, which connects it to the notebook that runs; `aifactory-hub tickets list` and `tickets release` end "
        "those that nobody needs",
        len(verdicts.held),
        total,
    )


async def _give_back(wiring: Wiring, ticket: Ticket, others: Iterable[Ticket], held: Collection[str]) -> None:
    tenant = wiring.registry.tenants[ticket.tenant]
    log.warning("%s: giving back ticket %s, which no server holds", tenant.name, ticket.name)
    if any(other.owner == ticket.owner and other.name in held for other in others):
        # The pod is that of the server's next start.
        await wiring.admission.release(tenant.name, ticket.name)
    else:
        await _server(wiring, tenant, ticket, f"nb-{ticket.owner}").remove()


def _server(wiring: Wiring, tenant: Tenant, ticket: Ticket, pod: str) -> Server:
    vcluster = tenant.vcluster
    binding = Binding(tenant.name, ticket.profile, ticket.name, vcluster.namespace, vcluster.name)
    return Server(wiring, binding, pod, marks(wiring.registry.hub, ticket.owner))
