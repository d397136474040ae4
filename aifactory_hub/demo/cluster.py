"""What stands where the real hub has a cluster: the quota engine in this process, and vClusters that always answer."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aifactory_spawner.cluster_state import file_state

from ..admission import GatedAdmission, InProcessAdmission, MenuPolicy, TicketPolicy
from ..admission.team_load import TeamLoads
from ..clusters import TenantHealth
from ..domain.formatting import moment
from ..domain.refusals import Refusal
from ..domain.tickets import TicketRequest
from ..policy import RulesProvider
from ..registry import Registry, RegistryProvider

RULES = Path(__file__).parent / "rules"


class SimulatedTenants:
    """The health of vClusters that there are not."""

    def health(self, tenant: str) -> TenantHealth:
        """Always well, since it is simulated."""
        return TenantHealth(ok=True, reason=None, since=0.0)

    async def check(self, tenant: str) -> TenantHealth:
        """See ``health``."""
        return self.health(tenant)


class LaterPolicy:
    """The job service's policies of tickets: the service starts after the queue."""

    def __init__(self) -> None:
        self.policies: tuple[TicketPolicy, ...] = ()

    async def review(self, request: TicketRequest) -> Refusal | None:
        """See TicketPolicy."""
        for policy in self.policies:
            if (refusal := await policy.review(request)) is not None:
                return refusal
        return None


@dataclass(eq=False, slots=True)
class DemoCluster:
    """One for the hub and the job service, which share a process here, so that quota is one truth.

    ``homes`` holds the people's folders, ``rules`` are the site's; the job service sets ``job_policy``.
    """

    provider: RegistryProvider
    admission: GatedAdmission
    homes: Path
    job_policy: LaterPolicy
    rules: RulesProvider
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


def write_rules(folder: Path) -> None:
    """The demo's own rules into the folder."""
    folder.mkdir(exist_ok=True)
    for file in RULES.glob("*.yaml"):
        shutil.copyfile(file, folder / file.name)


def simulate(provider: RegistryProvider, folder: Path) -> DemoCluster:
    """The simulated cluster of the provider's registry, in the demo's folder."""
    registry = provider.registry
    queue = InProcessAdmission(registry.tenants, reclaim=registry.cluster.reclaim)
    jobs = LaterPolicy()
    admission = GatedAdmission(queue, [MenuPolicy(lambda: provider.tenants), jobs])
    rules = RulesProvider.open(lambda: provider.registry.policies_folder, folder)
    return DemoCluster(provider, admission, folder / "homes", jobs, rules)


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
