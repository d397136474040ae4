"""What all engines on a cluster share: objects created through the tenant's API, pods seen on the host."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from ..clusters.api import KubeApi
from ..domain.engines import EngineFacts, EngineNeeds, Published
from ..domain.jobs import JobRun, JobState
from ..domain.pods import PodFact
from .base import RunSpec, Site
from .cluster_objects import NAMESPACE, SECRETS, ClusterObjects, collection, find
from .objects import POD_GONE, Object, gone_for_good, is_ours, render_secret, run_name

__all__ = ["NAMESPACE", "InClusterEngine", "collection"]


class InClusterEngine(ClusterObjects):
    """See base.Engine. An engine is its ``path``, ``render_main`` and ``observe``; the rest is here."""

    # What it needs in a team's vCluster beside what every engine has.
    needs = EngineNeeds()

    def __init__(self, site: Site) -> None:
        super().__init__(site, f"engine {self.facts.name}")

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

    def render(self, spec: RunSpec) -> list[Object]:
        """A Secret and the run's object."""
        return [render_secret(spec, self._hub), self.render_main(spec)]

    async def create(self, spec: RunSpec) -> JobRun:
        """The Secret first, because a pod without it would wait for it; each step meets what an earlier try left."""
        async with self._api(spec.tenant) as api:
            *before, main = self.render(spec)
            for secret in before:
                await self._create(api, SECRETS, secret, spec.run_id)
            made = await self._create(api, self.path, main, spec.run_id)
            return self.observe(made, self._host_pods(spec.tenant, spec.run_id))

    async def get(self, tenant: str, run_id: str) -> JobRun:
        """The run from the tenant's API, its pods from the host; where that is silent, what the tenant's API tells:
        how a pod ended, or why the host has none."""
        async with self._api(tenant) as api:
            found = await find(api, f"{self.path}/{run_name(run_id)}")
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

    async def published(self, tenant: str) -> list[Published]:
        """Nothing, for most engines."""
        return []

    async def _lost(self, api: KubeApi, run_id: str) -> bool:
        """Whether the host has no pod of the run any more though its object waits for one to end."""
        if self._watch.stale:
            return False
        return gone_for_good(await self._virtual_pods(api, run_id), datetime.now(UTC))

    def _not_there(self) -> str:
        kind = self.path.rpartition("/")[2]
        return f"The team's vCluster does not know {kind}: what engine {self.facts.name} needs is not installed there."
