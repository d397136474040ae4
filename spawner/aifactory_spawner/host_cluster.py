"""Everything that all spawners of a hub share, assembled in one place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyterhub import orm
from sqlalchemy.orm import joinedload

from aifactory_hub.admission import Admission, KueueAdmission
from aifactory_hub.admission.outlook import Outlooks
from aifactory_hub.clusters import HostWatch, KubeApi, TenantClients, connect_host
from aifactory_hub.constants import NOTEBOOKS_SECRET
from aifactory_hub.domain.names import server_id
from aifactory_hub.domain.orphans import HeldTicket, Orphan, ServerKey
from aifactory_hub.domain.quota import Quota
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.domain.tickets import Ticket
from aifactory_hub.registry import Registry
from aifactory_hub.settings import read_hub_settings

from .binding import Binding
from .gather import namespace_uid
from .hub_database import HubDatabase
from .metrics import COLLECTOR
from .orphan_collector import OrphanRules, collect_for_ever
from .shared_reads import SharedReads, takes_connections

log = logging.getLogger(__name__)


# Seconds for which all servers together take one answer.
TICKETS_FOR = 3.0
NAMESPACE_FOR = 10.0


@dataclass(frozen=True)
class Wiring:
    """One host watch, one client for each tenant, one quota engine."""

    registry: Registry
    host: KubeApi
    watch: HostWatch
    clients: TenantClients
    admission: Admission
    history: Path | None = None
    # Whether something takes connections at an address and port.
    reach: Callable[[str, int], Awaitable[bool]] = takes_connections
    outlooks: Outlooks = field(init=False)
    _tickets: SharedReads[str, dict[str, Ticket]] = field(init=False, repr=False, compare=False)
    _namespaces: SharedReads[str, str | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tenants, cluster = self.registry.tenants, self.registry.cluster
        outlooks = Outlooks(self.admission, tenants, cluster.carved, reclaim=cluster.reclaim, history=self.history)
        object.__setattr__(self, "outlooks", outlooks)
        object.__setattr__(self, "_tickets", SharedReads(self._read_tickets, TICKETS_FOR))
        object.__setattr__(self, "_namespaces", SharedReads(self._read_namespace, NAMESPACE_FOR))

    async def ticket(self, tenant: str, name: str) -> Ticket | None:
        """The ticket as of a moment ago, None when there is none; however many ask. Raises AdmissionUnavailable."""
        return (await self._tickets.get(tenant)).get(name)

    async def namespace_uid(self, namespace: str) -> str | None:
        """As of a moment ago; None when the hub may not read it, or when there is none. Raises ApiUnreachable."""
        return await self._namespaces.get(namespace)

    async def _read_tickets(self, tenant: str) -> dict[str, Ticket]:
        return {ticket.name: ticket for ticket in await self.admission.tickets(tenant)}

    async def _read_namespace(self, namespace: str) -> str | None:
        return await namespace_uid(self, namespace)

    def serve(self, binding: Binding) -> None:
        """Also reach the tenant of a server that is in the registry no more, so that the server can be ended."""
        if binding.tenant not in self.registry.tenants:
            tenant = Tenant(binding.tenant, binding.tenant, binding.vcluster, rules=(), profiles=(), quota=Quota({}))
            self.clients.serve(tenant)
            self.admission.serve(tenant)

    async def close(self) -> None:
        """End the watch and let go of all connections."""
        await self.watch.stop()
        await self.admission.close()
        await self.clients.close()
        await self.host.close()


async def assemble(registry: Registry, kubeconfig: str | None, history: Path | None = None) -> Wiring:
    """Connect to the host cluster; the watch and the health checks begin in the background.

    ``history`` is the file of how long runs take.

    Raises CredentialError when there is no usable kubeconfig. A host that does not answer is no error here.
    """
    host = await connect_host(kubeconfig)
    watch = HostWatch(host)
    watch.start()
    clients = TenantClients(host, registry.tenants, NOTEBOOKS_SECRET)
    clients.watch_health()
    return Wiring(registry, host, watch, clients, KueueAdmission(host, registry.tenants, registry.hub), history)


@dataclass(slots=True)
class Shared:
    """The hub process's wiring, made when the first spawner needs it.

    ``live`` maps the tickets that servers hold to those servers; ``known`` gives the same of the hub's database,
    also of servers that no spawner object was made for yet. ``orphans`` and ``held`` are what was found at the last
    look: pods without a server, and tickets that are held for a person. ``database`` is None until it was opened.
    """

    live: dict[str, ServerKey] = field(default_factory=dict)
    wiring: Wiring | None = None
    known: Callable[[], dict[str, ServerKey]] | None = None
    orphans: list[Orphan] = field(default_factory=list)
    held: tuple[HeldTicket, ...] = ()
    database: HubDatabase | None = None
    rules: OrphanRules = field(default_factory=OrphanRules)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _keeper: asyncio.Task[None] | None = None
    _beginning: asyncio.Task[None] | None = None

    def servers(self) -> dict[str, ServerKey]:
        """All servers of the hub, by the tickets that they hold."""
        return {**(self.known() if self.known is not None else {}), **self.live}

    def begin(self, get_registry: Callable[[], Registry]) -> None:
        """Make the wiring now, in the background. Needs a running loop; without one the first spawner makes it."""
        COLLECTOR.follow(self)
        with suppress(RuntimeError):
            self._beginning = asyncio.get_running_loop().create_task(self._begin(get_registry), name="begin wiring")

    async def _begin(self, get_registry: Callable[[], Registry]) -> None:
        try:
            await self.get(get_registry)
        except Exception:
            # The first spawner that needs it raises the same, to somebody who can read it.
            log.exception("the host cluster can't be watched yet")

    async def get(self, get_registry: Callable[[], Registry]) -> Wiring:
        async with self._lock:
            if self.wiring is None:
                settings = read_hub_settings()
                self.wiring = await assemble(get_registry(), settings.kubeconfig, settings.history)
                self._keeper = asyncio.create_task(self._keep(self.wiring), name="collect leftovers")
            return self.wiring

    async def _keep(self, wiring: Wiring) -> None:
        # JupyterHub offers spawners no hook at its end, but cancels all tasks.
        try:
            await asyncio.gather(collect_for_ever(wiring, self), wiring.outlooks.run())
        finally:
            await wiring.close()


def known_servers(db: Any) -> dict[str, ServerKey]:
    """The servers in the hub's database that run, start or stop, by the tickets that they hold."""
    found = {}
    running = db.query(orm.Spawner).filter(orm.Spawner.server != None)  # noqa: E711 - SQL
    for row in running.options(joinedload(orm.Spawner.user)):
        binding = Binding.from_state((row.state or {}).get("aifactory"))
        if binding is not None:
            found[binding.ticket] = ServerKey(binding.tenant, server_id(row.user.name, row.name))
    return found
