"""Steps of a pipeline that register a model and promote it: done by the service, judged and approved as by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.domain.release_steps import Served
from aifactory_hub.engines.serving.memory import MemoryServing
from aifactory_hub.pipeline_file import read_pipeline
from aifactory_hub.service.auth import hub_auth
from aifactory_hub.service.pipelines.runner import PipelineRunner
from aifactory_hub.service.pipelines.starter import Started
from aifactory_hub.signing.keys import CustodyError
from aifactory_hub.store.pipeline_runs import PipelineRun, RunStep

from ..support.fake_hub import FakeHub
from ..support.job_service import Clock, RunningService, running_service
from ..support.models import MODEL, damage, give_back
from ..support.pipelines import VERSION
from ..support.rules import change_rules, site_rules
from .test_approvals import hub as _hub
from .test_approvals import site, vote
from .test_gates import about

hub = _hub
OTHER = about("nothing", "true")
STORY = f"""{VERSION}name: fraud
defaults: {{profile: mig-1g.10gb}}
steps:
  train: {{command: "true"}}
  publish: {{needs: [train], register: {{model: fraud, files: model/, note: "from Git"}}}}
  release: {{needs: [publish], promote: prod}}
"""
SWEEP = f"""{VERSION}name: fraud
defaults: {{profile: mig-1g.10gb}}
steps:
  train: {{command: "true", matrix: {{rate: [1, 2, 3]}}}}
  publish: {{needs: [train], register: {{model: fraud, best: max(train.accuracy)}}}}
"""


def about_models(asserted: str, roles: tuple[str, ...] = ()) -> dict[str, Any]:
    """A rule about models that holds what does not fit, or refuses it where nobody is asked."""
    cases = [{"expect": "pass", "view": {"model": {"alias": ""}}}, {"expect": "fail"}]
    asked = [{"role": role} for role in roles] or None
    changes = {"assert": asserted, "message": "'prod is for what people looked at'"}
    return about("of-models", "true", target="model", cases=cases, approval=asked) | changes


@pytest.fixture(autouse=True)
def asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_auth, "SHARED", -1.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub, clock: Clock) -> AsyncIterator[RunningService]:
    gates = site_rules(tmp_path / "rules", OTHER, clock=clock)
    async with running_service(
        tmp_path / "disk", hub=hub, registry=site, reconciling=False, clock=clock, gates=gates, serving=MemoryServing()
    ) as running:
        yield running


def start(service: RunningService, text: str = STORY) -> PipelineRun:
    started = service.context.pipelines.starter.start(
        "ada", "nlp", "k", read_pipeline(text.encode()), files=None, cause={"kind": "hand", "by": "ada"}
    )
    assert isinstance(started, Started), started
    return started.run


def now(service: RunningService, run: PipelineRun) -> tuple[str, str | None]:
    found = service.context.pipelines.runs.get(run.id)
    assert found is not None
    return found.state.value, found.reason


def steps(service: RunningService, run: PipelineRun) -> dict[str, RunStep]:
    return {step.key: step for step in service.context.pipelines.runs.steps([run.id])[run.id]}


async def go_on(
    service: RunningService,
    files: Mapping[str, bytes] = MODEL,
    metrics: Mapping[str, float] | None = None,
    runner: PipelineRunner | None = None,
) -> None:
    """As far as it goes; every job that runs gives these back and succeeds. ``metrics`` are by the step's key."""
    context = service.context
    for _ in range(6):
        await (runner or context.pipelines.runner).tick()
        await service.reconciler.settle()
        for job in context.jobs.live():
            if job.state in (JobState.STARTING, JobState.RUNNING):
                give_back(context, job.id, files)
                key = job.key.partition(":")[2]
                if metrics and key in metrics:
                    told = {"accuracy": metrics[key]}
                    record = context.jobs.attempts.record_progress
                    record(job.id, job.attempt, percent=None, eta=None, metrics=told, now=context.clock())
                service.engine.end(job.tenant, job.run_id, 0)
        await service.reconciler.settle()
        service.context.clock.pass_by(6)  # type: ignore[attr-defined]


async def aliases(service: RunningService) -> dict[str, int]:
    async with service.http("ada") as http:
        answer = await http.get("/models/fraud")
    return {each["name"]: each["version"] for each in answer.json()["model"]["aliases"]} if answer.is_success else {}


async def test_a_run_registers_what_it_trained_and_promotes_it(service: RunningService) -> None:
    run = start(service)
    await go_on(service)
    assert now(service, run) == ("SUCCEEDED", None)
    assert await aliases(service) == {"prod": 1}
    async with service.http("ada") as http:
        [version] = (await http.get("/models/fraud")).json()["versions"]
        shown = {step["key"]: step for step in (await http.get(f"/pipeline-runs/{run.id}")).json()["steps"]}
    assert (version["note"], version["files"]) == ("from Git", 2)
    made = {"model": "fraud", "version": 1, "deployment": None}
    assert shown["publish"]["result"] == {**made, "alias": None}
    assert shown["release"]["result"] == {**made, "alias": "prod"}
    assert (shown["publish"]["work"], shown["release"]["reason"]) == (
        "register fraud from train",
        "fraud@prod leads to version 1",
    )
    assert shown["release"]["job"] is None


async def test_a_run_deploys_what_it_promoted_and_ends_once_that_answers(service: RunningService) -> None:
    serving = service.context.deployments.desk.engine
    assert isinstance(serving, MemoryServing)
    serving.by_itself = False
    run = start(service, STORY + "  serve: {needs: [release], deploy: {name: fraud, profile: mig-1g.10gb}}\n")
    for _ in range(3):
        await go_on(service)
        await service.context.deployments.tick()
    await go_on(service)
    [spec] = serving.made
    waiting = steps(service, run)["serve"]
    assert (now(service, run)[0], waiting.reason) == ("RUNNING", "release 1: 0 of 1 ready")
    serving.see("nlp", spec.run.run_id, Served(True, ready=1))
    await service.context.deployments.tick()
    await go_on(service)
    assert now(service, run) == ("SUCCEEDED", None)
    async with service.http("ada") as http:
        shown = {step["key"]: step for step in (await http.get(f"/pipeline-runs/{run.id}")).json()["steps"]}
    assert shown["serve"]["reason"] == "fraud answers with fraud 1"
    assert shown["serve"]["result"] == {"model": "fraud", "version": 1, "alias": "prod", "deployment": "fraud"}


async def test_a_run_whose_release_can_t_be_served_fails_with_its_words(service: RunningService) -> None:
    serving = service.context.deployments.desk.engine
    assert isinstance(serving, MemoryServing)
    serving.by_itself = False
    run = start(service, STORY + "  serve: {needs: [release], deploy: {name: fraud, profile: mig-1g.10gb}}\n")
    for _ in range(3):
        await go_on(service)
        await service.context.deployments.tick()
    [spec] = serving.made
    service.context.deployments.stored.change(spec.run.run_id, problem="model.pkl: a wrong byte")
    await service.context.deployments.tick()
    await go_on(service)
    assert now(service, run)[0] == "FAILED"
    assert steps(service, run)["serve"].reason == "fraud does not answer: release 1: model.pkl: a wrong byte"


async def test_of_a_sweep_the_best_job_is_registered(service: RunningService) -> None:
    run = start(service, SWEEP)
    await go_on(service, metrics={"train.1": 0.7, "train.2": 0.9, "train.3": 0.8})
    assert now(service, run) == ("SUCCEEDED", None)
    made = steps(service, run)
    assert made["publish"].result is not None
    version = service.context.models.registry.version(made["publish"].result["id"])
    assert version is not None
    assert version.job == made["train.2"].job_id


async def test_a_job_that_did_not_say_how_good_it_is_is_no_best(service: RunningService) -> None:
    run = start(service, SWEEP)
    await go_on(service, metrics={"train.1": 0.7, "train.3": 0.8})
    assert now(service, run) == ("FAILED", "publish: not every job of train reported a number for accuracy")


async def test_what_a_rule_holds_waits_for_the_vote_and_goes_on_by_itself(
    service: RunningService, tmp_path: Path
) -> None:
    change_rules(service.context.gates, tmp_path / "rules", about_models("model.alias != 'prod'", ("security",)))
    run = start(service)
    await go_on(service)
    held = steps(service, run)["release"]
    assert (held.state.value, held.reason) == ("RUNNING", "held until one of security approves it")
    assert await aliases(service) == {}
    async with service.http("max") as http:
        [approval] = (await http.get("/approvals")).json()["approvals"]
    assert (await vote(service, "ada", approval)).status_code == 403  # they started it
    await go_on(service)
    assert await aliases(service) == {}
    assert (await vote(service, "sid", approval)).status_code == 200
    await go_on(service)
    assert now(service, run) == ("SUCCEEDED", None)
    assert await aliases(service) == {"prod": 1}


async def test_a_no_ends_the_step_with_its_word(service: RunningService, tmp_path: Path) -> None:
    change_rules(service.context.gates, tmp_path / "rules", about_models("model.alias != 'prod'", ("security",)))
    run = start(service)
    await go_on(service)
    async with service.http("max") as http:
        [approval] = (await http.get("/approvals")).json()["approvals"]
    await vote(service, "sid", approval, vote="no", comment="not today")
    await go_on(service)
    assert now(service, run) == ("FAILED", "release: refused by sid: not today")


async def test_what_nobody_votes_on_ends_with_its_approval(service: RunningService, tmp_path: Path) -> None:
    change_rules(service.context.gates, tmp_path / "rules", about_models("model.alias != 'prod'", ("security",)))
    run = start(service)
    await go_on(service)
    service.context.clock.pass_by(2000)  # type: ignore[attr-defined]
    await go_on(service)
    assert now(service, run) == ("FAILED", "release: nobody decided in time")
    assert await aliases(service) == {}


async def test_a_run_that_is_cancelled_waits_for_no_vote(service: RunningService, tmp_path: Path) -> None:
    change_rules(service.context.gates, tmp_path / "rules", about_models("model.alias != 'prod'", ("security",)))
    run = start(service)
    await go_on(service)
    async with service.http("ada") as http:
        assert (await http.delete(f"/pipeline-runs/{run.id}")).is_success
    await go_on(service)
    assert now(service, run) == ("CANCELLED", "release: the run was cancelled")


async def test_a_rule_that_refuses_fails_the_step(service: RunningService, tmp_path: Path) -> None:
    change_rules(service.context.gates, tmp_path / "rules", about_models("model.alias != 'prod'"))
    run = start(service)
    await go_on(service)
    state, reason = now(service, run)
    assert state == "FAILED"
    assert reason is not None
    assert reason.startswith("release: prod is for what people looked at (rule of-models)")


async def test_a_frozen_alias_and_a_flipped_byte_stop_it(service: RunningService) -> None:
    first = start(service)
    await go_on(service)
    async with service.http("ada") as http:
        assert (await http.post("/models/fraud/aliases/prod/freeze", json={"reason": "audit"})).is_success
    again = service.context.pipelines.starter.again(first, "again", "train")
    assert isinstance(again, Started)
    await go_on(service, {**MODEL, "model/config.json": b'{"new": 1}'})
    state, reason = now(service, again.run)
    assert state == "FAILED"
    assert reason is not None
    assert "frozen" in reason
    made = steps(service, again.run)
    damage(service.context, str(made["train"].job_id), "model/config.json")
    async with service.http("ada") as http:
        assert (await http.post("/models/fraud/aliases/prod/thaw", json={"reason": "done"})).is_success
    third = service.context.pipelines.starter.again(again.run, "third", None)
    assert isinstance(third, Started), third
    await go_on(service)
    state, reason = now(service, third.run)
    assert (state, steps(service, third.run)["publish"].taken_from) == ("FAILED", again.run.id)
    assert reason is not None
    assert "config.json" in reason
    assert await aliases(service) == {"prod": 1}


class KeysAway:
    """Registers nothing: the keys can't be read."""

    async def register(self, *_: Any) -> Refusal:
        raise CustodyError("the folder of keys does not answer")


async def test_a_key_that_can_t_be_read_now_is_waited_for(service: RunningService) -> None:
    runner = service.context.pipelines.runner
    away: Any = KeysAway()
    broken = replace(runner.acts, desk=replace(runner.acts.desk, registration=away))
    run = start(service)
    await go_on(service, runner=replace(runner, acts=broken))
    waits = steps(service, run)["publish"]
    assert (waits.state.value, waits.reason) == ("RUNNING", "it is tried again: the folder of keys does not answer")
    await go_on(service)
    assert now(service, run) == ("SUCCEEDED", None)
