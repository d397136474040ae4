"""What the objects of all engines on a cluster have in common: names, labels, the pod and its Secret. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from .. import constants
from ..domain.names import slug
from ..domain.pods import PodFact
from .base import RunSpec, SeenRun

Object = dict[str, Any]

CONTAINER = "job"
# What the names of a run's objects begin with, by what it is of.
_NAMES = {constants.KIND_JOB: "job", constants.KIND_DEPLOYMENT: "release"}
# The reason of a run that ran longer than it may.
OVERDUE = "it ran longer than jobs may (DeadlineExceeded)"

_USER_ID = 1000
_SECRETS_FOLDER = "/var/run/aifactory"
_WORK_FOLDER = "/aifactory"
POD_SECURITY_CONTEXT: Mapping[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": _USER_ID,
    "runAsGroup": _USER_ID,
    "fsGroup": _USER_ID,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY_CONTEXT: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
# How long after its end the tenant's API may still show a pod that the host has no more.
_REMEMBERED = timedelta(seconds=30)
# Of a pod that ended without an exit code: what its Job says then is about retries, of which it has none.
POD_GONE = "its pod was removed while it ran: somebody deleted it, or its node was lost or drained"
# Time for the runner to stop the command and to bring its log and files home, in seconds.
_GRACE = 45
# Where programs put files that they don't name a folder for: its size counts as the container's own.
_TEMPORARY_FOLDER = "/tmp"  # noqa: S108 - in the container
# What processes of one pod share. PyTorch's loaders need more than the 64 MiB that a container has without it.
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - in the container


def run_name(run_id: str, kind: str = constants.KIND_JOB) -> str:
    """The name of the run's objects: derived from the id, so that creating twice meets the first."""
    return f"{_NAMES[kind]}-{slug(run_id)}"


def version_of(metadata: Mapping[str, Any]) -> str | None:
    """Another text once the object's spec changes, or the object is made anew; None where the API does not say it."""
    uid, generation = metadata.get("uid"), metadata.get("generation")
    return None if uid is None or generation is None else f"{uid}/{generation}"


def render_secret(spec: RunSpec, hub: str) -> Object:
    """The Secret with the run's secret files."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": run_name(spec.run_id, spec.kind), "labels": labels_of(spec, hub)},
        "type": "Opaque",
        "immutable": True,
        "data": {name: _base64(text) for name, text in sorted(spec.secret_files.items())},
    }


def is_ours(obj: Object, run_id: str, hub: str, kind: str = constants.KIND_JOB) -> bool:
    """Whether this hub made the object for this run."""
    labels = obj.get("metadata", {}).get("labels") or {}
    return (
        labels.get(constants.LABEL_HUB) == slug(hub)
        and labels.get(constants.LABEL_OWNER_KIND) == kind
        and labels.get(constants.LABEL_OWNER) == slug(run_id)
    )


def seen_run(job: Object, now: datetime) -> SeenRun:
    """A Job of ours as one of many."""
    metadata = job["metadata"]
    created = metadata.get("creationTimestamp")
    age = 0.0 if created is None else (now - datetime.fromisoformat(created)).total_seconds()
    return SeenRun((metadata.get("labels") or {}).get(constants.LABEL_OWNER, ""), age)


def read_virtual_pod(pod: Object) -> PodFact:
    """A pod as the tenant's API shows it: for the moment when the host's watch has not told of its end yet."""
    metadata, status = pod["metadata"], pod.get("status", {})
    containers = status.get("containerStatuses") or [{}]
    state = containers[0].get("state") or {}
    ended, waiting = state.get("terminated") or {}, state.get("waiting") or {}
    return PodFact(
        host_namespace="",
        vcluster="",
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        host_name="",
        phase=status.get("phase", "Pending"),
        exit_code=ended.get("exitCode"),
        reason=ended.get("reason") or status.get("reason"),
        message=ended.get("message") or status.get("message"),
        waiting=waiting.get("reason"),
        waiting_message=waiting.get("message"),
        started_at=status.get("startTime"),
    )


def labels_of(spec: RunSpec, hub: str) -> dict[str, str]:
    """What marks an object as ours, and whose it is."""
    return {
        **spec.labels,
        constants.LABEL_HUB: slug(hub),
        constants.LABEL_TENANT: slug(spec.tenant),
        constants.LABEL_OWNER_KIND: spec.kind,
        constants.LABEL_OWNER: slug(spec.run_id),
    }


def pod_spec(spec: RunSpec) -> Object:
    """The pod of one node: Pod Security "restricted", no account, nothing to write to but its own folders."""
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        # The environment of a job is what it was given, not what else runs in its namespace.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE,
        "nodeSelector": dict(spec.node_selector),
        "tolerations": tolerations(spec),
        "securityContext": dict(POD_SECURITY_CONTEXT),
        "containers": [container(spec)],
        "volumes": volumes(spec),
    }


def container(spec: RunSpec) -> Object:
    """The one container. Its name is the same in every engine: logs are asked by it."""
    return {
        "name": CONTAINER,
        "image": spec.image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(spec.argv),
        "workingDir": _WORK_FOLDER,
        "env": environment(spec),
        "resources": resources(spec),
        "securityContext": dict(CONTAINER_SECURITY_CONTEXT),
        "volumeMounts": [
            {"name": "work", "mountPath": _WORK_FOLDER},
            {"name": "temporary", "mountPath": _TEMPORARY_FOLDER},
            {"name": "shared-memory", "mountPath": _SHARED_MEMORY},
            {"name": "secrets", "mountPath": _SECRETS_FOLDER, "readOnly": True},
        ],
    }


def environment(spec: RunSpec) -> list[Object]:
    """As Kubernetes wants it, in the order of names."""
    values = {
        **spec.environment,
        "AIFACTORY_SECRETS": _SECRETS_FOLDER,
        "AIFACTORY_WORK": _WORK_FOLDER,
        "HOME": f"{_WORK_FOLDER}/home",
    }
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def resources(spec: RunSpec) -> Object:
    """Of one node."""
    return {"requests": spec.requests.kubernetes(), "limits": spec.limits.kubernetes()}


def tolerations(spec: RunSpec) -> list[Object]:
    """Of these taints, whatever their value and effect."""
    return [{"key": key, "operator": "Exists"} for key in spec.tolerations]


def volumes(spec: RunSpec) -> list[Object]:
    """What is written goes with the pod."""
    return [
        {"name": "work", "emptyDir": {}},
        {"name": "temporary", "emptyDir": {}},
        # As large as the job's own limit, whichever of the pod's containers writes: it counts as memory.
        {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": spec.limits.kubernetes()["memory"]}},
        {"name": "secrets", "secret": {"secretName": run_name(spec.run_id, spec.kind), "defaultMode": 0o440}},
    ]


def gone_for_good(pods: Iterable[Object], now: datetime) -> bool:
    """Whether these pods of the tenant's API, of which the host has none, are only a memory: their time to end is long
    past. A control plane that restarts just when a pod ends can leave it so, unfinished for ever."""
    ends = [pod["metadata"].get("deletionTimestamp") for pod in pods]
    return bool(ends) and all(end is not None and now - datetime.fromisoformat(end) > _REMEMBERED for end in ends)


def newest(pods: Iterable[PodFact]) -> PodFact | None:
    """The pod that started last."""
    return max(pods, key=lambda pod: pod.started_at or "", default=None)


def why_failed(pod: PodFact | None, *, otherwise: str | None) -> str:
    """Why a run failed, in its pod's words if it has some; ``otherwise`` what its engine says."""
    if pod is None or (pod.exit_code is None and pod.reason is None):
        return otherwise or "its pod failed"
    if pod.reason == "OOMKilled":
        return "it used more memory than its profile has (OOMKilled)"
    if pod.reason in (None, "Error", "Completed"):
        return f"the command ended with exit code {pod.exit_code}"
    return f"{pod.reason}: {pod.message}" if pod.message else str(pod.reason)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
