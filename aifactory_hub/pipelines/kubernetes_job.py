"""Runs as batch/v1 Jobs in the tenant's vCluster: created through its API, seen on the host."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from .. import constants
from ..clusters.api import ApiError, ApiUnreachable, KubeApi
from ..clusters.host_watch import HostWatch
from ..clusters.tenant_clients import TenantClients, TenantUnavailable
from ..domain.jobs import JobRun, JobState
from ..domain.names import slug
from ..domain.pods import PodFact
from ..domain.tenants import Tenant
from .base import PipelineRefused, PipelineUnavailable, RunSpec, SeenRun
from .translate import (
    Object,
    is_ours,
    pods_of,
    read_run,
    read_virtual_pod,
    render_job,
    render_secret,
    run_name,
    seen_run,
)

_JOBS = f"/apis/batch/v1/namespaces/{constants.JOBS_NAMESPACE}/jobs"
_SECRETS = f"/api/v1/namespaces/{constants.JOBS_NAMESPACE}/secrets"
_PODS = f"/api/v1/namespaces/{constants.JOBS_NAMESPACE}/pods"
# What the API server answers to an object that it will never take.
_FOR_GOOD = frozenset({400, 403, 422})


class KubernetesJobPipeline:
    """See base.Pipeline. Holds no state of its own: what exists is asked, never remembered."""

    def __init__(self, clients: TenantClients, watch: HostWatch, tenants: Mapping[str, Tenant], hub: str) -> None:
        self._clients = clients
        self._watch = watch
        self._tenants = tenants
        self._hub = hub

    def render(self, spec: RunSpec) -> list[Object]:
        """A Secret and a Job."""
        return [render_secret(spec, self._hub), render_job(spec, self._hub)]

    async def create(self, spec: RunSpec) -> JobRun:
        """The Secret first, because a pod without it would wait for it; each step meets what an earlier try left."""
        async with self._api(spec.tenant) as api:
            secret, body = self.render(spec)
            await self._create(api, _SECRETS, secret, spec.run_id)
            job = await self._create(api, _JOBS, body, spec.run_id)
        return read_run(job, self._host_pods(spec.tenant, spec.run_id))

    async def get(self, tenant: str, run_id: str) -> JobRun:
        """The Job from the tenant's API, its pod from the host; at a bad end also the tenant's view of the pod."""
        async with self._api(tenant) as api:
            job = await _find(api, f"{_JOBS}/{run_name(run_id)}")
            if job is None or not is_ours(job, run_id, self._hub):
                return JobRun(exists=False)
            run = read_run(job, self._host_pods(tenant, run_id))
            if run.state is JobState.FAILED and run.exit_code is None:
                run = read_run(job, await self._virtual_pods(api, run_id))
            return run

    async def runs(self, tenant: str) -> list[SeenRun]:
        """The Jobs that carry this hub's labels."""
        selector = f"{constants.LABEL_HUB}={slug(self._hub)},{constants.LABEL_OWNER_KIND}=job"
        async with self._api(tenant) as api:
            answer = await api.get(_JOBS, {"labelSelector": selector})
        now = datetime.now(UTC)
        return [seen_run(job, now) for job in answer["items"]]

    async def logs(self, tenant: str, run_id: str, *, limit_bytes: int) -> str:
        """The end of what the pod's container printed, from the kubelet through the tenant's API."""
        async with self._api(tenant) as api:
            pods = await self._virtual_pods(api, run_id)
            if not pods:
                return ""
            newest = max(pods, key=lambda pod: pod.started_at or "")
            try:
                # limitBytes alone would give the beginning; a line is rarely longer than this many bytes.
                lines = max(1, limit_bytes // 64)
                text = await api.text(f"{_PODS}/{newest.name}/log", {"container": "job", "tailLines": lines})
            except ApiError as error:
                if error.status in (400, 404):
                    return ""  # no container yet, or no pod any more
                raise
        return text.encode()[-limit_bytes:].decode(errors="ignore")

    async def delete(self, tenant: str, run_id: str) -> None:
        """The Job and, in the background, its pods; then the Secret. Only what is ours."""
        async with self._api(tenant) as api:
            for path in (f"{_JOBS}/{run_name(run_id)}", f"{_SECRETS}/{run_name(run_id)}"):
                found = await _find(api, path)
                if found is not None and is_ours(found, run_id, self._hub):
                    await api.delete(path, propagation="Background", uid=found["metadata"]["uid"])

    async def pods_gone(self, tenant: str, run_id: str) -> bool:
        """Both must say so: the tenant's API, which may still hold a pod that was never synced, and the host."""
        if self._watch.stale:
            return False
        async with self._api(tenant) as api:
            if await self._virtual_pods(api, run_id):
                return False
        return not self._host_pods(tenant, run_id)

    async def close(self) -> None:
        """Nothing to do: clients and watch belong to who made them."""

    async def _create(self, api: KubeApi, path: str, body: Object, run_id: str) -> Object:
        try:
            return await api.create(path, body)
        except ApiError as error:
            if error.status != 409:
                if error.status in _FOR_GOOD:
                    raise PipelineRefused(f"The team's vCluster refused the job: {error.message}") from error
                raise
        name = body["metadata"]["name"]
        found = await _find(api, f"{path}/{name}")
        if found is None:
            raise PipelineUnavailable(f"{body['kind']} {name} is going away; creating it again in a moment")
        if not is_ours(found, run_id, self._hub):
            raise PipelineRefused(f"The team's vCluster has a {body['kind']} {name} already that is not ours.")
        return found

    def _host_pods(self, tenant: str, run_id: str) -> list[PodFact]:
        return pods_of(run_id, self._watch.pods(self._tenants[tenant].vcluster))

    async def _virtual_pods(self, api: KubeApi, run_id: str) -> list[PodFact]:
        answer = await api.get(_PODS, {"labelSelector": f"batch.kubernetes.io/job-name={run_name(run_id)}"})
        return [read_virtual_pod(pod) for pod in answer["items"]]

    @asynccontextmanager
    async def _api(self, tenant: str) -> AsyncIterator[KubeApi]:
        """The tenant's API; whatever it fails with inside the block becomes PipelineUnavailable."""
        try:
            yield await self._clients.api(tenant)
        except (TenantUnavailable, ApiUnreachable) as error:
            raise PipelineUnavailable(str(error)) from error
        except ApiError as error:
            message = f"the vCluster of team {tenant} answered {error.status}: {error.message}"
            raise PipelineUnavailable(message) from error


async def _find(api: KubeApi, path: str) -> Object | None:
    try:
        return await api.get(path)
    except ApiError as error:
        if error.status == 404:
            return None
        raise
