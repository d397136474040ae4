"""What jobs left goes when its time is over; the records stay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.metrics import Point
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
    digests = [world.send({"train.py": name.encode()}) for name in ("a", "b")]
    ended, live = [await world.submit(digest[:9], files=digest) for digest in digests]
    await world.settle()
    for job_id in (ended, live):
        for target in (files.log(job_id, 1), files.artifact(job_id, "model")):
            with files.incoming(10) as incoming:
                incoming.write(b"x")
                incoming.keep(target)
        said: dict[str, Any] = {"metrics": {"loss": 0.5}, "points": {"loss": [Point(0, 0, 1.0, 0.5)]}}
        world.service.jobs.attempts.record_progress(job_id, 1, percent=None, eta=None, **said, now=1.0)
        world.service.jobs.put_artifact(job_id, Artifact("model", 1, "c" * 64, 1.0))
    world.engine.end("nlp", ended, 0)
    await world.settle()
    began = world.clock.now

    async def left(days: float) -> list[bool]:
        world.clock.now = began + days * DAY
        await world.service.periodic_tasks.calls["retention"][1]()
        await world.service.reconciler.sweep()
        return kept(ended, digests[0])

    def kept(job_id: str, digest: str) -> list[bool]:
        keys = (files.manifest("nlp", "ada", digest), files.log(job_id, 1), files.artifact(job_id, "model"))
        metrics = world.service.jobs.metrics.read(job_id, most=10)
        assert bool(metrics.series) == (files.size(keys[1]) is not None)  # they go with the log
        return [files.size(key) is not None for key in keys]

    assert await left(0.9) == [True, True, True]
    assert await left(1.1) == [False, True, True]
    assert await left(2.1) == [False, False, True]
    assert await left(3.1) == [False, False, False]
    job = world.job(ended)
    assert None not in (job.inputs_dropped_at, job.log_dropped_at, job.artifacts_dropped_at)
    assert job.state.value == "SUCCEEDED"
    assert kept(live, digests[1]) == [True, True, True]
    _, packs = world.service.snapshots.manifest("nlp", "ada", digests[1])
    assert [files.size(files.pack("nlp", "ada", pack)) is not None for pack in packs] == [True]
