"""Runs as batch/v1 Jobs: the default engine, which needs nothing in the tenant's vCluster."""

from __future__ import annotations

from ...domain.engines import DEFAULT_ENGINE, EngineFacts
from ...domain.jobs import JobRun
from ...domain.pods import PodFact
from ..base import RunSpec
from ..in_cluster import InClusterEngine, collection
from ..objects import Object
from .translate import is_pod_of, read_run, render_job


class KubernetesJobEngine(InClusterEngine):
    """See base.Engine."""

    path = collection("batch/v1", "jobs")
    pod_label = "batch.kubernetes.io/job-name"

    @property
    def facts(self) -> EngineFacts:
        """One command on one node."""
        return EngineFacts(DEFAULT_ENGINE, "One command on one node.")

    def render_main(self, spec: RunSpec) -> Object:
        """A Job of one pod."""
        return render_job(spec, self._hub)

    def observe(self, obj: Object, pods: list[PodFact]) -> JobRun:
        """The Job's conditions, the pod's words."""
        return read_run(obj, pods)

    def is_pod(self, run_id: str, name: str) -> bool:
        """By the Job's name and what the Job controller adds to it."""
        return is_pod_of(run_id, name)
