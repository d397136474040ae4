"""The same pod spec where DRA serves what a device plugin serves elsewhere: ticket, placement, and a running container.

``make e2e-dra``: the test cluster with the feature gate DRAExtendedResource, and a driver of simulated devices.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aifactory_hub.admission import KueueAdmission
from aifactory_hub.clusters import KubeApi, connect_host
from aifactory_hub.constants import KIND_SERVER, PRIORITY_NOTEBOOK
from aifactory_hub.domain.tickets import TicketRequest, TicketState
from aifactory_profiles import Device, Resources
from aifactory_profiles.catalogue import PRODUCT_LABEL

from ..cluster import dra
from ..cluster.settings import RESTRICTED, RESTRICTED_POD, SIMULATED_LABELS, feature_gates, layout
from ..support.kube_objects import make_tenant
from ..support.real_cluster import as_admin, own_queues, running_cluster

pytestmark = [
    pytest.mark.cluster,
    # The driver outlives the object that started it; the cluster knows its process.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# The node does not say that it has any of these: only the driver's ResourceSlice does.
SLICE = Device("h100-80gb", "nvidia.com/mig-2g.20gb")
THERE_ARE, QUOTA = 2, 3
NODE_LABELS = {PRODUCT_LABEL: SIMULATED_LABELS[PRODUCT_LABEL]}


@pytest.fixture(scope="module", autouse=True)
def driver() -> Iterator[None]:
    running_cluster()
    assert feature_gates().get("DRAExtendedResource"), "run it by: make e2e-dra"
    slice_name = SLICE.resource.partition("-")[2]
    dra.install(layout(), slice_name, SLICE.resource, THERE_ARE)
    yield
    dra.remove(layout(), slice_name)


@pytest.fixture
async def host() -> AsyncIterator[KubeApi]:
    async with as_admin() as api:
        yield api


def ask(name: str) -> TicketRequest:
    resources = Resources(devices={SLICE.resource: 1})
    return TicketRequest(
        "nlp", name, KIND_SERVER, name, "ada", "p", resources, PRIORITY_NOTEBOOK, NODE_LABELS, flavor=SLICE.flavor
    )


def pod(name: str, node_selector: dict[str, str]) -> dict[str, Any]:
    """What spawner and jobs make for a device plugin: nothing in it knows of DRA."""
    container = {
        "name": "c",
        "image": running_cluster().notebook_image,
        "command": ["sleep", "600"],
        "resources": {"requests": {SLICE.resource: "1"}, "limits": {SLICE.resource: "1"}},
        "securityContext": RESTRICTED,
    }
    spec = {"nodeSelector": node_selector, "automountServiceAccountToken": False, "securityContext": RESTRICTED_POD}
    return {"metadata": {"name": name}, "spec": {**spec, "terminationGracePeriodSeconds": 0, "containers": [container]}}


async def admitted(admission: KueueAdmission, name: str) -> dict[str, str]:
    await admission.request(ask(name))
    async with asyncio.timeout(20):
        while (ticket := await admission.get("nlp", name)).state is not TicketState.ADMITTED:
            await asyncio.sleep(0.1)
    assert ticket.devices == {SLICE: 1}
    return dict(ticket.node_selector)


@asynccontextmanager
async def allowed(host: KubeApi, tenant: str) -> AsyncIterator[None]:
    """Until the end the tenant's policy lets this slice in, as that of a tenant with quota for it does."""
    path = f"/api/v1/namespaces/aifactory-system/configmaps/tenant-{tenant}"
    before = (await host.get(path))["data"]["devices"]
    await host.merge_patch(path, {"data": {"devices": f"{before}\n{SLICE.resource}"}})
    try:
        yield
    finally:
        await host.merge_patch(path, {"data": {"devices": before}})


async def runs(api: KubeApi, path: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            found = await api.get(path)
            if (found.get("status") or {}).get("phase") == "Running":
                return found
            await asyncio.sleep(0.3)


async def test_the_host_has_it_as_a_ticket_a_place_and_a_running_container(host: KubeApi) -> None:
    node = (await host.get("/api/v1/nodes"))["items"][0]
    assert SLICE.resource not in node["status"]["allocatable"]
    async with own_queues(host, {"nlp": make_tenant("nlp", nominal={SLICE: QUOTA})}) as tenants:
        admission = KueueAdmission(host, tenants, "dra")
        pods = f"/api/v1/namespaces/{tenants['nlp'].vcluster.namespace}/pods"
        for number in range(THERE_ARE):
            selector = await admitted(admission, f"n{number}")
            assert selector == NODE_LABELS
            await host.create(pods, pod(f"n{number}", selector))
            running = await runs(host, f"{pods}/n{number}")
            claim = running["status"]["extendedResourceClaimStatus"]
            assert claim["requestMappings"][0]["resourceName"] == SLICE.resource
        await there_is_no_third(host, admission, pods)
        for number in range(QUOTA):
            await host.delete(f"{pods}/n{number}")
        await admission.close()


async def there_is_no_third(host: KubeApi, admission: KueueAdmission, pods: str) -> None:
    """Quota admits one more than there are devices: it is the scheduler that finds none, as with a device plugin."""
    last = f"n{THERE_ARE}"
    await host.create(pods, pod(last, await admitted(admission, last)))
    async with asyncio.timeout(20):
        while True:
            conditions = (await host.get(f"{pods}/{last}"))["status"].get("conditions") or ()
            messages = [each["message"] for each in conditions if each["type"] == "PodScheduled" and "message" in each]
            if messages:
                break
            await asyncio.sleep(0.2)
    assert "cannot allocate all claims" in messages[0], messages
    await admission.request(ask("one-more"))
    async with asyncio.timeout(20):
        while not (waiting := await admission.get("nlp", "one-more")).message:
            await asyncio.sleep(0.2)
    assert waiting.state is TicketState.QUEUED and SLICE.resource in waiting.message


async def test_a_pod_of_a_vcluster_has_it_as_well(host: KubeApi) -> None:
    """The tenant's own API server knows nothing of the DeviceClass: it is the host that schedules."""
    tenant = running_cluster().tenants["nlp"]
    inside = await connect_host(str(tenant.admin_kubeconfig))
    pods = "/api/v1/namespaces/default/pods"
    try:
        async with allowed(host, tenant.name):
            await inside.create(pods, pod("dra", NODE_LABELS))
            await runs(inside, f"{pods}/dra")
            on_host = await host.get(f"/api/v1/namespaces/{tenant.namespace}/pods/dra-x-default-x-{tenant.name}")
            (served,) = on_host["status"]["extendedResourceClaimStatus"]["requestMappings"]
            assert served["resourceName"] == SLICE.resource
    finally:
        await inside.delete(f"{pods}/dra")
        await inside.close()
