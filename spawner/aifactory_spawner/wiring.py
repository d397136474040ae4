"""Everything that all spawners of a hub share, assembled in one place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from aifactory_hub.admission import Admission, KueueAdmission
from aifactory_hub.admission.outlook import Outlooks
from aifactory_hub.clusters import HostWatch, KubeApi, TenantClients, connect_host
from aifactory_hub.constants import NOTEBOOKS_SECRET
from aifactory_hub.registry import Registry
from aifactory_hub.settings import read_hub_settings

from .leftovers import collect_for_ever

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wiring:
    """One host watch, one client for each tenant, one quota engine."""

    registry: Registry
    host: KubeApi
    watch: HostWatch
    clients: TenantClients
    admission: Admission
    outlooks: Outlooks = field(init=False)

    def __post_init__(self) -> None:
        registry = self.registry
        object.__setattr__(self, "outlooks", Outlooks(self.admission, registry.tenants, registry.cluster.carved))

    async def close(self) -> None:
        """End the watch and let go of all connections."""
        await self.watch.stop()
        await self.admission.close()
        await self.clients.close()
        await self.host.close()


async def assemble(registry: Registry, kubeconfig: str | None) -> Wiring:
    """Connect to the host cluster; the watch and the health checks begin in the background.

    Raises CredentialError when there is no usable kubeconfig. A host that does not answer is no error here.
    """
    host = await connect_host(kubeconfig)
    watch = HostWatch(host)
    watch.start()
    clients = TenantClients(host, registry.tenants, NOTEBOOKS_SECRET)
    clients.watch_health()
    return Wiring(registry, host, watch, clients, KueueAdmission(host, registry.tenants, registry.hub))


@dataclass(slots=True)
class Shared:
    """The hub process's wiring, made when the first spawner needs it. ``live`` names the tickets that servers hold."""

    live: set[str] = field(default_factory=set)
    wiring: Wiring | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _keeper: asyncio.Task[None] | None = None

    async def get(self, get_registry: Callable[[], Registry]) -> Wiring:
        async with self._lock:
            if self.wiring is None:
                self.wiring = await assemble(get_registry(), read_hub_settings().kubeconfig)
                self._keeper = asyncio.create_task(self._keep(self.wiring), name="collect leftover tickets")
            return self.wiring

    async def _keep(self, wiring: Wiring) -> None:
        # JupyterHub offers spawners no hook at its end, but cancels all tasks.
        try:
            await asyncio.gather(collect_for_ever(wiring, lambda: self.live), wiring.outlooks.run())
        finally:
            await wiring.close()
