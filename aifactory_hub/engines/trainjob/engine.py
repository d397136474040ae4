"""Runs as TrainJobs of Kubeflow Trainer."""

from __future__ import annotations

from ...clusters.tenant_objects import AnyObject
from ...domain.engines import READ_VERBS, RUN_VERBS, EngineFacts, EngineNeeds, Published, Rule
from ...domain.jobs import JobRun
from ...domain.pods import PodFact
from ..base import RunSpec
from ..in_cluster import InClusterEngine, collection
from ..jobset.engine import MOST_NODES
from ..jobset.translate import JOBSET_LABEL, node_of_pod
from ..nodes import NODE, nodes_job
from ..objects import Object, newest, run_name
from .translate import read_run, read_runtime, render_trainjob

NAME = "trainjob"
_RUNTIMES = collection("trainer.kubeflow.org/v1alpha1", "trainingruntimes")


class TrainJobEngine(InClusterEngine):
    """See base.Engine. Kubeflow Trainer and JobSet must run in the tenant's vCluster.

    Runtimes are the namespace's own TrainingRuntimes: what the whole vCluster shares (ClusterTrainingRuntime) the
    job service has no right to read.
    """

    path = collection("trainer.kubeflow.org/v1alpha1", "trainjobs")
    # Trainer makes a JobSet of the TrainJob's name.
    pod_label = JOBSET_LABEL
    container = NODE
    needs = EngineNeeds(
        rules=(
            Rule("trainer.kubeflow.org", ("trainjobs",), RUN_VERBS),
            Rule("trainer.kubeflow.org", ("trainingruntimes",), READ_VERBS),
        )
    )

    @property
    def facts(self) -> EngineFacts:
        """One command on a runtime."""
        summary = "One command on several nodes, on a training runtime that the team has published."
        return EngineFacts(NAME, summary, publishes="TrainingRuntime", most_nodes=MOST_NODES)

    def made_for(self, run_id: str) -> list[str]:
        """The Job of the nodes."""
        return [nodes_job(run_name(run_id))]

    def speaker(self, pods: list[PodFact]) -> PodFact | None:
        """The first node's."""
        return newest(pod for pod in pods if node_of_pod(pod.name) == 0)

    def render_main(self, spec: RunSpec) -> Object:
        """A TrainJob that refers to the runtime."""
        return render_trainjob(spec, self._hub)

    def observe(self, obj: Object, pods: list[PodFact]) -> JobRun:
        """The TrainJob's conditions, the pods' words."""
        return read_run(obj, pods)

    async def published(self, tenant: str) -> list[Published]:
        """The TrainingRuntimes in the namespace of jobs; none where Trainer is not installed."""
        async with self._api(tenant) as api:
            found = await self._list(api, _RUNTIMES, AnyObject)
        return sorted((read_runtime(NAME, item) for item in found), key=lambda each: each.name)
