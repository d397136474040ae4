"""One team's API server answers whatever it likes: its jobs say that they are not known, and another team's go on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from aifactory_hub.clusters import KubeApi
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.domain.jobs import JobRun, JobState
from aifactory_hub.engines.argo_workflow import ArgoWorkflowEngine
from aifactory_hub.engines.base import Engine, EngineRefused, EngineUnavailable, Site
from aifactory_hub.engines.jobset import JobSetEngine
from aifactory_hub.engines.kubernetes_job import KubernetesJobEngine
from aifactory_hub.engines.kubernetes_job.translate import render_job
from aifactory_hub.engines.trainjob import TrainJobEngine

from ..support.hostile_api import ANSWERS, hostile, of, packed, run
from ..support.kube_server import kube_server
from ..support.tenants import make_tenant
from .runs import HUB, SPEC, TEMPLATED, WIDE

JOBS = "/apis/batch/v1/namespaces/jobs/jobs"
OTHER = replace(SPEC, tenant="vision")
ENGINES: dict[type[Any], Any] = {
    KubernetesJobEngine: SPEC,
    JobSetEngine: WIDE,
    TrainJobEngine: TEMPLATED,
    ArgoWorkflowEngine: TEMPLATED,
}
RUN = SPEC.run_id
CALLS: dict[str, Callable[[Engine, Any], Awaitable[Any]]] = {
    "create": lambda engine, spec: engine.create(spec),
    "get": lambda engine, _: engine.get("nlp", RUN),
    "runs": lambda engine, _: engine.runs("nlp"),
    "logs": lambda engine, _: engine.logs("nlp", RUN, limit_bytes=10_000),
    "delete": lambda engine, _: engine.delete("nlp", RUN),
    "pods_gone": lambda engine, _: engine.pods_gone("nlp", RUN),
    "published": lambda engine, _: engine.published("nlp"),
}


@asynccontextmanager
async def two_teams(url: str) -> AsyncIterator[Site]:
    """nlp's API is at ``url``; vision's is as it should be, with a job that runs."""
    async with kube_server() as good:
        good.put(JOBS, {**render_job(OTHER, HUB), "status": {"ready": 1}})
        apis = {
            "nlp": KubeApi(Credential(url), timeout=0.4),
            "vision": KubeApi(Credential(good.url), timeout=60),
        }

        async def api(tenant: str) -> KubeApi:
            return apis[tenant]

        watch: Any = SimpleNamespace(stale=False, pods=lambda _vcluster: [])
        clients: Any = SimpleNamespace(api=api)
        yield Site(HUB, {name: make_tenant(name) for name in apis}, clients, watch)
        for each in apis.values():
            await each.close()


async def outcome(call: Callable[[], Awaitable[Any]]) -> Any:
    """What a call gives, or why it can't be known; anything else that is raised is a fault."""
    try:
        return await call()
    except (EngineUnavailable, EngineRefused) as error:
        assert str(error).isprintable() and 0 < len(str(error)) < 1000
        return error


@pytest.mark.parametrize("answer", ANSWERS)
async def test_every_call_of_every_engine_ends_in_words_and_another_team_s_job_goes_on(answer: str) -> None:
    with hostile(ANSWERS[answer]) as url:
        async with two_teams(url) as site:
            engines = [(kind(site), spec) for kind, spec in ENGINES.items()]
            calls = [
                outcome(lambda engine=engine, spec=spec, call=call: call(engine, spec))  # type: ignore[misc]
                for engine, spec in engines
                for call in CALLS.values()
            ]
            other = KubernetesJobEngine(site)
            seen: list[JobRun] = []

            async def look() -> None:
                for _ in range(10):
                    async with asyncio.timeout(20):
                        seen.append(await other.get("vision", RUN))
                    await asyncio.sleep(0.05)

            *results, _ = await asyncio.gather(*calls, look())
    assert [run.state for run in seen] == [JobState.RUNNING] * 10
    runs = [each for each in results if isinstance(each, JobRun)]
    assert not [each for each in runs if each.state.final], "nothing that it says ends a run"


async def test_a_job_says_what_was_wrong_with_the_answer() -> None:
    with hostile(ANSWERS["conditions that are no list"]) as url:
        async with two_teams(url) as site:
            error = await outcome(lambda: KubernetesJobEngine(site).get("nlp", RUN))
    assert isinstance(error, EngineUnavailable) and "$.status.conditions" in str(error)


async def test_a_workflow_s_steps_do_not_grow_when_they_are_unpacked() -> None:
    """64 MiB of steps in 64 KiB of base64: the workflow is not known, and the memory is not taken."""
    with hostile(ANSWERS["steps that grow"]) as url:
        async with two_teams(url) as site:
            error = await outcome(lambda: ArgoWorkflowEngine(site).get("nlp", RUN))
    assert isinstance(error, EngineUnavailable) and "larger than" in str(error)


async def test_a_large_workflow_s_steps_are_read_whole() -> None:
    """Argo packs them from some hundred steps on."""
    steps = {
        f"n{number}": {
            "id": f"job-j0123456789ab-{number}-{number * 7919}",
            "type": "Pod",
            "phase": "Running",
            "name": "s",
        }
        for number in range(900)
    }
    answer = of(run(phase="Running", compressedNodes=packed(json.dumps(steps).encode())))
    with hostile(answer) as url:
        async with two_teams(url) as site:
            seen = await ArgoWorkflowEngine(site).get("nlp", RUN)
    assert len(seen.steps) == 900 and seen.state is JobState.RUNNING
