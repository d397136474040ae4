"""Between runs and batch/v1 Jobs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub import constants
from aifactory_hub.domain.blocked_pods import Blocked
from aifactory_hub.domain.jobs import JobRun, JobState
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.engines.kubernetes_job.translate import is_pod_of, read_run, render_job
from aifactory_hub.engines.objects import POD_GONE, is_ours, read_virtual_pod, render_secret, run_name

from .runs import SPEC

POD = PodFact("vc-nlp", "nlp", "jobs", "job-j0123456789ab-x7k2p", "u", "host", "Pending")


def test_the_job_runs_once_within_its_deadline_and_stays_until_we_remove_it() -> None:
    spec = render_job(SPEC, "main")["spec"]
    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"]) == (0, 1, 1)
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["activeDeadlineSeconds"] == 3600
    assert "ttlSecondsAfterFinished" not in spec
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert "activeDeadlineSeconds" not in render_job(replace(SPEC, deadline_seconds=None), "main")["spec"]


def test_the_pod_may_do_nothing_that_a_training_script_does_not_need() -> None:
    pod = render_job(SPEC, "main")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {"work", "temporary", "shared-memory"}
    wanted = {"secrets": {"secret"}} | {name: {"emptyDir"} for name in writable}
    assert {v["name"]: set(v) - {"name"} for v in pod["volumes"]} == wanted
    assert {m["name"] for m in container["volumeMounts"] if not m.get("readOnly")} == writable


def test_the_pod_asks_for_what_the_ticket_was_for() -> None:
    pod = render_job(SPEC, "main")["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    assert pod["containers"][0]["resources"] == {
        "requests": {"cpu": "500m", "memory": "2Gi", "nvidia.com/mig-1g.10gb": "1"},
        "limits": {"cpu": "1000m", "memory": "2Gi", "nvidia.com/mig-1g.10gb": "1"},
    }


def test_secrets_are_in_the_secret_and_nowhere_else() -> None:
    assert "very-secret" not in json.dumps(render_job(SPEC, "main"))
    secret = render_secret(SPEC, "main")
    assert secret["data"] == {"token": "dmVyeS1zZWNyZXQ="}
    mounted = render_job(SPEC, "main")["spec"]["template"]["spec"]["volumes"][-1]
    assert mounted["secret"]["secretName"] == secret["metadata"]["name"] == run_name(SPEC.run_id)


@pytest.mark.parametrize(
    ("labels", "ours"),
    [
        ({}, True),
        ({constants.LABEL_HUB: "other"}, False),
        ({constants.LABEL_OWNER: "jother"}, False),
        ({constants.LABEL_OWNER_KIND: "server"}, False),
    ],
)
def test_an_object_is_ours_by_hub_kind_and_owner(labels: dict[str, str], ours: bool) -> None:
    made = render_job(SPEC, "main")
    made["metadata"]["labels"] |= labels
    assert is_ours(made, SPEC.run_id, "main") is ours
    assert not is_ours({"metadata": {}}, SPEC.run_id, "main")


def job(**status: Any) -> dict[str, Any]:
    return {"metadata": {"uid": "u-1"}, "status": status}


def ended(kind: str, reason: str = "", message: str = "") -> dict[str, Any]:
    condition = {"type": kind, "status": "True", "reason": reason, "message": message}
    return job(conditions=[condition])


def pod(**changes: Any) -> list[PodFact]:
    return [POD._replace(**changes)]


NAME = POD.name
PULL = "ImagePullBackOff: Back-off pulling image"
CASES: list[tuple[str, dict[str, Any], list[PodFact], JobRun]] = [
    ("a fresh job", job(), [], JobRun(True, "u-1")),
    ("a pod that is made ready", job(active=1), pod(waiting="ContainerCreating"), JobRun(True, "u-1", pod=NAME)),
    (
        "an image that can't be pulled",
        job(active=1),
        pod(waiting="ImagePullBackOff", waiting_message="Back-off pulling image"),
        JobRun(True, "u-1", reason=PULL, pod=NAME, blocked=Blocked.STUCK),
    ),
    ("a running pod", job(active=1), pod(phase="Running"), JobRun(True, "u-1", JobState.RUNNING, pod=NAME)),
    ("a pod not seen on the host yet", job(active=1, ready=1), [], JobRun(True, "u-1", JobState.RUNNING)),
    (
        "a pod that ended, its job not yet",
        job(active=1),
        pod(phase="Succeeded", exit_code=0),
        JobRun(True, "u-1", JobState.RUNNING, pod=NAME),
    ),
    (
        "only the intention to end",
        ended("FailureTarget", "BackoffLimitExceeded"),
        pod(phase="Failed", exit_code=1),
        JobRun(True, "u-1", JobState.RUNNING, pod=NAME),
    ),
    ("success", ended("Complete"), pod(phase="Succeeded"), JobRun(True, "u-1", JobState.SUCCEEDED, 0, None, NAME)),
    (
        "a condition that is not true",
        job(conditions=[{"type": "Failed", "status": "False"}]),
        [],
        JobRun(True, "u-1"),
    ),
    (
        "a command that failed",
        ended("Failed", "BackoffLimitExceeded"),
        pod(phase="Failed", exit_code=3, reason="Error"),
        JobRun(True, "u-1", JobState.FAILED, 3, "the command ended with exit code 3", NAME),
    ),
    (
        "too much memory",
        ended("Failed", "BackoffLimitExceeded"),
        pod(phase="Failed", exit_code=137, reason="OOMKilled"),
        JobRun(True, "u-1", JobState.FAILED, 137, "it used more memory than its profile has (OOMKilled)", NAME),
    ),
    (
        "a node that was drained",
        ended("Failed", "BackoffLimitExceeded"),
        pod(phase="Failed", reason="Evicted", message="The node was low on memory."),
        JobRun(True, "u-1", JobState.FAILED, None, "Evicted: The node was low on memory.", NAME),
    ),
    (
        "a deadline, whatever the pod says",
        ended("Failed", "DeadlineExceeded"),
        pod(phase="Failed", exit_code=143, reason="Error"),
        JobRun(True, "u-1", JobState.FAILED, 143, "it ran longer than jobs may (DeadlineExceeded)", NAME, overdue=True),
    ),
    (
        "a failure without a pod",
        ended("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"),
        [],
        JobRun(True, "u-1", JobState.FAILED, None, POD_GONE),
    ),
]


@pytest.mark.parametrize(("found", "pods", "run"), [c[1:] for c in CASES], ids=[c[0].replace(" ", "-") for c in CASES])
def test_what_a_job_and_its_pod_say_of_the_run(found: dict[str, Any], pods: list[PodFact], run: JobRun) -> None:
    assert read_run(found, pods) == run


@pytest.mark.parametrize(
    ("name", "mine"),
    [
        ("job-j0123456789ab-x7k2p", True),
        ("job-j0123456789ab", False),
        ("job-j0123456789ab-x7k2p-more", False),
        ("job-j0123456789abc-x7k2p", False),
    ],
)
def test_a_runs_pods_are_known_by_its_jobs_name(name: str, mine: bool) -> None:
    assert is_pod_of(SPEC.run_id, name) is mine


def test_a_pod_is_read_from_the_tenants_api_in_the_same_words() -> None:
    status = {
        "phase": "Failed",
        "startTime": "2026-11-22T10:00:00Z",
        "containerStatuses": [{"name": "job", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}],
    }
    seen = read_virtual_pod({"metadata": {"name": "p", "namespace": "jobs", "uid": "u"}, "status": status})
    assert (seen.phase, seen.exit_code, seen.reason) == ("Failed", 137, "OOMKilled")
    empty = read_virtual_pod({"metadata": {"name": "p"}})
    assert (empty.phase, empty.exit_code, empty.waiting) == ("Pending", None, None)
