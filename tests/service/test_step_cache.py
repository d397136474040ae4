"""Steps of pipelines that take the result of an earlier job; the cluster is in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.pipeline_runs import PipelineStepState, RunState
from aifactory_hub.pipeline_file import read_pipeline
from aifactory_hub.service.pipelines.starter import Started
from aifactory_hub.store import Artifact
from aifactory_hub.store.pipeline_runs import PipelineRun, RunStep

from ..support.job_service import make_registry
from ..support.pipelines import VERSION
from ..support.rules import change_rules, site_rules
from .test_gates import about
from .world import World

TWO = f"""{VERSION}name: two
defaults: {{profile: mig-1g.10gb}}
steps:
  a: {{command: "make data", cache: true}}
  b: {{needs: [a], cache: true, metrics: {{ROWS: a.rows}}, command: "train"}}
"""
ROWS = {"rows.txt": b"1 2 3"}
DAY = 86400.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "disk")
    world.gates = site_rules(tmp_path / "rules", about("nothing", "true"), clock=world.clock)
    world.restart()
    yield world
    world.close()


def start(world: World, key: str, text: str = TWO, *, owner: str = "ada", **more: Any) -> PipelineRun:
    asked = {"files": None, "tenant": "nlp"} | more
    tenant = asked.pop("tenant")
    started = world.service.pipelines.starter.start(
        owner, tenant, key, read_pipeline(text.encode()), cause={"kind": "hand", "by": owner}, **asked
    )
    assert isinstance(started, Started), started
    return started.run


def give(world: World, job: str, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        with world.service.files.incoming(len(content)) as incoming:
            incoming.write(content)
            incoming.keep(world.service.files.artifact(job, name))
        digest = hashlib.sha256(content).hexdigest()
        world.service.jobs.put_artifact(job, Artifact(name, len(content), digest, 1.0))


async def go_on(
    world: World, run: PipelineRun, *, files: Mapping[str, bytes] = ROWS, rows: float = 3.0, code: int = 0
) -> dict[str, RunStep]:
    """As far as it goes: each job gives back ``files``, reports ``rows`` and ends with ``code``."""
    jobs = world.service.jobs
    for _ in range(8):
        await world.service.pipelines.runner.tick()
        await world.settle()
        for job in jobs.live():
            if job.state in (JobState.STARTING, JobState.RUNNING):
                give(world, job.id, files)
                told = {"rows": rows}
                jobs.attempts.record_progress(
                    job.id, job.attempt, percent=None, eta=None, metrics=told, now=world.clock()
                )
                world.engine.end(job.tenant, job.run_id, code)
        await world.settle()
        world.clock.pass_by(1)
    return {step.key: step for step in world.service.pipelines.runs.steps([run.id])[run.id]}


def state(world: World, run: PipelineRun) -> RunState:
    found = world.service.pipelines.runs.get(run.id)
    assert found is not None
    return found.state


async def test_a_step_whose_key_has_a_job_is_not_run(world: World) -> None:
    first = start(world, "1")
    made = await go_on(world, first)
    assert (state(world, first), made["a"].cached, made["a"].taken_from) == (RunState.SUCCEEDED, False, None)
    second = start(world, "2", owner="bob")
    taken = await go_on(world, second)
    assert state(world, second) is RunState.SUCCEEDED
    assert [(s.cached, s.taken_from, s.job_id, s.metrics) for s in taken.values()] == [
        (True, first.id, made[key].job_id, {"rows": 3.0}) for key in ("a", "b")
    ]
    third = start(world, "3")
    assert (await go_on(world, third))["b"].taken_from == first.id, "the run that made it, not one that took it"
    assert len(world.service.jobs.newest(["nlp"], limit=9)) == 2


@pytest.mark.parametrize(
    ("text", "more", "again"),
    [
        (TWO.replace("make data", "make more"), {}, {"a"}),
        (TWO.replace('"train"', '"train", environment: {SEED: 2}'), {}, {"b"}),
        (TWO.replace('"make data"', '"make data", outputs: ["*.txt"]'), {}, {"a"}),
        (TWO, {"tenant": "vision"}, {"a", "b"}),
        (TWO, {"cache": False}, {"a", "b"}),
        (TWO.replace(", cache: true", ""), {}, {"a", "b"}),
    ],
)
async def test_what_differs_is_run(world: World, text: str, more: dict[str, Any], again: set[str]) -> None:
    await go_on(world, start(world, "1"))
    steps = await go_on(world, start(world, "2", text, **more))
    # What the first step gives back is the same, so the second one's files are.
    assert {key for key, step in steps.items() if not step.cached} == again, steps


async def test_files_and_metrics_of_needed_steps_are_in_the_key(world: World) -> None:
    no_first = TWO.replace('"make data", cache: true', '"make data"')
    await go_on(world, start(world, "1", no_first))
    assert (await go_on(world, start(world, "2", no_first)))["b"].cached
    assert not (await go_on(world, start(world, "3", no_first), files={"rows.txt": b"1 2"}))["b"].cached
    assert not (await go_on(world, start(world, "4", no_first), rows=4.0))["b"].cached
    own = world.send({"train.py": b"1"})
    assert not (await go_on(world, start(world, "5", no_first, files=own)))["b"].cached
    assert (await go_on(world, start(world, "6", no_first, files=own)))["b"].cached


async def test_a_job_that_failed_does_not_count(world: World) -> None:
    await go_on(world, start(world, "1"), code=1)
    assert not (await go_on(world, start(world, "2")))["a"].cached


@pytest.mark.parametrize("lost", ["dropped", "soon", "file"])
async def test_a_job_whose_files_are_gone_does_not_count(world: World, lost: str) -> None:
    made = await go_on(world, start(world, "1"))
    jobs, job = world.service.jobs, str(made["a"].job_id)
    if lost == "dropped":
        jobs.mark_dropped(job, "artifacts", now=world.clock())
    elif lost == "soon":
        world.clock.pass_by(29.5 * DAY)
    else:
        world.service.files.delete([world.service.files.artifact(job, "rows.txt")])
    again = (await go_on(world, start(world, "2")))["a"]
    assert (again.state, again.cached) == (PipelineStepState.SUCCEEDED, False)


async def test_what_somebody_names_to_run_again_is_run(world: World) -> None:
    first = start(world, "1")
    await go_on(world, first)
    ended = world.service.pipelines.runs.get(first.id)
    assert ended is not None
    again = world.service.pipelines.starter.again(ended, "2", "b")
    assert isinstance(again, Started)
    steps = await go_on(world, again.run)
    assert (steps["a"].taken_from, steps["a"].cached) == (first.id, False)
    assert (steps["b"].taken_from, steps["b"].cached, again.run.cache) == (None, False, False)


async def test_rules_judge_what_is_taken_as_what_runs(world: World, tmp_path: Path) -> None:
    assert world.gates is not None
    await go_on(world, start(world, "1"))
    second = start(world, "2")
    change_rules(world.gates, tmp_path / "rules", about("no-data", "job.name != 'two: a'"))
    steps = await go_on(world, second)
    assert (steps["a"].state, steps["a"].job_id) == (PipelineStepState.FAILED, None), steps
    assert str(steps["a"].reason).startswith("no-data says no")


async def test_where_a_rule_asks_for_an_approval_the_job_waits_for_it(world: World, tmp_path: Path) -> None:
    assert world.gates is not None
    await go_on(world, start(world, "1"))
    asked = about("ask", "job.name != 'two: a'", approval=[{"role": "admin"}])
    change_rules(world.gates, tmp_path / "rules", asked)
    step = (await go_on(world, start(world, "2")))["a"]
    assert (step.state, step.cached) == (PipelineStepState.RUNNING, False)
    assert world.job(str(step.job_id)).state is JobState.HELD


async def test_a_service_that_is_killed_before_it_notes_the_job_still_knows_its_key(world: World) -> None:
    class Killed(BaseException):
        pass

    def end(*args: object, **more: object) -> None:
        raise Killed

    first = start(world, "1")
    runner = world.service.pipelines.runner
    mortal: Any = type("Mortal", (), {"__getattr__": lambda self, name: getattr(runner.runs, name), "begin": end})()
    with pytest.raises(Killed):
        await replace(runner, runs=mortal).tick()
    world.restart()
    await go_on(world, first)
    assert (await go_on(world, start(world, "2")))["a"].cached
    assert len(world.service.jobs.newest(["nlp"], limit=9)) == 2


async def test_an_image_without_a_digest_is_told_and_never_taken(tmp_path: Path) -> None:
    made = make_registry()
    world = World(tmp_path / "disk", registry=replace(made, cluster=replace(made.cluster, simulated=False)))
    file = read_pipeline(TWO.encode())
    checked = world.service.pipelines.starter.check("ada", "nlp", file.pipeline)
    assert [each.uncacheable for each in checked] == [
        "its image job:test has no digest, so what is in it may change"
    ] * 2
    await go_on(world, start(world, "1"))
    assert not (await go_on(world, start(world, "2")))["a"].cached
    world.close()
