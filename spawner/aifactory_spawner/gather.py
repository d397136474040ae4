"""Gathers the facts that a start is decided on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Protocol

from aifactory_hub.admission import Admission, AdmissionUnavailable
from aifactory_hub.admission.team_load import TeamLoads
from aifactory_hub.clusters import TenantHealth
from aifactory_hub.domain.menu import TeamLoad
from aifactory_hub.domain.quota import Usage
from aifactory_hub.domain.server_ends import duration
from aifactory_hub.domain.spawns import TenantFacts
from aifactory_hub.policy import RulesProvider
from aifactory_hub.registry import Registry

# Seconds for which a person waits for a page at most.
PAGE_TIMEOUT = 5.0


class VClusters(Protocol):
    """The health of the teams' vClusters."""

    def health(self, tenant: str) -> TenantHealth:
        """What is known of it, without asking."""

    async def check(self, tenant: str) -> TenantHealth:
        """Ask the vCluster."""


class Cluster(Protocol):
    """What a choice is checked against: ``HostCluster``, or the demo's simulated one."""

    @property
    def registry(self) -> Registry: ...

    @property
    def admission(self) -> Admission: ...

    @property
    def clients(self) -> VClusters: ...

    @property
    def team_loads(self) -> TeamLoads: ...

    @property
    def rules(self) -> RulesProvider: ...


async def gather_tenant(cluster: Cluster, tenant: str, *, ask: bool) -> TenantFacts:
    """What is known of one tenant now; with ``ask`` its vCluster is asked, else the last answer will do."""
    unavailable, usage = await asyncio.gather(_unavailable(cluster, tenant, ask), _usage(cluster, tenant))
    return TenantFacts(usage=usage, unavailable=unavailable)


async def gather_team_loads(cluster: Cluster, tenants: Iterable[str]) -> dict[str, TeamLoad]:
    """What the menu says of these tenants now. Raises nothing: what does not answer is unknown."""
    names = list(tenants)
    found = await asyncio.gather(*(_unavailable(cluster, name, ask=False) for name in names))
    team_loads: dict[str, TeamLoad] = await cluster.team_loads.of(dict(zip(names, found, strict=True)))
    return team_loads


async def _unavailable(cluster: Cluster, tenant: str, ask: bool) -> str | None:
    health = cluster.clients.health(tenant)
    if ask or health.since is None:
        health = await cluster.clients.check(tenant)
    # A ticket wakes one that sleeps.
    if health.ok or health.asleep:
        return None
    reason = health.reason or "its vCluster does not answer"
    past = 0.0 if health.since is None else time.time() - health.since
    return f"{reason}, for {duration(past)}" if past >= 1 else reason


async def _usage(cluster: Cluster, tenant: str) -> Usage | None:
    try:
        async with asyncio.timeout(PAGE_TIMEOUT):
            return await cluster.admission.usage(tenant)
    except (AdmissionUnavailable, TimeoutError):
        return None
