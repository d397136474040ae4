"""Between runs and TrainJobs (trainer.kubeflow.org/v1alpha1 as of Trainer 2.2): pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterable

from ...domain.engines import Published
from ...domain.jobs import JobRun
from ...domain.pods import PodFact
from ..base import RunSpec
from ..jobset.translate import node_of_pod
from ..nodes import NODE, first_address, node_environment, read_nodes, true_conditions
from ..objects import Object, environment, labels_of, pod_spec, resources, run_name, version_of

_MANAGER = "aifactory-hub.io/job-service"
_DESCRIPTION = "trainer.kubeflow.org/description"


def render_trainjob(spec: RunSpec, hub: str) -> Object:
    """The TrainJob. The runtime says how the command is launched; image, command, devices and what guards the pod are
    ours."""
    labels = labels_of(spec, hub)
    body: Object = {
        "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime", "name": spec.template},
        "trainer": {
            "image": spec.image,
            "command": list(spec.argv),
            "env": _environment(spec),
            "numNodes": spec.nodes,
            "resourcesPerNode": resources(spec),
        },
        "runtimePatches": [_patch(spec, labels)],
    }
    if spec.deadline_seconds is not None:
        body["activeDeadlineSeconds"] = spec.deadline_seconds
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": run_name(spec.run_id), "labels": labels},
        "spec": body,
    }


def _environment(spec: RunSpec) -> list[Object]:
    """Without "PET_...": those are the runtime's, which sets them for the launcher that it knows."""
    env = [*environment(spec), *node_environment(spec, first_address(run_name(spec.run_id)))]
    return [each for each in env if not each["name"].startswith("PET_")]


def _patch(spec: RunSpec, labels: dict[str, str]) -> Object:
    """What a TrainJob may change of its runtime's pods. Not among it is whether a pod has its account's token: a
    runtime has to say automountServiceAccountToken itself."""
    pod = pod_spec(spec)
    (container,) = pod["containers"]
    patched: Object = {name: pod[name] for name in ("nodeSelector", "securityContext", "tolerations", "volumes")}
    patched["containers"] = [
        {
            "name": NODE,
            "securityContext": container["securityContext"],
            "volumeMounts": container["volumeMounts"],
        }
    ]
    job = {"spec": {"template": {"metadata": {"labels": labels}, "spec": patched}}}
    jobset = {"spec": {"replicatedJobs": [{"name": NODE, "template": job}]}}
    return {"manager": _MANAGER, "trainingRuntimeSpec": {"template": jobset}}


def read_run(trainjob: Object, pods: Iterable[PodFact]) -> JobRun:
    """What the TrainJob says of the run, and its pods of each node."""
    uid, status = trainjob["metadata"].get("uid"), trainjob.get("status") or {}
    nodes = read_nodes(pods, node_of_pod)
    conditions = true_conditions(status)
    if "Complete" in conditions:
        return nodes.succeeded(uid)
    if "Failed" in conditions:
        overdue = conditions["Failed"].get("reason") == "DeadlineExceeded"
        return nodes.failed(uid, conditions["Failed"], overdue=overdue)
    active = sum(each.get("active") or 0 for each in status.get("jobsStatus") or [])
    ready = sum(each.get("ready") or 0 for each in status.get("jobsStatus") or [])
    return nodes.running(uid, seen=active > 0 and ready > 0)


def read_runtime(engine: str, runtime: Object) -> Published:
    """A TrainingRuntime as what may be named; its parameters are the job's own fields."""
    notes = runtime["metadata"].get("annotations") or {}
    metadata = runtime["metadata"]
    return Published(engine, metadata["name"], notes.get(_DESCRIPTION), version=version_of(metadata))
