"""Runs of pipelines go when their time is over, unless something refers to them; the cluster is in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from aifactory_hub.domain.git_hooks import Delivery
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.service.pipelines import retention
from aifactory_hub.service.pipelines.starter import Started
from aifactory_hub.store.pipeline_runs import PipelineRun
from aifactory_hub.store.pipeline_tables import PipelineStepRow
from aifactory_hub.store.trigger_tables import CommitStatusRow
from aifactory_hub.store.triggers import Calls, KeptDelivery

from ..support.models import plant
from .test_step_cache import TWO, go_on, start
from .trigger_site import trigger_site
from .world import World

DAY = 86400.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.registry = short(world.registry)
    world.restart()
    yield world
    world.close()


def short(registry: Any) -> Any:
    """A site that keeps files of jobs for three days at most, and runs for ten."""
    kept = {"keep_inputs": 86400, "keep_logs": 86400, "keep_artifacts": 3 * 86400, "keep_runs": 10 * 86400}
    return replace(registry, jobs=replace(registry.jobs, **kept))


async def pass_by(world: World, days: float, *, jobs: bool = True) -> list[str]:
    """The runs that are left after so many days; ``jobs``: what jobs gave back is removed in its time."""
    world.clock.pass_by(days * DAY)
    calls = world.service.periodic_tasks.calls
    if jobs:
        await calls["retention"][1]()
    await calls["retention of runs"][1]()
    return [run.id for run in world.service.pipelines.runs.newest("nlp", limit=50)]


def ended(world: World, run: PipelineRun) -> PipelineRun:
    found = world.service.pipelines.runs.get(run.id)
    assert found is not None
    assert found.state.final
    return found


def count(world: World, table: Any) -> int:
    with world.service.jobs.db.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


async def test_a_run_goes_with_its_steps_once_its_time_is_over(world: World, caplog: pytest.LogCaptureFixture) -> None:
    run = start(world, "1")
    await go_on(world, run)
    assert await pass_by(world, 9.5) == [run.id]
    with caplog.at_level(logging.INFO, logger=retention.__name__):
        assert await pass_by(world, 1) == []
    assert f"1 runs of pipelines removed: they ended more than 864000 s ago: {run.id}" in caplog.messages
    assert count(world, PipelineStepRow) == 0
    assert world.service.jobs.newest(["nlp"], limit=9) != [], "records of jobs stay"
    again = world.service.pipelines.starter.again(replace(run, key="x"), "2", None)
    assert isinstance(again, Refusal)
    assert "is not kept any more" in again.message


async def test_a_run_that_goes_on_is_kept(world: World) -> None:
    run = start(world, "1")
    await world.service.pipelines.runner.tick()
    assert await pass_by(world, 100) == [run.id]


async def test_a_run_is_kept_while_something_of_its_jobs_is(world: World) -> None:
    run = start(world, "1")
    await go_on(world, run)
    assert await pass_by(world, 20, jobs=False) == [run.id]
    assert await pass_by(world, 0) == []


async def test_a_run_whose_job_a_version_is_from_is_kept(world: World) -> None:
    runs = [start(world, "1"), start(world, "2", TWO.replace("make data", "other"))]
    made = [await go_on(world, run) for run in runs]
    plant(world.service, str(made[0]["a"].job_id), "fraud", {"model/w.safetensors": b"w"})
    assert await pass_by(world, 20) == [runs[0].id]


@pytest.mark.parametrize("result", [{"model": "fraud", "version": 1, "id": "v1"}, {"held": True}])
async def test_a_run_that_registered_a_version_is_kept_also_where_it_was_there_before(
    world: World, result: dict[str, Any]
) -> None:
    run = start(world, "1")
    world.service.pipelines.runs.succeed(run.id, "a", "fraud 1", result, now=world.clock())
    await go_on(world, run)
    assert await pass_by(world, 20) == ([run.id] if "version" in result else [])


@pytest.mark.parametrize("how", ["taken", "retried"])
async def test_a_run_is_kept_while_a_later_one_refers_to_it(world: World, how: str) -> None:
    first = start(world, "1")
    await go_on(world, first, code=0 if how == "taken" else 1)
    world.clock.pass_by(2 * DAY - 100)
    if how == "taken":
        later = start(world, "2")
    else:
        again = world.service.pipelines.starter.again(ended(world, first), "2", None)
        assert isinstance(again, Started)
        later = again.run
    steps = await go_on(world, later)
    assert (steps["a"].taken_from == first.id) == (how == "taken")
    assert await pass_by(world, 9) == [later.id, first.id], "its own time is over"
    assert await pass_by(world, 2) == [first.id], "as the later one was there when it was looked at"
    assert await pass_by(world, 0) == []


async def test_runs_are_looked_through_a_few_at_a_time_and_what_is_kept_stops_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    monkeypatch.setattr(retention, "_BATCHES", 2)
    runs = []
    for number in range(6):
        runs.append(start(world, str(number), TWO.replace("make", f"make {number}")))
        made = await go_on(world, runs[-1])
        if number < 3:
            plant(world.service, str(made["a"].job_id), "fraud", {"w.safetensors": str(number).encode()})
    kept = [run.id for run in reversed(runs[:3])]
    assert await pass_by(world, 20) == [runs[5].id, runs[4].id, *kept]
    assert await pass_by(world, 0) == kept
    assert await pass_by(world, 0) == kept


async def test_what_a_trigger_heard_goes_too(tmp_path: Path) -> None:
    with trigger_site(tmp_path) as site:
        world = site.world
        world.registry = short(world.registry)
        world.restart()
        trigger = site.make(paths=["train.py"])
        await site.look()
        await site.push({"README.md": "no\n"})
        commit = await site.push({"train.py": "print(2)\n"})
        (run,) = site.runs()
        await go_on(world, run)
        ended(world, run)
        call = KeptDelivery(trigger.id, world.clock(), Delivery("1", "push", "refs/heads/main", "bob", (commit,), None))
        site.parts.stored.take_calls(Calls([call]), now=world.clock())
        assert [event.state.value for event in site.events(trigger)] == ["STARTED", "SKIPPED"]
        assert await pass_by(world, 9.5) == [run.id]
        assert (len(site.events(trigger)), len(site.parts.stored.deliveries(trigger.id))) == (2, 1)
        assert await pass_by(world, 1) == []
        assert (site.events(trigger), site.parts.stored.deliveries(trigger.id)) == ([], [])
        assert count(world, CommitStatusRow) == 0
        await site.push({"train.py": "print(3)\n"})
        assert [event.state.value for event in site.events(trigger)] == ["STARTED"]
