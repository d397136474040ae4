"""What all engines on a cluster share: objects created through the tenant's API, pods seen on the host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from .. import constants
from ..clusters.api import KubeApi
from ..clusters.errors import ApiError, ApiUnreachable
from ..clusters.tenant_clients import TenantUnavailable
from ..clusters.tenant_objects import AnyObject, EventObject, RunObject, VirtualPod
from ..domain.blocked_pods import StartEvent, Wait, read_events, wait_of_events
from ..domain.engines import EngineFacts, EngineNeeds, Published
from ..domain.jobs import JobRun, JobState
from ..domain.names import slug
from ..domain.pods import PodFact
from .base import EngineRefused, EngineUnavailable, RunSpec, SeenRun, Site
from .objects import (
    CONTAINER,
    POD_GONE,
    Object,
    gone_for_good,
    is_ours,
    newest,
    read_virtual_pod,
    render_secret,
    run_name,
    seen_run,
)

NAMESPACE = constants.JOBS_NAMESPACE
_SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"
# Pods of one run that are read: a run has as many as nodes, each once or twice. Pods whose events are read.
_MOST_PODS = 2100
_MOST_EXPLAINED = 5
_MOST_EVENTS = 200
# What the API server answers to an object that it will never take.
_FOR_GOOD = frozenset({400, 403, 422})


def collection(group: str, plural: str) -> str:
    """The path of a kind's objects in the namespace of jobs."""
    return f"/apis/{group}/namespaces/{NAMESPACE}/{plural}"


class InClusterEngine:
    """See base.Engine. An engine is its ``path``, ``render_main`` and ``observe``; the rest is here.

    Holds no state of its own: what exists is asked, never remembered.
    """

    # The collection of the object that is the run.
    path: str
    # Where that has the name of the run as a label of its pods; "" to go by the pods' names alone.
    pod_label: str
    # What runs the command in a pod.
    container = CONTAINER
    # What it needs in a team's vCluster beside what every engine has.
    needs = EngineNeeds()

    def __init__(self, site: Site) -> None:
        if site.clients is None or site.watch is None:
            raise ValueError(f"engine {self.facts.name} needs a cluster")
        self._site = site
        self._clients = site.clients
        self._watch = site.watch
        self._hub = site.hub

    @property
    def facts(self) -> EngineFacts:
        """See base.Engine."""
        raise NotImplementedError

    def render_main(self, spec: RunSpec) -> Object:
        """The object that is the run. Pure."""
        raise NotImplementedError

    def observe(self, obj: Object, pods: list[PodFact]) -> JobRun:
        """What the object and the run's pods say. Pure."""
        raise NotImplementedError

    def is_pod(self, run_id: str, name: str) -> bool:
        """Whether a pod of this name is the run's. Ids hold no "-", so no run's name begins another's."""
        return name.startswith(f"{run_name(run_id)}-")

    def speaker(self, pods: list[PodFact]) -> PodFact | None:
        """The pod whose output is the run's: the newest."""
        return newest(pods)

    def render(self, spec: RunSpec) -> list[Object]:
        """A Secret and the run's object."""
        return [render_secret(spec, self._hub), self.render_main(spec)]

    async def create(self, spec: RunSpec) -> JobRun:
        """The Secret first, because a pod without it would wait for it; each step meets what an earlier try left."""
        async with self._api(spec.tenant) as api:
            *before, main = self.render(spec)
            for secret in before:
                await self._create(api, _SECRETS, secret, spec.run_id)
            made = await self._create(api, self.path, main, spec.run_id)
            return self.observe(made, self._host_pods(spec.tenant, spec.run_id))

    async def get(self, tenant: str, run_id: str) -> JobRun:
        """The run from the tenant's API, its pods from the host; where that is silent, what the tenant's API tells:
        how a pod ended, or why the host has none."""
        async with self._api(tenant) as api:
            found = await _find(api, f"{self.path}/{run_name(run_id)}")
            if found is None or not is_ours(found, run_id, self._hub):
                return JobRun(exists=False)
            pods = self._host_pods(tenant, run_id)
            nodes = tuple(sorted({pod.node for pod in pods if pod.node is not None}))
            run = replace(self.observe(found, pods), nodes=nodes)
            if run.state is JobState.FAILED and run.exit_code is None:
                return replace(self.observe(found, await self._read_pods(api, run_id)), nodes=nodes)
            if not run.state.final and not pods and await self._lost(api, run_id):
                return replace(run, state=JobState.FAILED, reason=POD_GONE)
            if run.state is JobState.PENDING and run.reason is None and not pods:
                wait = await self._unseen(api, run_id)
                return replace(run, reason=wait.reason, blocked=wait.blocked)
            return run

    async def runs(self, tenant: str) -> list[SeenRun]:
        """The objects that carry this hub's labels."""
        selector = f"{constants.LABEL_HUB}={slug(self._hub)},{constants.LABEL_OWNER_KIND}=job"
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
            for path in (f"{self.path}/{run_name(run_id)}", f"{_SECRETS}/{run_name(run_id)}"):
                found = await _find(api, path, AnyObject)
                if found is not None and is_ours(found, run_id, self._hub):
                    await api.delete(path, propagation="Background", uid=found["metadata"].get("uid"))

    async def pods_gone(self, tenant: str, run_id: str) -> bool:
        """Both must say so: the tenant's API, which may still hold a pod that was never synced, and the host."""
        if self._watch.stale:
            return False
        async with self._api(tenant) as api:
            if await self._virtual_pods(api, run_id, most=1):
                return False
        return not self._host_pods(tenant, run_id)

    async def published(self, tenant: str) -> list[Published]:
        """Nothing, for most engines."""
        return []

    async def close(self) -> None:
        """Nothing to do: clients and watch belong to who made them."""

    async def _create(self, api: KubeApi, path: str, body: Object, run_id: str) -> Object:
        try:
            return await api.create_object(path, body, RunObject)
        except ApiError as error:
            if error.status != 409:
                if error.status in _FOR_GOOD:
                    raise EngineRefused(f"The team's vCluster refused the job: {error.message}") from error
                if error.status == 404:
                    raise EngineRefused(self._not_there()) from error
                raise
        name = body["metadata"]["name"]
        found = await _find(api, f"{path}/{name}")
        if found is None:
            raise EngineUnavailable(f"{body['kind']} {name} is going away; creating it again in a moment")
        if not is_ours(found, run_id, self._hub):
            raise EngineRefused(f"The team's vCluster has a {body['kind']} {name} already that is not ours.")
        return found

    def _not_there(self) -> str:
        kind = self.path.rpartition("/")[2]
        return f"The team's vCluster does not know {kind}: what engine {self.facts.name} needs is not installed there."

    async def _unseen(self, api: KubeApi, run_id: str) -> Wait:
        """Why the host has no pod of the run."""
        made = [run_name(run_id), *self.made_for(run_id)]
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

    async def _lost(self, api: KubeApi, run_id: str) -> bool:
        """Whether the host has no pod of the run any more though its object waits for one to end."""
        if self._watch.stale:
            return False
        return gone_for_good(await self._virtual_pods(api, run_id), datetime.now(UTC))

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
        params = {"labelSelector": f"{self.pod_label}={run_name(run_id)}"}
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


async def _find(api: KubeApi, path: str, shape: type[AnyObject] = RunObject) -> Object | None:
    try:
        return await api.object(path, shape)
    except ApiError as error:
        if error.status == 404:
            return None
        raise
