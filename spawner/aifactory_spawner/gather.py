"""The facts that a start is decided on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aifactory_hub.admission import AdmissionUnavailable
from aifactory_hub.clusters import ApiError
from aifactory_hub.domain.menu import Outlook
from aifactory_hub.domain.quota import Usage
from aifactory_hub.domain.server_ends import duration
from aifactory_hub.domain.spawns import TenantFacts

if TYPE_CHECKING:
    from .host_cluster import Wiring

# Seconds for which a person waits for a page at most.
PATIENCE = 5.0


async def gather_tenant(wiring: Wiring, tenant: str, *, ask: bool) -> TenantFacts:
    """What is known of one tenant now; with ``ask`` its vCluster is asked, else the last answer will do."""
    unavailable, usage = await asyncio.gather(_unavailable(wiring, tenant, ask), _usage(wiring, tenant))
    return TenantFacts(usage=usage, unavailable=unavailable)


async def gather_outlooks(wiring: Any, tenants: Iterable[str]) -> dict[str, Outlook]:
    """What the menu says of these tenants now. Raises nothing: what does not answer is unknown."""
    names = list(tenants)
    found = await asyncio.gather(*(_unavailable(wiring, name, ask=False) for name in names))
    outlooks: dict[str, Outlook] = await wiring.outlooks.of(dict(zip(names, found, strict=True)))
    return outlooks


async def namespace_uid(wiring: Wiring, namespace: str) -> str | None:
    """The uid of a tenant's namespace on the host; None when the hub may not read it. Raises ApiUnreachable."""
    try:
        found = await wiring.host.get(f"/api/v1/namespaces/{namespace}")
    except ApiError:
        return None
    return str(found["metadata"]["uid"])


async def _unavailable(wiring: Wiring, tenant: str, ask: bool) -> str | None:
    health = wiring.clients.health(tenant)
    if ask or health.since is None:
        health = await wiring.clients.check(tenant)
    if health.ok:
        return None
    reason = health.reason or "its vCluster does not answer"
    past = 0.0 if health.since is None else time.time() - health.since
    return f"{reason}, for {duration(past)}" if past >= 1 else reason


async def _usage(wiring: Wiring, tenant: str) -> Usage | None:
    try:
        async with asyncio.timeout(PATIENCE):
            return await wiring.admission.usage(tenant)
    except (AdmissionUnavailable, TimeoutError):
        return None
