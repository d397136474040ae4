"""A quota that is lowered while it is used, on the real Kueue: nobody has to go, and nobody comes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from aifactory_hub.admission import KueueAdmission
from aifactory_hub.clusters import KubeApi
from aifactory_hub.domain.quota import Quota
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.domain.tickets import TicketState
from aifactory_hub.registry.render import tenant_queues

from ..support.kube_objects import LARGE, SMALL, make_tenant
from ..support.real_cluster import KUEUE, as_admin, own_queues
from .contract import ask

pytestmark = pytest.mark.cluster


async def set_quota(host: KubeApi, tenant: Tenant, count: int) -> None:
    """As ``tenants apply`` does after a change of tenants.yaml."""
    lower = replace(tenant, quota=Quota({SMALL: count, LARGE: 0}))
    for manifest in tenant_queues(lower, tenant.vcluster.namespace, "", (SMALL, LARGE)):
        if manifest["kind"] == "ClusterQueue":
            name, groups = manifest["metadata"]["name"], manifest["spec"]["resourceGroups"]
            await host.merge_patch(f"{KUEUE}/clusterqueues/{name}", {"spec": {"resourceGroups": groups}})


async def becomes(admission: KueueAdmission, name: str, state: TicketState) -> None:
    async with asyncio.timeout(20):
        while (await admission.get("nlp", name)).state is not state:
            await asyncio.sleep(0.1)


async def test_what_runs_stays_and_what_is_new_waits_until_it_is_below_the_new_number() -> None:
    async with as_admin() as host, own_queues(host, {"nlp": make_tenant("nlp", nominal={SMALL: 3})}) as tenants:
        admission = KueueAdmission(host, tenants, "lowered")
        for name, priority in (("notebook", "notebook"), ("job0", "batch"), ("job1", "batch")):
            await admission.request(ask("nlp", name, {SMALL: 1}, priority=priority))
            await becomes(admission, name, TicketState.ADMITTED)
            await admission.hold("nlp", name)
        await set_quota(host, tenants["nlp"], 1)
        await admission.request(ask("nlp", "new", {SMALL: 1}))
        await asyncio.sleep(4)
        states = {ticket.name: ticket.state for ticket in await admission.tickets("nlp")}
        assert states == dict.fromkeys(("notebook", "job0", "job1"), TicketState.ADMITTED) | {"new": TicketState.QUEUED}
        assert (await admission.usage("nlp")).used == {SMALL: 3}
        for name in ("job0", "job1"):
            await admission.release("nlp", name)
        await asyncio.sleep(2)
        assert (await admission.get("nlp", "new")).state is TicketState.QUEUED, "the notebook has all that is left"
        await admission.release("nlp", "notebook")
        await becomes(admission, "new", TicketState.ADMITTED)
        await admission.close()
