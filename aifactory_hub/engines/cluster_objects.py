"""What all objects of runs on a cluster share: made through the tenant's API, their pods seen on the host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from .. import constants
from ..clusters.api import KubeApi
from ..clusters.errors import ApiError, ApiUnreachable
from ..clusters.tenant_clients import TenantUnavailable
from ..clusters.tenant_objects import AnyObject, EventObject, RunObject, VirtualPod
from ..domain.blocked_pods import StartEvent, Wait, read_events, wait_of_events
from ..domain.names import slug
from ..domain.pods import PodFact
from .base import EngineRefused, EngineUnavailable, SeenRun, Site
from .objects import CONTAINER, Object, is_ours, newest, read_virtual_pod, run_name, seen_run

NAMESPACE = constants.JOBS_NAMESPACE
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"
# Pods of one run that are read: a run has as many as nodes, each once or twice. Pods whose events are read.
_MOST_PODS = 2100
_MOST_EXPLAINED = 5
_MOST_EVENTS = 200
# What the API server answers to an object that it will never take.
FOR_GOOD = frozenset({400, 403, 422})
_WORDS = {constants.KIND_JOB: "job", constants.KIND_DEPLOYMENT: "release"}


def collection(group: str, plural: str) -> str:
    """The path of a kind's objects in the namespace of jobs."""
    return f"/apis/{group}/namespaces/{NAMESPACE}/{plural}"


class ClusterObjects:
    """Objects of runs of one ``kind``: whoever makes them says their ``path`` and how their pods are known.

    Holds no state of its own: what exists is asked, never remembered.
    """

    # The collection of the object that is the run.
    path: str
    # Where that has the name of the run as a label of its pods; "" to go by the pods' names alone.
    pod_label: str
    # What runs the command in a pod.
    container = CONTAINER
    # What its runs are of.
    kind = constants.KIND_JOB

    def __init__(self, site: Site, what: str) -> None:
        """Raises ValueError where there is no cluster; ``what`` then says for what."""
        if site.clients is None or site.watch is None:
            raise ValueError(f"{what} needs a cluster")
        self._site = site
        self._clients = site.clients
        self._watch = site.watch
        self._hub = site.hub

    def is_pod(self, run_id: str, name: str) -> bool:
        """Whether a pod of this name is the run's. Ids hold no "-", so no run's name begins another's."""
        return name.startswith(f"{run_name(run_id, self.kind)}-")

    def speaker(self, pods: list[PodFact]) -> PodFact | None:
        """The pod whose output is the run's: the newest."""
        return newest(pods)

    async def runs(self, tenant: str) -> list[SeenRun]:
        """The objects that carry this hub's labels."""
        selector = f"{constants.LABEL_HUB}={slug(self._hub)},{constants.LABEL_OWNER_KIND}={self.kind}"
        async with self._api(tenant) as api:
            found = await self._list(api, self.path, AnyObject, labelSelector=selector)
        now = datetime.now(UTC)
        return [seen_run(item, now) for item in found]

    async def logs(self, tenant: str, run_id: str, *, limit_bytes: int) -> str:
        """The end of what the pod's container printed, from the kubelet through the tenant's API."""
        async with self._api(tenant) as api:
            pod = self.speaker(await self._read_pods(api, run_id))
            return "" if pod is None else await self._log_of(api, pod.name, self.container, limit_bytes)

    async def delete(self, tenant: str, run_id: str) -> None:
        """The run and, in the background, its pods; then the Secret. Only what is ours."""
        async with self._api(tenant) as api:
            for path in (f"{self.path}/{run_name(run_id, self.kind)}", f"{SECRETS}/{run_name(run_id, self.kind)}"):
                found = await find(api, path, AnyObject)
                if found is not None and is_ours(found, run_id, self._hub, self.kind):
                    await api.delete(path, propagation="Background", uid=found["metadata"].get("uid"))

    async def pods_gone(self, tenant: str, run_id: str) -> bool:
        """Both must say so: the tenant's API, which may still hold a pod that was never synced, and the host."""
        if self._watch.stale:
            return False
        async with self._api(tenant) as api:
            if await self._virtual_pods(api, run_id, most=1):
                return False
        return not self._host_pods(tenant, run_id)

    async def close(self) -> None:
        """Nothing to do: clients and watch belong to who made them."""

    async def _create(self, api: KubeApi, path: str, body: Object, run_id: str) -> Object:
        try:
            return await api.create_object(path, body, RunObject)
        except ApiError as error:
            if error.status != 409:
                if error.status in FOR_GOOD:
                    raise EngineRefused(
                        f"The team's vCluster refused the {_WORDS[self.kind]}: {error.message}"
                    ) from error
                if error.status == 404:
                    raise EngineRefused(self._not_there()) from error
                raise
        name = body["metadata"]["name"]
        found = await find(api, f"{path}/{name}")
        if found is None:
            raise EngineUnavailable(f"{body['kind']} {name} is going away; creating it again in a moment")
        if not is_ours(found, run_id, self._hub, self.kind):
            raise EngineRefused(f"The team's vCluster has a {body['kind']} {name} already that is not ours.")
        return found

    def _not_there(self) -> str:
        kind = self.path.rpartition("/")[2]
        return f"The team's vCluster does not know {kind}: what that needs is not installed there."

    async def _unseen(self, api: KubeApi, run_id: str) -> Wait:
        """Why the host has no pod of the run."""
        made = [run_name(run_id, self.kind), *self.made_for(run_id)]
        pods = [pod["metadata"]["name"] for pod in await self._virtual_pods(api, run_id, most=_MOST_EXPLAINED)]
        told = [event for name in (*made, *pods) for event in await self._events_of(api, name)]
        return wait_of_events(told)

    def made_for(self, run_id: str) -> list[str]:
        """Names of objects that the engine's controller makes for a run, beside its pods: their events tell, too."""
        return []

    async def _events_of(self, api: KubeApi, name: str) -> list[StartEvent]:
        """The events of the object of this name, oldest first."""
        params = {"fieldSelector": f"involvedObject.name={name}"}
        return read_events(await api.list(_EVENTS, EventObject, params, most=_MOST_EVENTS), name)

    async def _list(self, api: KubeApi, path: str, shape: type[AnyObject], **params: str) -> list[Object]:
        """Objects of a kind, as many as are read of one; none where the kind is not known."""
        try:
            return await api.list(path, shape, params)
        except ApiError as error:
            if error.status == 404:
                return []
            raise

    async def _log_of(self, api: KubeApi, pod: str, container: str, limit_bytes: int) -> str:
        try:
            # limitBytes alone would give the beginning; a line is rarely longer than this many bytes.
            lines = max(1, limit_bytes // 64)
            params: dict[str, str | int] = {"container": container, "tailLines": lines}
            return await api.end_of_text(f"{_PODS}/{pod}/log", params, keep=limit_bytes)
        except ApiError as error:
            if error.status in (400, 404):
                return ""  # no container yet, or no pod any more
            raise

    def _host_pods(self, tenant: str, run_id: str) -> list[PodFact]:
        """By name: it carries the run's, while labels on the host may be rewritten."""
        pods = self._watch.pods(self._site.tenants[tenant].vcluster)
        return [pod for pod in pods if pod.namespace == NAMESPACE and self.is_pod(run_id, pod.name)]

    async def _virtual_pods(self, api: KubeApi, run_id: str, *, most: int = _MOST_PODS) -> list[Object]:
        """The run's pods as the tenant's API shows them."""
        params = {"labelSelector": f"{self.pod_label}={run_name(run_id, self.kind)}"}
        return await api.list(_PODS, VirtualPod, params, most=most)

    async def _read_pods(self, api: KubeApi, run_id: str) -> list[PodFact]:
        return [read_virtual_pod(pod) for pod in await self._virtual_pods(api, run_id)]

    @asynccontextmanager
    async def _api(self, tenant: str) -> AsyncIterator[KubeApi]:
        """The tenant's API; whatever it fails with inside the block becomes EngineUnavailable."""
        try:
            yield await self._clients.api(tenant)
        except (TenantUnavailable, ApiUnreachable) as error:
            raise EngineUnavailable(str(error)) from error
        except ApiError as error:
            message = f"the vCluster of team {tenant} answered {error.status}: {error.message}"
            raise EngineUnavailable(message) from error


async def find(api: KubeApi, path: str, shape: type[AnyObject] = RunObject) -> Object | None:
    try:
        return await api.object(path, shape)
    except ApiError as error:
        if error.status == 404:
            return None
        raise
