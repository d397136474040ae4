"""Between runs and JobSets (jobset.x-k8s.io/v1alpha2): pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...domain.jobs import JobRun
from ...domain.pods import PodFact
from ..base import RunSpec
from ..nodes import INDEX_ANNOTATION, NODE, first_address, node_environment, read_nodes, said_by, true_conditions
from ..objects import Object, labels_of, pod_spec, run_name

JOBSET_LABEL = "jobset.sigs.k8s.io/jobset-name"
# <JobSet>-<replicated job>-<its index>-<completion index>-<random>
_POD = re.compile(rf".*-{NODE}-0-(\d+)-[a-z0-9]{{5}}")

__all__ = ["INDEX_ANNOTATION", "JOBSET_LABEL", "node_of_pod", "read_run", "render_jobset"]


def render_jobset(spec: RunSpec, hub: str) -> Object:
    """All nodes in one Indexed Job. A node that fails ends all: the others would wait for it for ever.

    The pods' names in DNS come before they are ready, because nodes look for each other while they start.
    """
    labels = labels_of(spec, hub)
    pod = pod_spec(spec)
    pod["containers"][0]["env"] += node_environment(spec, first_address(run_name(spec.run_id)))
    job: Object = {
        "backoffLimit": 0,
        "completionMode": "Indexed",
        "completions": spec.nodes,
        "parallelism": spec.nodes,
        "podReplacementPolicy": "Failed",
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if spec.deadline_seconds is not None:
        job["activeDeadlineSeconds"] = spec.deadline_seconds
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": run_name(spec.run_id), "labels": labels},
        "spec": {
            "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
            "successPolicy": {"operator": "All", "targetReplicatedJobs": [NODE]},
            "failurePolicy": {"maxRestarts": 0},
            "replicatedJobs": [
                {"name": NODE, "replicas": 1, "template": {"metadata": {"labels": labels}, "spec": job}}
            ],
        },
    }


def read_run(jobset: Object, pods: Iterable[PodFact]) -> JobRun:
    """What the JobSet says of the run, and its pods of each node."""
    uid, status = jobset["metadata"].get("uid"), jobset.get("status") or {}
    nodes = read_nodes(pods, node_of_pod)
    conditions = true_conditions(status)
    if "Completed" in conditions:
        return nodes.succeeded(uid)
    if "Failed" in conditions:
        message = said_by(conditions["Failed"])
        overdue = "DeadlineExceeded" in message or "longer than specified deadline" in message
        return nodes.failed(uid, conditions["Failed"], overdue=overdue)
    ready = sum(each.get("ready") or 0 for each in status.get("replicatedJobsStatus") or [])
    return nodes.running(uid, seen=ready > 0)


def node_of_pod(name: str) -> int | None:
    """The number of the node that a pod is."""
    found = _POD.fullmatch(name)
    return None if found is None else int(found[1])
