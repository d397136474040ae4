"""The clients and the host watch on the real test cluster, with the hub's own rights."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator

import pytest

from aifactory_hub import constants
from aifactory_hub.clusters import ApiError, HostWatch, KubeApi, PodChange, TenantClients
from aifactory_hub.clusters.listwatch import Source
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.domain.tenants import VCluster

from ..cluster.settings import RESTRICTED, RESTRICTED_POD
from ..support.kube_objects import Json, make_tenant
from ..support.real_cluster import as_hub, running_cluster

pytestmark = pytest.mark.cluster

TENANTS = {name: make_tenant(name) for name in ("nlp", "vision")}
PODS = f"/api/v1/namespaces/{constants.NOTEBOOKS_NAMESPACE}/pods"


@pytest.fixture
async def host() -> AsyncIterator[KubeApi]:
    async with as_hub() as api:
        yield api


@pytest.fixture
async def clients(host: KubeApi) -> AsyncIterator[TenantClients]:
    made = TenantClients(host, TENANTS, constants.NOTEBOOKS_SECRET)
    yield made
    await made.close()


def sleeper(name: str) -> Json:
    container = {
        "name": "main",
        "image": running_cluster().notebook_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "600"],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        "securityContext": RESTRICTED,
    }
    spec = {
        "containers": [container],
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": RESTRICTED_POD,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def test_the_same_pod_in_two_vclusters_is_seen_on_the_host_as_two(host: KubeApi, clients: TenantClients) -> None:
    name = f"watch-{secrets.token_hex(4)}"
    nlp, vision = TENANTS["nlp"].vcluster, TENANTS["vision"].vcluster
    watch = HostWatch(host)
    watch.start()
    try:
        assert await watch.synced(10)
        uids = {}
        for tenant in TENANTS:
            made = await (await clients.api(tenant)).create(PODS, sleeper(name))
            uids[tenant] = made["metadata"]["uid"]
        began = time.monotonic()
        for vcluster in (nlp, vision):
            pod = await running(watch, vcluster, name)
            assert pod.virtual_uid == uids[vcluster.name]
        print(f"both running on the host {time.monotonic() - began:.1f} s after the second was created")
        assert {p.ip for p in watch.pods() if p.name == name} == {
            (await running(watch, nlp, name)).ip,
            (await running(watch, vision, name)).ip,
        }
        assert watch.skipped == 0
    finally:
        for tenant in TENANTS:
            await (await clients.api(tenant)).delete(f"{PODS}/{name}")
        for vcluster in (nlp, vision):
            await watch.wait_for(vcluster, constants.NOTEBOOKS_NAMESPACE, name, lambda pod: pod is None, 30)
        await watch.stop()


async def running(watch: HostWatch, vcluster: VCluster, name: str) -> PodFact:
    pod = await watch.wait_for(
        vcluster, constants.NOTEBOOKS_NAMESPACE, name, lambda pod: pod is not None and pod.phase == "Running", 60
    )
    assert pod is not None
    return pod


async def test_a_tenants_credential_opens_its_own_namespace_and_nothing_else(clients: TenantClients) -> None:
    api = await clients.api("nlp")
    assert "items" in await api.get(PODS)
    for path in (
        "/api/v1/namespaces/jobs/pods",
        "/api/v1/namespaces/notebooks/secrets",
        "/api/v1/nodes",
        "/api/v1/pods",
    ):
        with pytest.raises(ApiError) as error:
            await api.get(path)
        assert error.value.status == 403, path


async def test_known_tenants_cost_nothing_and_are_healthy(clients: TenantClients) -> None:
    began = time.monotonic()
    await asyncio.gather(*(clients.api(tenant) for tenant in TENANTS for _ in range(20)))
    print(f"two tenants connected in {(time.monotonic() - began) * 1000:.0f} ms")
    assert all(clients.health(tenant).ok for tenant in TENANTS)


async def test_a_watch_that_resumes_hears_how_a_pod_ended_that_came_and_went_meanwhile(
    host: KubeApi, clients: TenantClients
) -> None:
    name, nlp = f"replay-{secrets.token_hex(4)}", TENANTS["nlp"].vcluster
    first = HostWatch(host)
    first.start()
    assert await first.synced(10)
    await first.stop()
    api = await clients.api("nlp")
    await api.create(PODS, sleeper(name))
    between = HostWatch(host)
    between.start()
    try:
        await between.wait_for(
            nlp, constants.NOTEBOOKS_NAMESPACE, name, lambda pod: pod is not None and pod.started_at is not None, 60
        )
        await api.delete(f"{PODS}/{name}")
        await between.wait_for(nlp, constants.NOTEBOOKS_NAMESPACE, name, lambda pod: pod is None, 60)
    finally:
        await between.stop()
    heard: list[PodChange] = []
    second = HostWatch(host)
    second.subscribe(heard.append, replays=True)
    second.start(first.position)
    try:
        async with asyncio.timeout(90):
            while second.resumed is None:
                await asyncio.sleep(0.1)
        assert second.resumed is True
        replayed = [change for change in heard if change.source is Source.REPLAY]
        ours = [state for c in replayed if (state := c.after or c.last) is not None and state.name == name]
        assert replayed and any(pod.started_at for pod in ours)
        gone = [c.last for c in replayed if c.last is not None and c.last.name == name]
        assert [pod.deleting for pod in gone] == [True]
        assert second.pod(nlp, constants.NOTEBOOKS_NAMESPACE, name) is None
    finally:
        await second.stop()
