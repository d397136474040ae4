"""Tickets in the tenants' own queues of the real test cluster, with the hub's own rights and no more."""

from __future__ import annotations

import asyncio
import secrets
import time

import pytest

from aifactory_hub import constants
from aifactory_hub.admission import KueueAdmission
from aifactory_hub.admission.translate import JOB_UID_LABEL
from aifactory_hub.clusters import KubeApi
from aifactory_hub.domain.tickets import TicketRequest, TicketState
from aifactory_profiles import Resources

from ..support.kube_objects import make_tenant
from ..support.real_cluster import as_hub

pytestmark = pytest.mark.cluster

TENANTS = {name: make_tenant(name) for name in ("nlp", "vision")}


async def conditions(host: KubeApi, ticket: str) -> set[str]:
    """What Kueue says of the ticket's Workload."""
    uid = (await host.get(f"/apis/batch/v1/namespaces/vc-nlp/jobs/{ticket}"))["metadata"]["uid"]
    path = "/apis/kueue.x-k8s.io/v1beta2/namespaces/vc-nlp/workloads"
    (workload,) = (await host.get(path, {"labelSelector": f"{JOB_UID_LABEL}={uid}"}))["items"]
    return {each["type"] for each in workload["status"]["conditions"]}


async def test_the_hubs_rights_are_enough_for_a_tickets_whole_life() -> None:
    # Without devices, so that nobody else's test on this cluster finds less quota than it expects.
    name = f"ticket-{secrets.token_hex(4)}"
    request = TicketRequest(
        "nlp", name, "server", name, "ada", "cpu", Resources(100, 2**20), constants.PRIORITY_NOTEBOOK
    )
    async with as_hub() as host:
        admission = KueueAdmission(host, TENANTS, "test-hub")
        try:
            began = time.monotonic()
            await admission.request(request)
            watch = admission.watch("nlp", name)
            async with asyncio.timeout(20):
                async for ticket in watch:
                    if ticket.state is TicketState.ADMITTED:
                        break
            print(f"admitted {(time.monotonic() - began) * 1000:.0f} ms after filing")
            await admission.hold("nlp", name)
            assert (await anext(watch)).active
            assert name in [holder.owner for holder in (await admission.usage("nlp")).holders]
            assert name in [ticket.name for ticket in await admission.tickets("nlp")]
            assert "PodsReady" not in await conditions(host, name), "Kueue waits for pods, and there will be none"
            path = f"/apis/visibility.kueue.x-k8s.io/v1beta2/namespaces/vc-nlp/localqueues/{constants.LOCAL_QUEUE}"
            assert "items" in await host.get(f"{path}/pendingworkloads")
            await admission.release("nlp", name)
            async with asyncio.timeout(20):
                assert [ticket.state async for ticket in watch][-1] is TicketState.GONE
        finally:
            await admission.release("nlp", name)
            await admission.close()
