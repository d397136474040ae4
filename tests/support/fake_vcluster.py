"""Tenants' vClusters and their host in memory: what is created in one runs on the other, unless a fate is set."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from kubernetes_asyncio.client import ApiClient

from aifactory_hub.clusters import ApiError, ApiUnreachable, TenantHealth, TenantUnavailable
from aifactory_hub.clusters.decoding import decode_object
from aifactory_hub.clusters.tenant_objects import TenantObject
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.domain.tenants import Tenant, VCluster

Json = dict[str, Any]
Where = tuple[str, str, str, str]

# What can become of a pod: how it shows on the host, and the event that the virtual pod gets.
FATES: dict[str, tuple[dict[str, Any] | None, tuple[str, str] | None]] = {
    "runs": ({"phase": "Running", "ready": True, "ip": "10.1.0.7"}, ("Pulled", "image is there")),
    "refused": (None, ("SyncError", "pods is forbidden: exceeded quota: mig")),
    "unseen": (None, None),
    "no image": ({"phase": "Pending", "waiting": "ImagePullBackOff", "waiting_message": "no such image"}, None),
    "exits": ({"phase": "Running", "exit_code": 7, "message": "boom"}, None),
    "pending": ({"phase": "Pending"}, None),
}


class FakeWatch:
    """clusters.HostWatch without a host."""

    skipped = 0
    last_error = None
    age = 1.0

    def __init__(self) -> None:
        self.found: dict[Where, PodFact] = {}
        self.stale = False
        self.is_synced = True
        self._news = asyncio.Event()

    async def synced(self, timeout: float) -> bool:
        return self.is_synced

    def pod(self, vcluster: VCluster, namespace: str, name: str) -> PodFact | None:
        return self.found.get((vcluster.namespace, vcluster.name, namespace, name))

    def pods(self, vcluster: VCluster | None = None) -> list[PodFact]:
        return [p for k, p in self.found.items() if vcluster is None or k[:2] == (vcluster.namespace, vcluster.name)]

    def show(self, pod: PodFact) -> None:
        self.found[(pod.host_namespace, pod.vcluster, pod.namespace, pod.name)] = pod
        self._tell()

    def hide(self, where: Where) -> None:
        self.found.pop(where, None)
        self._tell()

    def change(self, where: Where, **facts: Any) -> None:
        self.show(self.found[where]._replace(**facts))

    async def wait_for(
        self,
        vcluster: VCluster,
        namespace: str,
        name: str,
        predicate: Callable[[PodFact | None], bool],
        timeout: float,
    ) -> PodFact | None:
        async with asyncio.timeout(timeout):
            while True:
                news, pod = self._news, self.pod(vcluster, namespace, name)
                if (pod is not None or not self.stale) and predicate(pod):
                    return pod
                await news.wait()

    async def stop(self) -> None:
        """Nothing runs."""

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


@dataclass
class FakeTenantApi:
    """clusters.KubeApi of one tenant: the calls that a spawner makes."""

    cluster: FakeCluster
    tenant: Tenant
    objects: dict[str, Json] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)

    @property
    def core_v1(self) -> Any:
        # Turning kubespawner's objects into JSON needs no connection.
        return SimpleNamespace(api_client=ApiClient.__new__(ApiClient))

    async def object(self, path: str, shape: type[TenantObject], params: Mapping[str, Any] | None = None) -> Json:
        self._answer("get", path)
        if path not in self.objects:
            raise ApiError(404, "NotFound", path)
        return decode_object(json.dumps(self.objects[path]).encode(), shape, self.tenant.name)

    async def list(
        self, path: str, shape: type[TenantObject], params: Mapping[str, Any] | None = None, *, most: int = 0
    ) -> list[Json]:
        self._answer("get", path)
        uid = str((params or {}).get("fieldSelector", "")).rpartition("uid=")[2]
        return [event for event in self.events if event["uid"] == uid]

    async def create_object(self, path: str, body: Json, shape: type[TenantObject]) -> Json:
        created = await self.create(path, body)
        return decode_object(json.dumps(created).encode(), shape, self.tenant.name)

    async def create(self, path: str, body: Json) -> Json:
        self._answer("create", f"{path}/{body['metadata']['name']}")
        where = f"{path}/{body['metadata']['name']}"
        if where in self.objects:
            raise ApiError(409, "AlreadyExists", where)
        body["metadata"]["uid"] = f"virtual-{next(self.cluster.numbers)}"
        self.objects[where] = body
        if path.endswith("/pods"):
            self.cluster.sync(self, body)
        return body

    async def delete(self, path: str, *, propagation: str = "Background", uid: str | None = None) -> None:
        self._answer("delete", path)
        gone = self.objects.pop(path, None)
        if gone is not None and "/pods/" in path and not self.cluster.stuck:
            vcluster = self.tenant.vcluster
            self.cluster.watch.hide((vcluster.namespace, vcluster.name, "notebooks", gone["metadata"]["name"]))

    def _answer(self, verb: str, path: str) -> None:
        if verb != "get":
            self.cluster.journal.append(f"{self.tenant.name}: {verb} {path.split('/notebooks/')[1]}")
        if self.tenant.name in self.cluster.broken:
            raise ApiUnreachable(f"{self.tenant.name} does not answer")


class FakeCluster:
    """All of it. ``journal`` is what was written, in order; ``down`` tenants can't be used, ``broken`` ones hang up."""

    def __init__(self, tenants: Mapping[str, Tenant]) -> None:
        self.tenants = tenants
        self.fate = "runs"
        self.stuck = False
        self.silent = False
        self.down: dict[str, str] = {}
        self.asleep: set[str] = set()
        self.broken: set[str] = set()
        self.journal: list[str] = []
        self.forgotten: list[str] = []
        self.numbers = itertools.count(1)
        self.watch = FakeWatch()
        self.apis = {name: FakeTenantApi(self, tenant) for name, tenant in tenants.items()}
        self.namespace_uids = {tenant.vcluster.namespace: f"uid-of-{name}" for name, tenant in tenants.items()}

    def sync(self, api: FakeTenantApi, body: Json) -> None:
        """What the syncer does with a new virtual pod."""
        facts, event = FATES[self.fate]
        metadata = body["metadata"]
        if event is not None:
            api.events.append({"uid": metadata["uid"], "reason": event[0], "message": event[1]})
        if facts is not None:
            self.watch.show(self.pod(api.tenant.name, metadata["name"], metadata["labels"], **facts))

    def pod(self, tenant: str, name: str, labels: Mapping[str, str], **facts: Any) -> PodFact:
        vcluster = self.tenants[tenant].vcluster
        host = f"{name}-x-notebooks-x-{vcluster.name}"
        base = PodFact(
            vcluster.namespace, vcluster.name, "notebooks", name, f"host-{name}", host, "Pending", labels=dict(labels)
        )
        return base._replace(node="node1", **facts)

    def pods_in(self, tenant: str) -> list[str]:
        return [path.rpartition("/")[2] for path in self.apis[tenant].objects if "/pods/" in path]

    def claims_in(self, tenant: str) -> list[str]:
        return [path.rpartition("/")[2] for path in self.apis[tenant].objects if "/persistentvolumeclaims/" in path]

    async def reach(self, address: str, port: int) -> bool:
        """Whether a running pod takes connections."""
        return not self.silent

    # clusters.TenantClients

    async def api(self, tenant: str) -> FakeTenantApi:
        if tenant in self.down:
            raise TenantUnavailable(tenant, self.down[tenant])
        return self.apis[tenant]

    def serve(self, tenant: Tenant) -> None:
        self.tenants = {**self.tenants, tenant.name: tenant}
        self.apis.setdefault(tenant.name, FakeTenantApi(self, tenant))

    def follow(self, tenants: Mapping[str, Tenant]) -> None:
        for tenant in tenants.values():
            self.serve(tenant)
            self.namespace_uids.setdefault(tenant.vcluster.namespace, f"uid-of-{tenant.name}")

    def forget(self, tenant: str) -> None:
        self.forgotten.append(tenant)

    def health(self, tenant: str) -> TenantHealth:
        return TenantHealth(tenant not in self.down, self.down.get(tenant), 1.0, tenant in self.asleep)

    async def check(self, tenant: str) -> TenantHealth:
        return self.health(tenant)

    # the host's KubeApi

    async def get(self, path: str) -> Json:
        return {"metadata": {"uid": self.namespace_uids[path.rpartition("/")[2]]}}

    async def close(self) -> None:
        """Nothing is open."""
