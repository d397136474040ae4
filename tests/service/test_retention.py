"""What jobs left goes when its time is over; the records stay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from aifactory_hub.store import Artifact

from .world import World

DAY = 86400.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    world.registry = replace(
        world.registry,
        jobs=replace(world.registry.jobs, keep_inputs=1 * 86400, keep_logs=2 * 86400, keep_artifacts=3 * 86400),
    )
    world.restart()
    yield world
    world.close()


async def test_each_kind_goes_in_its_time_and_a_live_job_keeps_all(world: World) -> None:
    files = world.service.files
    ended, live = await world.submit("a"), await world.submit("b")
    await world.settle()
    for job_id in (ended, live):
        for target in (files.input(job_id), files.log(job_id), files.artifact(job_id, "model")):
            with files.incoming(10) as incoming:
                incoming.write(b"x")
                incoming.keep(target)
        world.service.jobs.put_artifact(job_id, Artifact("model", 1, "c" * 64, 1.0))
    world.pipeline.end("nlp", ended, 0)
    await world.settle()
    began = world.clock.now

    async def left(days: float) -> list[bool]:
        world.clock.now = began + days * DAY
        await world.service.chores.calls["retention"][1]()
        return [path.exists() for path in (files.input(ended), files.log(ended), files.artifact(ended, "model"))]

    assert await left(0.9) == [True, True, True]
    assert await left(1.1) == [False, True, True]
    assert await left(2.1) == [False, False, True]
    assert await left(3.1) == [False, False, False]
    job = world.job(ended)
    assert None not in (job.inputs_dropped_at, job.log_dropped_at, job.artifacts_dropped_at)
    assert job.state.value == "SUCCEEDED"
    assert all(path.exists() for path in (files.input(live), files.log(live), files.artifact(live, "model")))
