"""Between runs and Argo's Workflows (argoproj.io/v1alpha1): pure, no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ...clusters.packed import unpack_nodes
from ...domain.blocked_pods import HOPELESS, Blocked, StartEvent, wait_of_events
from ...domain.engines import Parameter, Published
from ...domain.jobs import JobRun, JobState, RunStep, StepState
from ...domain.pods import PodFact
from ..base import RunSpec
from ..objects import OVERDUE, POD_SECURITY_CONTEXT, Object, labels_of, resources, run_name, tolerations, version_of

WORKFLOW_LABEL = "workflows.argoproj.io/workflow"
_NODE_NAME = "workflows.argoproj.io/node-name"
_DESCRIPTION = "workflows.argoproj.io/description"
_TITLE = "workflows.argoproj.io/title"
# The account whose token Argo's own container reports a step's outcome with; the step itself gets none.
ACCOUNT = "aifactory-workflow"
# Nodes that do something; the others only group these.
_STEPS = frozenset({"Pod", "Container", "Suspend", "HTTP", "Plugin", "Skipped"})
_STATES = {
    "Pending": StepState.PENDING,
    "Running": StepState.RUNNING,
    "Succeeded": StepState.SUCCEEDED,
    "Skipped": StepState.SKIPPED,
    "Omitted": StepState.SKIPPED,
    "Failed": StepState.FAILED,
    "Error": StepState.FAILED,
    "Daemoned": StepState.RUNNING,
}
_NOT_TAKEN_UP = "Argo's workflow controller has not taken it up"
_OF_THE_EXECUTOR = re.compile(r"^time=\S+ level=\S+ .*\bargo=true\b.*(\n|$)", re.MULTILINE)
_OVERDUE = "exceeded its deadline"
# What is kept of a workflow: so many steps, and so much of the reason of each.
_MOST_STEPS = 1000
_LONGEST_REASON = 300


def render_workflow(spec: RunSpec, hub: str) -> Object:
    """The Workflow. ``ttlStrategy`` is left out, because it must stay until we have seen how it ended, and finished
    pods stay for their logs: one that has ended holds no device."""
    labels = labels_of(spec, hub)
    body: Object = {
        "workflowTemplateRef": {"name": spec.template},
        "arguments": {"parameters": [{"name": k, "value": v} for k, v in sorted(spec.parameters.items())]},
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "executor": {"serviceAccountName": ACCOUNT},
        "parallelism": spec.nodes,
        "podGC": {"strategy": "OnWorkflowCompletion", "deleteDelayDuration": "24h"},
        "podMetadata": {"labels": labels},
        "securityContext": dict(POD_SECURITY_CONTEXT),
        "nodeSelector": dict(spec.node_selector),
        "tolerations": tolerations(spec),
        "podSpecPatch": _pod_patch(spec),
    }
    if spec.deadline_seconds is not None:
        body["activeDeadlineSeconds"] = spec.deadline_seconds
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": run_name(spec.run_id), "labels": labels},
        "spec": body,
    }


def _pod_patch(spec: RunSpec) -> str:
    """What each step takes is what the ticket was for, whatever its template asks: replaced, not merged."""
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    main = {"name": "main", "resources": {"$patch": "replace", **resources(spec)}, "securityContext": restricted}
    return json.dumps({"containers": [main], "enableServiceLinks": False})


def read_run(workflow: Object) -> JobRun:
    """What the Workflow says of itself and of its steps."""
    status = workflow.get("status") or {}
    uid, phase = workflow["metadata"].get("uid"), status.get("phase") or ""
    nodes = _nodes(status)
    steps = tuple(_step(node) for node in _in_order(nodes)[:_MOST_STEPS])
    if phase == "Succeeded":
        return JobRun(True, uid, JobState.SUCCEEDED, exit_code=0, steps=steps)
    if phase in ("Failed", "Error"):
        overdue = any(_OVERDUE in str(node.get("message")) for node in nodes) or _OVERDUE in str(status.get("message"))
        reason = OVERDUE if overdue else _why_failed(nodes, status.get("message"))
        return JobRun(True, uid, JobState.FAILED, _exit_code(nodes), reason, overdue=overdue, steps=steps)
    if not phase:
        return JobRun(True, uid, reason=_NOT_TAKEN_UP, blocked=Blocked.STUCK)
    begun = any(step.state not in (StepState.PENDING, StepState.SKIPPED) for step in steps)
    waiting = next((step for step in steps if step.state is StepState.PENDING and step.reason), None)
    stuck = waiting is not None and any(word in str(waiting.reason) for word in (*HOPELESS, "ErrImagePull"))
    return JobRun(
        True,
        uid,
        JobState.RUNNING if begun else JobState.PENDING,
        reason=None if waiting is None else f"step {waiting.name}: {waiting.reason}",
        blocked=Blocked.STUCK if stuck else None,
        blocked_after=_after(workflow, waiting) if waiting is not None and stuck else None,
        steps=steps,
    )


def step_without_pod(run: JobRun, host: Iterable[PodFact]) -> RunStep | None:
    """The step of a run under way that is to begin, without a word why it has not, and whose pod the host lacks."""
    if run.state is not JobState.RUNNING or run.reason is not None:
        return None
    # Argo names a pod by the step's template too, and ends it as it does the step's id.
    there = {step_of_pod_name(pod.name) for pod in host}
    waiting = (step for step in run.steps if step.state is StepState.PENDING and step.pod is not None)
    return next((step for step in waiting if step_of_pod_name(str(step.pod)) not in there), None)


def with_wait_of(run: JobRun, step: RunStep, events: Iterable[StartEvent]) -> JobRun:
    """The run as blocked by this step, if one of the events of its pod says that the host does not take it."""
    wait = wait_of_events(events)
    if wait.reason is None:
        return run
    began = min(datetime.fromisoformat(each.started) for each in run.steps if each.started)
    after = (datetime.fromisoformat(step.started) - began).total_seconds() if step.started else 0.0
    return replace(run, reason=f"step {step.name}: {wait.reason}", blocked=wait.blocked, blocked_after=after)


def step_of_pod_name(name: str) -> str:
    """The id of the step, by which Argo ends the name of its pod."""
    return name.rpartition("-")[2]


def _after(workflow: Object, step: RunStep) -> float | None:
    """Seconds from the workflow's making to the step's begin, both by the cluster's clock."""
    made, begun = workflow["metadata"].get("creationTimestamp"), step.started
    if not made or not begun:
        return None
    return (datetime.fromisoformat(begun) - datetime.fromisoformat(made)).total_seconds()


def read_published(engine: str, template: Object) -> Published:
    """A WorkflowTemplate as what may be run."""
    metadata = template["metadata"]
    notes = metadata.get("annotations") or {}
    given = ((template.get("spec") or {}).get("arguments") or {}).get("parameters") or ()
    description = notes.get(_DESCRIPTION) or notes.get(_TITLE)
    parameters = tuple(_parameter(each) for each in given)
    return Published(engine, metadata["name"], description, parameters, version_of(metadata))


def is_pod_of(run_id: str, name: str) -> bool:
    """Whether a pod of this name is the run's."""
    workflow = run_name(run_id)
    return name == workflow or name.startswith(f"{workflow}-")


def step_of_pod(pod: Object) -> str:
    """The step's name, of ``workflow[0].name`` or ``workflow.name``; the workflow's own for its only step."""
    full = str((pod["metadata"].get("annotations") or {}).get(_NODE_NAME) or pod["metadata"]["name"])
    return full.partition(".")[2] or full


def printed(log: str) -> str:
    """A step's log without what Argo's executor, which runs the command, says of itself between its lines.

    It marks each of its lines with ``argo=true``, by which Argo's own command line leaves them out too.
    """
    return _OF_THE_EXECUTOR.sub("", log)


def _parameter(given: Mapping[str, Any]) -> Parameter:
    value = given.get("value", given.get("default"))
    if value is None and given.get("valueFrom"):
        value = (given["valueFrom"] or {}).get("default", "")
    default = None if value is None else str(value)
    choices = tuple(str(each) for each in given.get("enum") or ())
    return Parameter(str(given["name"]), default, given.get("description"), choices)


def _nodes(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of a large workflow Argo keeps them as base64 of gzip."""
    packed = status.get("compressedNodes")
    found = unpack_nodes(packed) if packed else status.get("nodes") or {}
    return [node for node in found.values() if node.get("type") in _STEPS]


def _in_order(nodes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """As they began; those of the same second by name, because Argo's ids are hashes."""
    return sorted(nodes, key=lambda node: tuple(str(node.get(key) or "~") for key in ("startedAt", "name", "id")))


def _step(node: Mapping[str, Any]) -> RunStep:
    state = _STATES.get(str(node.get("phase") or ""), StepState.PENDING)
    if node.get("type") == "Suspend" and state is StepState.RUNNING:
        state = StepState.WAITING
    return RunStep(
        name=str(node.get("displayName") or node.get("name")),
        state=state,
        reason=str(node.get("message") or "")[:_LONGEST_REASON] or None,
        started=node.get("startedAt"),
        finished=node.get("finishedAt"),
        pod=node.get("id") if node.get("type") == "Pod" else None,
    )


def _failed(nodes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [node for node in _in_order(nodes) if _STATES.get(str(node.get("phase"))) is StepState.FAILED]


def _why_failed(nodes: Iterable[Mapping[str, Any]], message: str | None) -> str:
    for node in _failed(nodes):
        said = node.get("message") or "it gave no reason"
        return f"step {node.get('displayName')} failed: {said}"
    return message or "the workflow failed and gave no reason"


def _exit_code(nodes: Iterable[Mapping[str, Any]]) -> int | None:
    for node in _failed(nodes):
        code = (node.get("outputs") or {}).get("exitCode")
        if code is not None:
            return int(code)
    return None
