"""Clears away what servers left behind: tickets that no server holds, and pods without a server.

A hub that crashed leaves them, and an API that did not answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, repeat

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
from .host_cluster import HostCluster
from .hub_database import HubDatabase
from .overrides import marks
from .server import NO_ANSWER, Server

log = logging.getLogger(__name__)

# Seconds between looks. After a start of the hub the first two come soon: what a dead hub left is gone in a minute.
FIRST_PAUSES = (8.0, 15.0)
INTERVAL = 60.0


async def clear_earlier_starts(
    cluster: HostCluster, tenant: Tenant, owner: str, pod: str, database: str | None
) -> Ticket | None:
    """Remove what earlier starts of the same server left in the tenant, so that it does not count against this one.

    Where such a start was another database's and its notebook runs on, nothing is removed: the ticket is returned, to
    be taken over. Raises what ``Server.remove`` raises.
    """
    for ticket in await cluster.admission.tickets(tenant.name):
        if ticket.kind == KIND_SERVER and ticket.owner == owner:
            server = _server(cluster, tenant, ticket, pod)
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


class OrphanCollector:
    """Looks again and again for tickets and pods without a server.

    ``servers`` returns the hub's servers by the tickets that they hold. ``database`` returns None until the hub has
    opened its database.

    ``suspects`` are the names of the tickets that nobody held at the last look, ``orphans`` the pods without a server,
    ``held`` the tickets that only a person may give back.
    """

    def __init__(self, servers: Callable[[], dict[str, ServerKey]], database: Callable[[], HubDatabase | None]) -> None:
        self.rules = OrphanRules()
        self.suspects: set[str] = set()
        self.orphans: list[Orphan] = []
        self.held: tuple[HeldTicket, ...] = ()
        self._servers = servers
        self._database = database

    async def run(self, cluster: HostCluster, *, pauses: Iterable[float] = FIRST_PAUSES) -> None:
        """Look first after each of ``pauses``, then at a fixed interval. Ends only by cancellation."""
        for pause in chain(pauses, repeat(INTERVAL)):
            await asyncio.sleep(pause)
            try:
                await self.collect_tickets(cluster)
                await self.collect_pods(cluster, time.time())
            except Exception:
                log.exception("collecting orphans failed, going on")

    # Pods

    async def collect_pods(self, cluster: HostCluster, now: float) -> None:
        """Find the pods without a server, and remove those that the rules say."""
        if cluster.watch.stale:
            return
        known = await self._known_servers(cluster)
        tenants = {(t.vcluster.namespace, t.vcluster.name): t.name for t in cluster.registry.tenants.values()}
        found = find_orphans(cluster.watch.pods(), cluster.registry.hub, tenants, known, self.orphans, now)
        new = {orphan.uid for orphan in found} - {orphan.uid for orphan in self.orphans}
        self.orphans = found
        for orphan in found:
            if orphan.uid in new:
                log.warning("%s: pod %s is this hub's and has no server", orphan.key.tenant, orphan.pod)
        if self.rules.remove:
            servers = sum(1 for pod in cluster.watch.pods() if pod.namespace == NOTEBOOKS_NAMESPACE) - len(found)
            await _remove(cluster, to_remove(found, delay=self.rules.delay, now=now, servers=servers))

    async def _known_servers(self, cluster: HostCluster) -> set[ServerKey]:
        """The servers of the hub, and those of tickets: what has a ticket is left to ``collect_tickets``."""
        known = set(self._servers().values())
        for tenant in cluster.registry.tenants:
            try:
                known |= {ServerKey(tenant, ticket.owner) for ticket in await _server_tickets(cluster, tenant)}
            except NO_ANSWER:
                known |= {orphan.key for orphan in self.orphans if orphan.key.tenant == tenant}
        return known

    # Tickets

    async def collect_tickets(self, cluster: HostCluster) -> None:
        """Give back the tickets that were suspect at the last look and still are.

        Tickets that this hub's database does not know, and many at once, are held for a person instead.
        """
        listed: dict[str, list[Ticket]] = {}
        for tenant in cluster.registry.tenants:
            try:
                listed[tenant] = await _server_tickets(cluster, tenant)
            except NO_ANSWER as error:
                log.info("leftover tickets of team %s are looked at later: %s", tenant, error)
        # A server is bound before its ticket is filed, so whoever holds one that was listed is known now. Read once:
        # with a thousand servers it takes a while.
        verdicts = self._judge([ticket for tickets in listed.values() for ticket in tickets])
        before, self.suspects = self.suspects, {ticket.name for ticket in verdicts.give_back}
        for ticket in verdicts.give_back:
            if ticket.name in before:
                await self._give_back(cluster, ticket, listed[ticket.tenant])

    def _judge(self, tickets: list[Ticket]) -> TicketVerdicts:
        """What becomes of the tickets that no server holds; those that are held are remembered and logged once."""
        database, known = self._database(), self._servers()
        if database is None:
            verdicts = judge_tickets(tickets, known, database=None)
        else:
            database.look_for_restore(tickets)
            verdicts = judge_tickets(tickets, known, database=database.id, held_before=database.held)
            database.keep_held([ticket_key(each.ticket) for each in verdicts.held])
        _report(verdicts, self.held, len(tickets))
        self.held = verdicts.held
        return verdicts

    async def _give_back(self, cluster: HostCluster, ticket: Ticket, others: Iterable[Ticket]) -> None:
        """Delete a ticket and its pod, unless a server has taken it meanwhile."""
        held = self._servers()
        if ticket.name in held and not ticket.release_asked:
            return
        log.warning("%s: giving back ticket %s, which no server holds", ticket.tenant, ticket.name)
        try:
            if any(other.owner == ticket.owner and other.name in held for other in others):
                # The pod is that of the server's next start.
                await cluster.admission.release(ticket.tenant, ticket.name)
            else:
                tenant = cluster.registry.tenants.get(ticket.tenant)
                if tenant is not None:  # it may have been removed meanwhile
                    await _server(cluster, tenant, ticket, f"nb-{ticket.owner}").remove()
        except NO_ANSWER as error:
            log.info("%s: ticket %s is given back later: %s", ticket.tenant, ticket.name, error)
        else:
            self.suspects.discard(ticket.name)


async def _server_tickets(cluster: HostCluster, tenant: str) -> list[Ticket]:
    return [ticket for ticket in await cluster.admission.tickets(tenant) if ticket.kind == KIND_SERVER]


async def _remove(cluster: HostCluster, orphans: Iterable[Orphan]) -> None:
    for orphan in orphans:
        tenant = cluster.registry.tenants.get(orphan.key.tenant)
        if tenant is None:  # it was removed meanwhile
            continue
        binding = Binding(tenant.name, "", "", tenant.vcluster.namespace, tenant.vcluster.name)
        server = Server(cluster, binding, orphan.pod, marks(cluster.registry.hub, orphan.key.owner))
        log.warning("%s: removing pod %s, which has had no server", tenant.name, orphan.pod)
        try:
            await server.discard()
        except NO_ANSWER as error:
            log.info("%s: pod %s is removed later: %s", tenant.name, orphan.pod, error)


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


def _server(cluster: HostCluster, tenant: Tenant, ticket: Ticket, pod: str) -> Server:
    vcluster = tenant.vcluster
    binding = Binding(tenant.name, ticket.profile, ticket.name, vcluster.namespace, vcluster.name)
    return Server(cluster, binding, pod, marks(cluster.registry.hub, ticket.owner))
