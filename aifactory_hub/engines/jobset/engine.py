"""Runs as JobSets: the command on every node at once."""

from __future__ import annotations

from ...domain.engines import RUN_VERBS, EngineFacts, EngineNeeds, Rule
from ...domain.jobs import JobRun
from ...domain.pods import PodFact
from ..base import RunSpec
from ..in_cluster import InClusterEngine, collection
from ..nodes import nodes_job
from ..objects import Object, newest, run_name
from .translate import JOBSET_LABEL, node_of_pod, read_run, render_jobset

MOST_NODES = 1000


class JobSetEngine(InClusterEngine):
    """See base.Engine. JobSet's controller must run in the tenant's vCluster (docs/engines.md)."""

    path = collection("jobset.x-k8s.io/v1alpha2", "jobsets")
    pod_label = JOBSET_LABEL
    needs = EngineNeeds(rules=(Rule("jobset.x-k8s.io", ("jobsets",), RUN_VERBS),))

    @property
    def facts(self) -> EngineFacts:
        """One command, many nodes."""
        summary = "One command on several nodes at once, with the addresses that torchrun reads."
        return EngineFacts("jobset", summary, most_nodes=MOST_NODES)

    def made_for(self, run_id: str) -> list[str]:
        """The Job of the nodes."""
        return [nodes_job(run_name(run_id))]

    def speaker(self, pods: list[PodFact]) -> PodFact | None:
        """The first node's."""
        return newest(pod for pod in pods if node_of_pod(pod.name) == 0)

    def render_main(self, spec: RunSpec) -> Object:
        """A JobSet of one Indexed Job."""
        return render_jobset(spec, self._hub)

    def observe(self, obj: Object, pods: list[PodFact]) -> JobRun:
        """The JobSet's conditions, the pods' words."""
        return read_run(obj, pods)
