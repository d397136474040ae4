"""The host cluster and the teams' vClusters, as all servers of a hub use them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from aifactory_hub.admission import GatedAdmission, KueueAdmission, MenuPolicy
from aifactory_hub.admission.team_load import TeamLoads
from aifactory_hub.clusters import ApiError, HostWatch, KubeApi, TenantClients, connect_host
from aifactory_hub.constants import NOTEBOOKS_SECRET
from aifactory_hub.domain.quota import Quota
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.domain.tickets import Ticket
from aifactory_hub.metering.claims import Claims
from aifactory_hub.metering.hub_ledger import HubLedger
from aifactory_hub.metering.witness import Witness
from aifactory_hub.policy import RulesProvider
from aifactory_hub.registry import Registry, RegistryProvider
from aifactory_hub.registry.gone_tenants import GoneTenants

from .binding import Binding
from .shared_reads import SharedReads, takes_connections

log = logging.getLogger(__name__)

LOOK_AT_RULES_EVERY = 3.0
FORGET_USAGE_EVERY = 3600.0
# Seconds for which all servers together take one answer.
TICKETS_FOR = 3.0
NAMESPACE_FOR = 10.0


@dataclass(eq=False)
class HostCluster:
    """One watch of the host's pods, one client for each tenant's vCluster, one queue.

    ``rules`` are the site's. ``history`` is the file of how long runs took. ``witness`` tells ``ledger`` what pods
    hold. ``reach`` tells whether something takes connections at an address and port.
    """

    provider: RegistryProvider
    host: KubeApi
    watch: HostWatch
    clients: TenantClients
    admission: GatedAdmission
    history: Path | None = None
    reach: Callable[[str, int], Awaitable[bool]] = takes_connections
    rules: RulesProvider = field(default_factory=lambda: RulesProvider(lambda: None))
    witness: Witness | None = None
    ledger: HubLedger | None = None
    team_loads: TeamLoads = field(init=False)
    _gone: GoneTenants = field(init=False, repr=False)
    _tickets: SharedReads[str, dict[str, Ticket]] = field(init=False, repr=False)
    _namespaces: SharedReads[str, str | None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        tenants, cluster = self.registry.tenants, self.registry.cluster
        self.team_loads = TeamLoads(
            self.admission, tenants, cluster.carved, reclaim=cluster.reclaim, history=self.history
        )
        self._gone = GoneTenants((self.clients.forget, self.admission.forget))
        self.provider.listen(self._follow)
        self._tickets = SharedReads(self._read_tickets, TICKETS_FOR)
        self._namespaces = SharedReads(self.read_namespace_uid, NAMESPACE_FOR)

    @property
    def registry(self) -> Registry:
        """As it is now."""
        return self.provider.registry

    def _follow(self, old: Registry, new: Registry) -> None:
        self.clients.follow(new.tenants)
        self.admission.follow(new.tenants)
        self.team_loads.follow(new.tenants, new.cluster.carved, new.cluster.reclaim)
        self._gone.follow(old, new)

    def forget_gone(self, in_use: Collection[str]) -> None:
        """Let go of the teams that left the registry and are not ``in_use``."""
        self._gone.forget_unused(in_use)

    async def ticket(self, tenant: str, name: str) -> Ticket | None:
        """The ticket, at most ``TICKETS_FOR`` seconds old; None when there is none. Raises AdmissionUnavailable."""
        return (await self._tickets.get(tenant)).get(name)

    async def namespace_uid(self, namespace: str) -> str | None:
        """As ``read_namespace_uid``, at most ``NAMESPACE_FOR`` seconds old."""
        return await self._namespaces.get(namespace)

    async def read_namespace_uid(self, namespace: str) -> str | None:
        """The uid of a namespace of the host; None when the hub may not read it, or when there is none.

        Raises ApiUnreachable.
        """
        try:
            found = await self.host.get(f"/api/v1/namespaces/{namespace}")
        except ApiError:
            return None
        return str(found["metadata"]["uid"])

    async def binding(
        self,
        tenant: Tenant,
        profile: str,
        ticket: str,
        *,
        port: int | None = None,
        started: bool = False,
        environment: str = "",
    ) -> Binding:
        """A binding to the tenant as it is now. Raises ApiUnreachable."""
        where = tenant.vcluster
        namespace = await self.read_namespace_uid(where.namespace)
        names = (tenant.name, profile, ticket, where.namespace, where.name)
        return Binding(*names, namespace, started, port, environment)

    async def _read_tickets(self, tenant: str) -> dict[str, Ticket]:
        return {ticket.name: ticket for ticket in await self.admission.tickets(tenant)}

    def serve(self, binding: Binding) -> None:
        """Also reach the tenant of a server that is no longer in the registry, so that the server can be ended."""
        if binding.tenant not in self.registry.tenants:
            tenant = Tenant(binding.tenant, binding.tenant, binding.vcluster, rules=(), profiles=(), quota=Quota({}))
            self.clients.serve(tenant)
            self.admission.serve(tenant)
            self._gone.names.add(tenant.name)

    async def meter(self) -> None:
        """Keep what pods hold, for ever: the job service asks for what it missed."""
        if self.witness is None or self.ledger is None:
            return
        writing = asyncio.create_task(self.witness.run(), name="witness of usage")
        try:
            while True:
                await asyncio.sleep(FORGET_USAGE_EVERY)
                with suppress(SQLAlchemyError):  # tried again the next time
                    await asyncio.to_thread(self.ledger.forget)
        finally:
            writing.cancel()

    async def watch_rules(self) -> None:
        """Look at the folder of the site's rules, for ever."""
        while True:
            await asyncio.sleep(LOOK_AT_RULES_EVERY)
            try:
                await asyncio.to_thread(self.rules.look)
            except Exception:
                log.exception("the site's rules could not be looked at; it is tried again")

    async def close(self) -> None:
        """Stop the watch and close all connections."""
        await self.watch.stop()
        await self.admission.close()
        await self.clients.close()
        await self.host.close()


async def connect_cluster(
    provider: RegistryProvider, kubeconfig: str | None, history: Path | None = None
) -> HostCluster:
    """Connect to the host cluster; the watch and the health checks begin in the background.

    ``history`` is the file of how long runs took.

    Raises CredentialError when there is no usable kubeconfig, and PolicyError when the site's rules can't be used and
    no good ones were kept. A host that does not answer is no error here.
    """
    kept = None if history is None else history.parent
    rules = await asyncio.to_thread(RulesProvider.open, lambda: provider.registry.policies_folder, kept)
    host = await connect_host(kubeconfig)
    watch = HostWatch(host)
    registry = provider.registry
    clients = TenantClients(host, registry.tenants, NOTEBOOKS_SECRET)
    clients.watch_health()
    queue = KueueAdmission(host, registry.tenants, registry.hub)
    admission = GatedAdmission(queue, [MenuPolicy(lambda: provider.tenants)])
    ledger = await asyncio.to_thread(HubLedger.open, None if history is None else history.parent)
    witness = Witness(watch, ledger, Claims(provider, admission).possession, asyncio.to_thread)
    await witness.start()
    return HostCluster(provider, host, watch, clients, admission, history, rules=rules, witness=witness, ledger=ledger)
