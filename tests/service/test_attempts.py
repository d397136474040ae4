"""What the service says of a job's attempts, and of what all of them cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.jobs import JobRun, JobState
from aifactory_hub.service.answers import job_answer

from .world import MIG, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def answer(world: World, job_id: str) -> Any:
    return job_answer(world.job(job_id), world.service.registry, now=world.clock())


async def test_a_job_costs_what_all_its_attempts_cost(world: World) -> None:
    job_id = await world.submit(retries=2, retry_backoff=30, max_seconds=7200)
    assert answer(world, job_id)["cost"] == {"per_hour": "0.40", "hours": 6.0, "at_most": "2.40", "so_far": "0.00"}
    await world.settle()
    world.clock.pass_by(3600)
    world.pipeline.end("nlp", job_id, 1)
    await world.settle()
    world.clock.pass_by(3600)  # it waits, and holds nothing
    await world.settle()
    world.clock.pass_by(1800)
    cost = answer(world, job_id)["cost"]
    assert cost == {"per_hour": "0.40", "hours": 5.0, "at_most": "2.00", "so_far": "0.60"}
    world.pipeline.end("nlp", f"{job_id}r2", 0)
    await world.settle()
    world.clock.pass_by(3600)
    assert answer(world, job_id)["cost"] == {"per_hour": "0.40", "hours": 1.5, "at_most": "0.60", "so_far": "0.60"}


async def test_each_attempt_tells_what_it_held_and_for_how_long(world: World) -> None:
    job_id = await world.submit(retries=1, retry_backoff=30)
    assert (answer(world, job_id)["attempts"], answer(world, job_id)["history"]) == ([], [])
    await world.settle()
    world.pipeline.print_line("nlp", job_id, "first try")
    world.clock.pass_by(60)
    world.pipeline.end("nlp", job_id, 7)
    await world.settle()
    world.clock.pass_by(30)
    await world.settle()
    world.clock.pass_by(5)
    first, second = answer(world, job_id)["attempts"]
    held = [{"resource": "nvidia.com/mig-1g.10gb", "flavor": "h100-80gb", "count": 1}]
    told = ("attempt", "kind", "exit_code", "held_seconds", "devices", "log_size")
    assert [first[name] for name in told] == [1, "retry", 7, 60.0, held, 10]
    assert [second[name] for name in told] == [2, None, None, None, held, None]
    assert (first["starting"] < first["ended"] < second["starting"], second["ended"]) == (True, None)
    assert [entry["attempt"] for entry in answer(world, job_id)["history"]] == [1]


async def test_the_nodes_that_an_attempt_was_seen_on_stay_known(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = await world.submit()
    await world.settle()
    for nodes in (("gpu-2",), ("gpu-1", "gpu-2"), ()):
        run = JobRun(True, "u", JobState.RUNNING, nodes=nodes)

        async def seen(*_: object, run: JobRun = run) -> JobRun:
            return run

        monkeypatch.setattr(world.pipeline, "get", seen)
        await world.settle()
    assert answer(world, job_id)["attempts"][0]["nodes"] == ["gpu-1", "gpu-2"]
    assert world.job(job_id).spec.profile == MIG
