"""What stands where the real hub has a cluster: the quota engine in this process, and vClusters that always answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aifactory_spawner.cluster_state import file_state

from ..admission import GatedAdmission, InProcessAdmission, MenuPolicy
from ..admission.team_load import TeamLoads
from ..clusters import TenantHealth
from ..domain.formatting import moment
from ..registry import Registry, RegistryProvider


class SimulatedTenants:
    """The health of vClusters that there are not."""

    def health(self, tenant: str) -> TenantHealth:
        """Always well, since it is simulated."""
        return TenantHealth(ok=True, reason=None, since=0.0)

    async def check(self, tenant: str) -> TenantHealth:
        """See ``health``."""
        return self.health(tenant)


@dataclass(eq=False, slots=True)
class DemoCluster:
    """One for the hub and the job service, which share a process here, so that quota is one truth.

    ``homes`` holds the people's folders.
    """

    provider: RegistryProvider
    admission: GatedAdmission
    homes: Path
    clients: SimulatedTenants = field(default_factory=SimulatedTenants)
    team_loads: TeamLoads = field(init=False)

    def __post_init__(self) -> None:
        registry = self.registry
        # Asking the engine in this process costs nothing, so each page has the numbers of its moment.
        cluster = registry.cluster
        self.team_loads = TeamLoads(
            self.admission, registry.tenants, cluster.carved, fresh=0.0, reclaim=cluster.reclaim
        )

    @property
    def registry(self) -> Registry:
        """As it is now."""
        return self.provider.registry


def simulate(provider: RegistryProvider, homes: Path) -> DemoCluster:
    """The simulated cluster of the provider's registry."""
    registry = provider.registry
    queue = InProcessAdmission(registry.tenants, reclaim=registry.cluster.reclaim)
    return DemoCluster(provider, GatedAdmission(queue, [MenuPolicy(lambda: provider.tenants)]), homes)


def simulated_state(cluster: DemoCluster, running: int) -> dict[str, Any]:
    """For the administrators' page, as ``aifactory_spawner.cluster_state`` has it: ``running`` servers, all well."""
    watch = {"stale": False, "pods": running, "heard": "0 s", "error": "", "skipped": 0}
    return {
        "watch": {**watch, "last_sync": moment(time.time())},
        "teams": [
            {"name": name, "ok": True, "reason": None, "since": "simulated"} for name in cluster.registry.tenants
        ],
        "orphans": [],
        "held": [],
        "removes": True,
        "tenants_file": file_state(cluster.provider.status),
    }
