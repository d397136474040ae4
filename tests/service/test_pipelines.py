"""Runs of pipelines through restarts, refusals and people who leave; the cluster is in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.pipeline_runs import RunState
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.domain.tenants import Role
from aifactory_hub.pipeline_file import read_pipeline
from aifactory_hub.service.pipelines.runner import PipelineRunner
from aifactory_hub.service.pipelines.starter import Started
from aifactory_hub.store.owners import Owners
from aifactory_hub.store.pipeline_runs import PipelineRun, RunStep

from ..support.pipelines import VERSION
from .world import World

TWO = f"""{VERSION}name: two
defaults: {{profile: mig-1g.10gb}}
steps:
  a: {{command: "true"}}
  b: {{needs: [a], command: "true"}}
"""


class Killed(BaseException):
    """The process ends here."""


class Mortal:
    """Passes calls on; the process ends after, or right before, the ``at``-th of those that write."""

    def __init__(self, part: Any, at: int, *, before: bool) -> None:
        self._part = part
        self._at = at
        self._before = before
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if name not in ("begin", "settle", "finish", "submit_now"):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls == self._at and self._before:
                raise Killed
            answer = found(*args, **kwargs)
            if self.calls == self._at:
                raise Killed
            return answer

        return call


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def start(world: World, text: str = TWO, *, key: str = "k", files: str | None = None, **more: Any) -> PipelineRun:
    started = world.service.pipelines.starter.start(
        "ada", "nlp", key, read_pipeline(text.encode()), files=files, cause={"kind": "hand", "by": "ada"}, **more
    )
    assert isinstance(started, Started), started
    return started.run


def steps(world: World, run: PipelineRun) -> dict[str, RunStep]:
    return {step.key: step for step in world.service.pipelines.runs.steps([run.id])[run.id]}


def now(world: World, run: PipelineRun) -> PipelineRun:
    found = world.service.pipelines.runs.get(run.id)
    assert found is not None
    return found


async def go_on(world: World, runner: PipelineRunner | None = None) -> None:
    """As far as it goes, with every job that runs succeeding at once."""
    for _ in range(8):
        await (runner or world.service.pipelines.runner).tick()
        await world.settle()
        for job in world.service.jobs.live():
            if job.state in (JobState.STARTING, JobState.RUNNING):
                world.engine.end(job.tenant, job.run_id, 0)
        await world.settle()


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", range(1, 8))
async def test_a_service_that_is_killed_between_any_two_steps_makes_each_job_once(
    world: World, at: int, before: bool
) -> None:
    run = start(world)
    runner = world.service.pipelines.runner
    mortal: Any = Mortal(runner.runs, at, before=before)
    with pytest.raises(Killed):
        await go_on(world, replace(runner, runs=mortal))
        raise Killed  # it was over before
    world.restart()
    await go_on(world)
    assert (now(world, run).state, mortal.calls >= min(at, 5)) == (RunState.SUCCEEDED, True)
    keys = sorted(job.key for job in world.service.jobs.newest(["nlp"], limit=9))
    assert keys == [f"{run.id}:a", f"{run.id}:b"]


@pytest.mark.parametrize("at", [1, 2])
async def test_a_service_that_is_killed_right_after_a_job_is_stored_finds_it_again(world: World, at: int) -> None:
    run = start(world)
    runner = world.service.pipelines.runner
    mortal: Any = Mortal(runner.submissions, at, before=False)
    with pytest.raises(Killed):
        await go_on(world, replace(runner, submissions=mortal))
    world.restart()
    await go_on(world)
    assert now(world, run).state is RunState.SUCCEEDED
    assert len(world.service.jobs.newest(["nlp"], limit=9)) == 2


async def test_what_the_team_may_not_have_is_refused_before_anything_is_started(world: World) -> None:
    text = TWO.replace("{needs: [a], command", "{needs: [a], nodes: 9, command")
    refused = world.service.pipelines.starter.start(
        "ada", "nlp", "k", read_pipeline(text.encode()), files=None, cause={"kind": "hand"}
    )
    assert isinstance(refused, Refusal)
    assert refused.message.startswith("Step b: ") and refused.field is not None and refused.field.startswith("steps.b.")
    assert world.service.pipelines.runs.live() == []


async def test_who_has_left_the_team_starts_no_further_step(world: World) -> None:
    run = start(world)
    runner = world.service.pipelines.runner
    answers: list[bool | None] = [True, None, False]

    class Leaving:
        async def may_submit(self, user: str, tenant: str) -> bool | None:
            return answers.pop(0)

        async def role(self, user: str, tenant: str) -> Role | None:
            return Role.MEMBER

    leaving = replace(runner, membership=Leaving())
    await leaving.tick()
    first = steps(world, run)["a"].job_id
    assert first is not None
    await world.settle()
    world.engine.end("nlp", world.job(first).run_id, 0)
    await world.settle()
    await leaving.tick()
    assert steps(world, run)["b"].state == "PENDING", "the hub did not answer: nothing is concluded"
    await leaving.tick()
    await leaving.tick()
    assert now(world, run).reason == "b: ada may not submit jobs into team nlp any more"


async def test_the_files_of_a_run_are_kept_while_it_goes_on(world: World) -> None:
    files = world.send({"train.py": b"print(1)"})
    start(world, files=files)
    world.clock.pass_by(9 * 3600)
    assert world.service.snapshots.collect(before=world.clock.now - 3600) == 0
    await go_on(world)
    assert world.service.jobs.newest(["nlp"], limit=1)[0].spec.input_sha256 == files


async def test_files_that_nobody_sent_are_refused(world: World) -> None:
    refused = world.service.pipelines.starter.start(
        "ada", "nlp", "k", read_pipeline(TWO.encode()), files="0" * 64, cause={"kind": "hand"}
    )
    assert isinstance(refused, Refusal) and refused.field == "files"


async def test_an_account_that_is_handed_over_takes_its_runs_with_it(world: World) -> None:
    run = start(world)
    await world.service.pipelines.runner.tick()
    Owners(world.service.jobs.db, world.service.files).retire("ada", 1, now=world.clock.now)
    ended = now(world, run)
    assert (ended.owner, ended.cancel_asked_at) == ("ada/former-1", world.clock.now)
    for _ in range(3):
        await world.settle()
        await world.service.pipelines.runner.tick()
    assert now(world, run).state is RunState.CANCELLED


async def test_a_file_that_a_newer_version_wrote_ends_the_run_with_words(world: World) -> None:
    run = start(world)
    data = {**run.data, "apiVersion": "aifactory-hub.io/pipeline/v9"}
    later = replace(run, id="p1", key="later", data=data)
    world.service.pipelines.runs.add(later, [RunStep("a", 0)])
    await world.service.pipelines.runner.tick()
    assert "can't be read any more" in str(now(world, later).reason)
    assert steps(world, run)["a"].state == "RUNNING"
