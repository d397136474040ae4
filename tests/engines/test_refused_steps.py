"""A step of a workflow whose pod the host does not take, after others of it ran."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aifactory_hub.domain.blocked_pods import Blocked
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.engines.argo_workflow import ArgoWorkflowEngine
from aifactory_hub.engines.argo_workflow.translate import render_workflow
from aifactory_hub.engines.base import Site

from ..support.tenants import make_tenant
from ..support.typed_api import TypedApi
from .runs import HUB, TEMPLATED

LOAD, TRAIN = "job-j0123456789ab-load-11", "job-j0123456789ab-fit-22"
REFUSED = 'pods "x" is forbidden: image other:1 is not allowed here'


def node(name: str, end: str, phase: str, second: int, message: str = "") -> dict[str, Any]:
    said = {"startedAt": f"2026-11-25T10:00:{second:02}Z", "message": message}
    return {"id": f"job-j0123456789ab-{end}", "displayName": name, "type": "Pod", "phase": phase, **said}


def engine(*nodes: dict[str, Any], host: tuple[str, ...], about: str | None = TRAIN) -> ArgoWorkflowEngine:
    """One whose cluster shows this workflow, these pods on the host, and an event about a pod."""
    status = {"phase": "Running", "nodes": {each["id"]: each for each in nodes}}
    event = {"reason": "SyncError", "message": REFUSED, "involvedObject": {"name": about}}

    async def get(path: str) -> dict[str, Any]:
        if path.endswith("/events"):
            return {"items": [event] if about else []}
        if path.endswith("/pods"):
            # The syncer keeps no pod from the vCluster's own API, whatever the host says.
            return {"items": [{"metadata": {"name": name}} for name in (LOAD, TRAIN)]}
        return {**render_workflow(TEMPLATED, HUB), "status": status}

    async def api(_tenant: str) -> Any:
        return TypedApi(get)

    pods = [PodFact("vc-nlp", "nlp", "jobs", name, "u", "h", "Running") for name in host]
    watch: Any = SimpleNamespace(stale=False, pods=lambda _vcluster: pods)
    return ArgoWorkflowEngine(Site(HUB, {"nlp": make_tenant("nlp")}, SimpleNamespace(api=api), watch))  # type: ignore[arg-type]


async def test_it_blocks_the_run_since_its_own_begin_with_the_host_s_reason() -> None:
    nodes = node("load", "11", "Succeeded", 1), node("train", "22", "Pending", 31)
    run = await engine(*nodes, host=(LOAD,)).get("nlp", TEMPLATED.run_id)
    assert (run.state, run.blocked, run.blocked_after) == (JobState.RUNNING, Blocked.REFUSED, 30.0)
    assert run.reason == f"step train: the host cluster does not take its pod: {REFUSED}"


@pytest.mark.parametrize(
    ("host", "about"),
    [
        ((LOAD, TRAIN), TRAIN),  # it was refused before, and is there now
        ((LOAD,), LOAD),  # what was said is of another step
        ((LOAD,), None),  # the syncer has not come to it yet
    ],
)
async def test_without_such_a_word_it_only_waits(host: tuple[str, ...], about: str | None) -> None:
    nodes = node("load", "11", "Succeeded", 1), node("train", "22", "Pending", 31)
    run = await engine(*nodes, host=host, about=about).get("nlp", TEMPLATED.run_id)
    assert (run.state, run.blocked, run.reason) == (JobState.RUNNING, None, None)


async def test_what_argo_itself_says_of_a_step_counts() -> None:
    nodes = node("load", "11", "Succeeded", 1), node("train", "22", "Pending", 31, "ImagePullBackOff: no such")
    run = await engine(*nodes, host=(LOAD,)).get("nlp", TEMPLATED.run_id)
    assert (run.blocked, run.reason) == (Blocked.STUCK, "step train: ImagePullBackOff: no such")
