"""Between our values and the objects of one engine, batch/v1 Jobs: pure, no I/O."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from .. import constants
from ..domain.jobs import JobRun, JobState
from ..domain.names import slug
from ..domain.pods import PodFact
from .base import RunSpec, SeenRun

Object = dict[str, Any]

_USER_ID = 1000
_SECRETS_FOLDER = "/var/run/aifactory"
_WORK_FOLDER = "/aifactory"
# Time for the runner to stop the command and to bring its log and files home, in seconds.
_GRACE = 45
# The Job controller names a pod after its Job, with five characters of the API server's.
_POD_SUFFIX = re.compile(r"-[a-z0-9]{5}")
_NORMAL_WAITING = frozenset({"ContainerCreating", "PodInitializing"})


def run_name(run_id: str) -> str:
    """The name of the run's Job and Secret: derived from the id, so that creating twice meets the first."""
    return f"job-{slug(run_id)}"


def render_secret(spec: RunSpec, hub: str) -> Object:
    """The Secret with the run's secret files."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": run_name(spec.run_id), "labels": _labels(spec, hub)},
        "type": "Opaque",
        "immutable": True,
        "data": {name: _base64(text) for name, text in sorted(spec.secret_files.items())},
    }


def render_job(spec: RunSpec, hub: str) -> Object:
    """The Job: one pod, started once.

    ``ttlSecondsAfterFinished`` is left out, because the Job must stay until we have seen how it ended.
    ``podReplacementPolicy: Failed`` keeps the Job controller from starting a second pod while the first one
    is still going.
    """
    labels = _labels(spec, hub)
    job_spec: Object = {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "podReplacementPolicy": "Failed",
        "template": {"metadata": {"labels": labels}, "spec": _pod_spec(spec)},
    }
    if spec.deadline_seconds is not None:
        job_spec["activeDeadlineSeconds"] = spec.deadline_seconds
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": run_name(spec.run_id), "labels": labels},
        "spec": job_spec,
    }


def is_ours(obj: Object, run_id: str, hub: str) -> bool:
    """Whether this hub made the object for this run."""
    labels = obj.get("metadata", {}).get("labels") or {}
    return (
        labels.get(constants.LABEL_HUB) == slug(hub)
        and labels.get(constants.LABEL_OWNER_KIND) == "job"
        and labels.get(constants.LABEL_OWNER) == slug(run_id)
    )


def read_run(job: Object, pods: Iterable[PodFact]) -> JobRun:
    """What the Job says of the run, with the pod's own words for exit code and reason.

    Only the conditions Complete and Failed end a run: they come when its pods have ended, while
    SuccessCriteriaMet and FailureTarget are only the intention.
    """
    pod = max(pods, key=lambda p: p.started_at or "", default=None)
    uid = job["metadata"].get("uid")
    name = None if pod is None else pod.name
    conditions = {c["type"]: c for c in job.get("status", {}).get("conditions") or [] if c["status"] == "True"}
    if "Complete" in conditions:
        return JobRun(True, uid, JobState.SUCCEEDED, exit_code=0, pod=name)
    if "Failed" in conditions:
        reason = _why_failed(conditions["Failed"], pod)
        overdue = conditions["Failed"].get("reason") == "DeadlineExceeded"
        return JobRun(True, uid, JobState.FAILED, None if pod is None else pod.exit_code, reason, name, overdue)
    if pod is not None and pod.phase in ("Running", "Succeeded", "Failed"):
        return JobRun(True, uid, JobState.RUNNING, reason=None, pod=name)
    if pod is None and (job.get("status", {}).get("ready") or 0) > 0:
        # The host's watch lags or is deaf; the tenant's API knows already.
        return JobRun(True, uid, JobState.RUNNING)
    return JobRun(True, uid, JobState.PENDING, reason=_why_waiting(pod), pod=name)


def seen_run(job: Object, now: datetime) -> SeenRun:
    """A Job of ours as one of many."""
    metadata = job["metadata"]
    created = metadata.get("creationTimestamp")
    age = 0.0 if created is None else (now - datetime.fromisoformat(created)).total_seconds()
    return SeenRun((metadata.get("labels") or {}).get(constants.LABEL_OWNER, ""), age)


def pods_of(run_id: str, pods: Iterable[PodFact]) -> list[PodFact]:
    """The run's pods among a tenant's. By name: a Job's pods carry it, and host labels may be rewritten."""
    name = run_name(run_id)
    return [
        pod
        for pod in pods
        if pod.namespace == constants.JOBS_NAMESPACE
        and pod.name.startswith(name)
        and _POD_SUFFIX.fullmatch(pod.name[len(name) :])
    ]


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


def _why_failed(condition: Mapping[str, Any], pod: PodFact | None) -> str:
    if condition.get("reason") == "DeadlineExceeded":
        return "it ran longer than jobs may (DeadlineExceeded)"
    if pod is None or (pod.exit_code is None and pod.reason is None):
        return condition.get("message") or condition.get("reason") or "its pod failed"
    if pod.reason == "OOMKilled":
        return "it used more memory than its profile has (OOMKilled)"
    if pod.reason in (None, "Error", "Completed"):
        return f"the command ended with exit code {pod.exit_code}"
    return f"{pod.reason}: {pod.message}" if pod.message else str(pod.reason)


def _why_waiting(pod: PodFact | None) -> str | None:
    if pod is None or pod.waiting is None or pod.waiting in _NORMAL_WAITING:
        return None
    return f"{pod.waiting}: {pod.waiting_message}" if pod.waiting_message else pod.waiting


def _labels(spec: RunSpec, hub: str) -> dict[str, str]:
    return {
        **spec.labels,
        constants.LABEL_HUB: slug(hub),
        constants.LABEL_TENANT: slug(spec.tenant),
        constants.LABEL_OWNER_KIND: "job",
        constants.LABEL_OWNER: slug(spec.run_id),
    }


def _pod_spec(spec: RunSpec) -> Object:
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        # The environment of a job is what it was given, not what else runs in its namespace.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE,
        "nodeSelector": dict(spec.node_selector),
        "tolerations": [{"key": key, "operator": "Exists"} for key in spec.tolerations],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER_ID,
            "runAsGroup": _USER_ID,
            "fsGroup": _USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(spec)],
        "volumes": [
            {"name": "work", "emptyDir": {}},
            {"name": "secrets", "secret": {"secretName": run_name(spec.run_id), "defaultMode": 0o440}},
        ],
    }


def _container(spec: RunSpec) -> Object:
    environment = {
        **spec.environment,
        "AIFACTORY_SECRETS": _SECRETS_FOLDER,
        "AIFACTORY_WORK": _WORK_FOLDER,
        "HOME": f"{_WORK_FOLDER}/home",
    }
    return {
        "name": "job",
        "image": spec.image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(spec.argv),
        "workingDir": _WORK_FOLDER,
        "env": [{"name": name, "value": value} for name, value in sorted(environment.items())],
        "resources": {"requests": spec.requests.kubernetes(), "limits": spec.limits.kubernetes()},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "work", "mountPath": _WORK_FOLDER},
            {"name": "secrets", "mountPath": _SECRETS_FOLDER, "readOnly": True},
        ],
    }


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
