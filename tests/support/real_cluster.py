"""What tests marked ``cluster`` need: the running test cluster, and Kueue queues of a test's own on it."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from aifactory_hub.clusters import ApiError, ApiUnreachable, KubeApi, connect_host
from aifactory_hub.domain.borrowing import Reclaim
from aifactory_hub.domain.tenants import Tenant, VCluster
from aifactory_hub.registry.render import tenant_queues

from ..cluster.access import Access, access
from ..cluster.console import ClusterError
from .kube_objects import Json

KUEUE = "/apis/kueue.x-k8s.io/v1beta2"
API = ("127.0.0.1", 6443)
# In the environment of tests that run while Kueue shares fairly.
FAIR = "AIFACTORY_TEST_FAIR_SHARING"


def running_cluster() -> Access:
    """The test cluster; skips the test when none can be reached, and fails it in CI, where one must be."""
    try:
        cluster = access()
        with socket.create_connection(API, timeout=2):
            return cluster
    except ClusterError as error:
        reason = str(error)
    except OSError:
        reason = "run inside its network: python3 -m tests.cluster exec -- python -m pytest -m cluster"
    if os.environ.get("CI"):
        pytest.fail(f"CI needs the test cluster: {reason}")
    pytest.skip(f"needs the test cluster: {reason}")


@asynccontextmanager
async def as_admin() -> AsyncIterator[KubeApi]:
    """The host's API with all rights: for what a test sets up, never for what it tests."""
    api = await connect_host(str(running_cluster().admin_kubeconfig))
    try:
        yield api
    finally:
        await api.close()


@asynccontextmanager
async def as_hub() -> AsyncIterator[KubeApi]:
    """The host's API with the hub's own rights."""
    api = await connect_host(str(running_cluster().hub_kubeconfig))
    try:
        yield api
    finally:
        await api.close()


@asynccontextmanager
async def own_queues(
    admin: KubeApi, tenants: Mapping[str, Tenant], reclaim: Reclaim = Reclaim.ANY, *, fair_sharing: bool = False
) -> AsyncIterator[dict[str, Tenant]]:
    """The tenants with namespaces, queues and a cohort of this test's own, removed at the end.

    Several tests and a hub can so share one cluster: no quota of theirs meets. ``fair_sharing``, or the environment,
    says that Kueue shares fairly (kueue.py).
    """
    fair = fair_sharing or FAIR in os.environ
    cohort = f"test-{secrets.token_hex(4)}"
    made: list[str] = []
    try:
        await _make(admin, f"{KUEUE}/cohorts", _object("Cohort", cohort), made)
        moved = {}
        for tenant in tenants.values():
            namespace = f"{cohort}-{tenant.name}"
            there = replace(tenant, vcluster=VCluster(namespace, tenant.name))
            await _make_tenant(admin, there, cohort, reclaim, fair, made)
            moved[tenant.name] = there
        yield moved
    finally:
        for path in reversed(made):
            await admin.delete(path)


async def _make_tenant(
    admin: KubeApi, tenant: Tenant, cohort: str, reclaim: Reclaim, fair: bool, made: list[str]
) -> None:
    namespace = tenant.vcluster.namespace
    labels = {"aifactory-hub.io/tickets": "true"}
    await _make(admin, "/api/v1/namespaces", {"metadata": {"name": namespace, "labels": labels}}, made)
    for manifest in tenant_queues(tenant, namespace, cohort, tenant.quota.devices, reclaim, fair_sharing=fair):
        collection = f"{manifest['kind'].lower()}s"
        local = f"/namespaces/{namespace}" if manifest["kind"] == "LocalQueue" else ""
        await _make(admin, f"{KUEUE}{local}/{collection}", manifest, made)


def _object(kind: str, name: str) -> Json:
    return {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": kind, "metadata": {"name": name}, "spec": {}}


async def _make(admin: KubeApi, collection: str, body: Json, made: list[str]) -> None:
    made.append(f"{collection}/{body['metadata']['name']}")
    async with asyncio.timeout(30):
        while True:
            try:
                await admin.create(collection, body)
                return
            except ApiUnreachable:
                await asyncio.sleep(0.5)
            except ApiError as error:
                if error.status != 409:
                    raise
                return
