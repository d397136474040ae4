"""What engines' objects say of a run, as recorded from their controllers."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from aifactory_hub.domain.blocked_pods import Blocked
from aifactory_hub.domain.engines import Parameter
from aifactory_hub.domain.jobs import JobState, StepState
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.engines.argo_workflow import translate as argo
from aifactory_hub.engines.jobset import translate as jobset
from aifactory_hub.engines.trainjob import translate as trainjob

Json = dict[str, Any]


def node(name: str, phase: str, **more: Any) -> Json:
    started = {"startedAt": f"2026-11-25T10:00:{len(name):02}Z"}
    return {"id": f"w-{name}", "displayName": name, "type": "Pod", "phase": phase} | started | more


def workflow(phase: str, *nodes: Json, **more: Any) -> Json:
    group = {"id": "w", "displayName": "w", "type": "DAG", "phase": phase}
    every = {each["id"]: each for each in (group, *nodes)}
    made = {"name": "w", "uid": "u", "creationTimestamp": "2026-11-25T09:00:00Z"}
    return {"metadata": made, "status": {"phase": phase, "nodes": every, **more}}


def test_a_workflow_that_nobody_took_up_says_so() -> None:
    run = argo.read_run({"metadata": {"uid": "u"}})
    assert (run.state, run.blocked) == (JobState.PENDING, Blocked.STUCK)
    assert "has not taken it up" in str(run.reason)


def test_a_workflow_is_told_step_by_step_in_the_order_of_their_begin() -> None:
    run = argo.read_run(
        workflow(
            "Running",
            node("evaluate", "Pending"),
            node("train", "Running"),
            node("load", "Succeeded"),
            node("approve-it", "Running", type="Suspend"),
            node("report-later", "Omitted", type="Skipped"),
        )
    )
    assert run.state is JobState.RUNNING
    assert [(step.name, step.state) for step in run.steps] == [
        ("load", StepState.SUCCEEDED),
        ("train", StepState.RUNNING),
        ("evaluate", StepState.PENDING),
        ("approve-it", StepState.WAITING),
        ("report-later", StepState.SKIPPED),
    ]
    assert run.blocked is None


def test_steps_that_began_in_the_same_second_are_told_by_name() -> None:
    """Argo tells times in seconds, and its ids are hashes."""
    at = {"startedAt": "2026-11-25T10:00:00Z"}
    ids = {"left": "w-9", "middle": "w-5", "right": "w-1"}
    nodes = [node(n, "Running", **at, id=ids[n]) | {"name": f"w[1].{n}"} for n in ("right", "left", "middle")]
    assert [step.name for step in argo.read_run(workflow("Running", *nodes)).steps] == ["left", "middle", "right"]


def test_a_workflow_of_which_no_step_runs_yet_is_pending() -> None:
    assert argo.read_run(workflow("Running", node("load", "Pending"))).state is JobState.PENDING


def test_a_step_whose_image_can_not_be_pulled_blocks_the_run_since_its_begin() -> None:
    run = argo.read_run(
        workflow("Running", node("load", "Succeeded"), node("train", "Pending", message="ImagePullBackOff: no such"))
    )
    assert (run.state, run.blocked) == (JobState.RUNNING, Blocked.STUCK)
    assert run.blocked_after == 3605.0
    assert run.reason == "step train: ImagePullBackOff: no such"


def test_a_step_s_log_is_what_its_command_printed() -> None:
    executor = 'time=2026-11-28T12:31:51.311Z level=INFO msg="waiting for signals" argo=true signalPath=/var/run/a\n'
    log = f"{executor}loaded\n{executor}time=now level=3 is mine, argo=false\nend"
    assert argo.printed(log) == "loaded\ntime=now level=3 is mine, argo=false\nend"
    assert argo.printed(executor.strip()) == ""


def test_a_failed_step_gives_the_run_its_name_reason_and_exit_code() -> None:
    failed = node("train", "Failed", message="Error (exit code 3)", outputs={"exitCode": "3"})
    run = argo.read_run(workflow("Failed", node("load", "Succeeded"), failed, message="child 'w-train' failed"))
    assert (run.state, run.exit_code) == (JobState.FAILED, 3)
    assert run.reason == "step train failed: Error (exit code 3)"
    assert not run.overdue


def test_a_workflow_past_its_deadline_is_overdue() -> None:
    run = argo.read_run(workflow("Failed", node("train", "Failed", message="Step exceeded its deadline")))
    assert run.overdue
    assert run.reason == "it ran longer than jobs may (DeadlineExceeded)"


def test_the_nodes_of_a_large_workflow_are_unpacked() -> None:
    found = workflow("Succeeded", node("load", "Succeeded"))
    packed = base64.b64encode(gzip.compress(json.dumps(found["status"].pop("nodes")).encode())).decode()
    found["status"]["compressedNodes"] = packed
    run = argo.read_run(found)
    assert (run.state, [step.name for step in run.steps]) == (JobState.SUCCEEDED, ["load"])


def test_a_published_template_is_read_with_its_parameters() -> None:
    parameters = [
        {"name": "data", "description": "where it is"},
        {"name": "epochs", "value": 3},
        {"name": "size", "default": "small", "enum": ["small", "large"]},
        {"name": "from", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
    ]
    template = {
        "metadata": {"name": "train", "annotations": {"workflows.argoproj.io/description": "Trains it."}},
        "spec": {"arguments": {"parameters": parameters}},
    }
    read = argo.read_published("argo-workflow", template)
    assert (read.name, read.description) == ("train", "Trains it.")
    assert read.parameters == (
        Parameter("data", None, "where it is"),
        Parameter("epochs", "3"),
        Parameter("size", "small", choices=("small", "large")),
        Parameter("from", ""),
    )
    assert argo.read_published("argo-workflow", {"metadata": {"name": "bare"}}).parameters == ()


@pytest.mark.parametrize(
    ("name", "mine"), [("job-j1", True), ("job-j1-train-123", True), ("job-j12", False), ("job-j1r2-train-1", False)]
)
def test_a_workflows_pods_are_known_by_its_name(name: str, mine: bool) -> None:
    assert argo.is_pod_of("j1", name) is mine


def test_a_step_is_called_as_its_template_calls_it() -> None:
    def pod(full: str) -> Json:
        return {"metadata": {"name": "p", "annotations": {"workflows.argoproj.io/node-name": full}}}

    assert [argo.step_of_pod(pod(full)) for full in ("w.train", "w[0].load", "w")] == ["train", "load", "w"]


def pods(*phases: str, **more: Any) -> list[PodFact]:
    where: dict[str, Any] = {
        "host_namespace": "vc-nlp",
        "vcluster": "nlp",
        "namespace": "jobs",
        "uid": "u",
        "host_name": "h",
    }
    bad = ("Failed", "Pending")
    names = {f"job-j1-node-0-{n}-abcde": phase for n, phase in enumerate(phases)}
    return [PodFact(**where, name=n, phase=p, **(more if p in bad else {})) for n, p in names.items()]


def ended(kind: str, reason: str = "", message: str = "") -> Json:
    condition = {"type": kind, "status": "True", "reason": reason, "message": message}
    return {"metadata": {"uid": "u"}, "status": {"conditions": [condition]}}


NOTHING: Json = {"metadata": {"uid": "u"}}


@pytest.mark.parametrize(("engine", "done"), [(jobset, "Completed"), (trainjob, "Complete")])
def test_a_run_on_several_nodes_is_told_node_by_node(engine: Any, done: str) -> None:
    assert engine.read_run(NOTHING, []).state is JobState.PENDING
    waiting = engine.read_run(NOTHING, pods("Pending", "Pending", waiting="ImagePullBackOff"))
    assert (waiting.state, waiting.blocked, waiting.reason) == (
        JobState.PENDING,
        Blocked.STUCK,
        "node 0: ImagePullBackOff",
    )
    running = engine.read_run(NOTHING, pods("Running", "Pending"))
    assert running.state is JobState.RUNNING
    assert [(step.name, step.state) for step in running.steps] == [
        ("node 0", StepState.RUNNING),
        ("node 1", StepState.PENDING),
    ]
    well = engine.read_run(ended(done), pods("Succeeded", "Succeeded"))
    assert (well.state, well.exit_code, well.pod) == (JobState.SUCCEEDED, 0, "job-j1-node-0-0-abcde")
    badly = engine.read_run(ended("Failed", "x", "jobset failed"), pods("Succeeded", "Failed", exit_code=3))
    assert (badly.state, badly.exit_code) == (JobState.FAILED, 3)
    assert badly.reason == "node 1: the command ended with exit code 3"
    assert engine.read_run(ended("Failed", "x", "jobset failed"), []).reason == "jobset failed"


def test_a_deadline_is_named_as_the_reason_on_several_nodes_too() -> None:
    late = "jobset failed due to one or more job failures: Job was active longer than specified deadline"
    assert jobset.read_run(ended("Failed", "FailedJobs", late), []).overdue
    assert trainjob.read_run(ended("Failed", "DeadlineExceeded"), []).overdue


def test_a_training_runtime_can_be_named() -> None:
    runtime = trainjob.read_runtime("trainjob", {"metadata": {"name": "torch"}})
    assert (runtime.engine, runtime.name, runtime.parameters) == ("trainjob", "torch", ())
