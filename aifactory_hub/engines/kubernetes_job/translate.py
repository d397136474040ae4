"""Between runs and batch/v1 Jobs: pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...domain.blocked_pods import wait_of_pod
from ...domain.jobs import JobRun, JobState
from ...domain.pods import PodFact
from ..base import RunSpec
from ..objects import OVERDUE, POD_GONE, Object, labels_of, newest, pod_spec, run_name, why_failed

# The Job controller names a pod after its Job, with five characters of the API server's.
_POD_SUFFIX = re.compile(r"-[a-z0-9]{5}")


def render_job(spec: RunSpec, hub: str) -> Object:
    """The Job: one pod, started once.

    ``ttlSecondsAfterFinished`` is left out, because the Job must stay until we have seen how it ended.
    ``podReplacementPolicy: Failed`` keeps the Job controller from starting a second pod while the first one
    is still going.
    """
    labels = labels_of(spec, hub)
    job_spec: Object = {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "podReplacementPolicy": "Failed",
        "template": {"metadata": {"labels": labels}, "spec": pod_spec(spec)},
    }
    if spec.deadline_seconds is not None:
        job_spec["activeDeadlineSeconds"] = spec.deadline_seconds
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": run_name(spec.run_id), "labels": labels},
        "spec": job_spec,
    }


def read_run(job: Object, pods: Iterable[PodFact]) -> JobRun:
    """What the Job says of the run, with the pod's own words for exit code and reason.

    Only the conditions Complete and Failed end a run: they come when its pods have ended, while
    SuccessCriteriaMet and FailureTarget are only the intention.
    """
    pod = newest(pods)
    uid = job["metadata"].get("uid")
    name = None if pod is None else pod.name
    conditions = {c["type"]: c for c in job.get("status", {}).get("conditions") or [] if c["status"] == "True"}
    if "Complete" in conditions:
        return JobRun(True, uid, JobState.SUCCEEDED, exit_code=0, pod=name)
    if "Failed" in conditions:
        condition = conditions["Failed"]
        overdue = condition.get("reason") == "DeadlineExceeded"
        said = POD_GONE if condition.get("reason") == "BackoffLimitExceeded" else condition.get("message")
        reason = OVERDUE if overdue else why_failed(pod, otherwise=said or condition.get("reason"))
        return JobRun(True, uid, JobState.FAILED, None if pod is None else pod.exit_code, reason, name, overdue)
    if pod is not None and pod.phase in ("Running", "Succeeded", "Failed"):
        return JobRun(True, uid, JobState.RUNNING, reason=None, pod=name)
    if pod is None and (job.get("status", {}).get("ready") or 0) > 0:
        # The host's watch lags or is deaf; the tenant's API knows already.
        return JobRun(True, uid, JobState.RUNNING)
    wait = wait_of_pod(pod)
    return JobRun(True, uid, JobState.PENDING, reason=wait.reason, pod=name, blocked=wait.blocked)


def is_pod_of(run_id: str, name: str) -> bool:
    """Whether a pod of this name is the run's."""
    job = run_name(run_id)
    return name.startswith(job) and _POD_SUFFIX.fullmatch(name[len(job) :]) is not None
