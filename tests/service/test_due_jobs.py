"""Which jobs are looked at, and when."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.attempts import Attempt
from aifactory_hub.domain.jobs import EndKind, JobState
from aifactory_hub.service.controller.due_jobs import DueJobs, pause_after
from aifactory_hub.service.controller.reconcile import Reconciler

from ..store.test_jobs import make_job
from .world import World


def test_jobs_come_when_they_are_due_and_stay_until_something_else_is_said() -> None:
    due_jobs = DueJobs()
    for job_id, at in (("a", 3.0), ("b", 1.0), ("c", 2.0)):
        due_jobs.put(job_id, at)
    assert (due_jobs.due(0.5), due_jobs.due(2.0), due_jobs.due(2.0)) == ([], ["b", "c"], ["b", "c"])
    due_jobs.put("b", 9.0)
    due_jobs.drop("c")
    assert (due_jobs.due(5.0), due_jobs.next(), len(due_jobs)) == (["a"], 3.0, 2)


def test_what_is_heard_during_a_look_is_not_forgotten_after_it() -> None:
    due_jobs = DueJobs()
    due_jobs.put("a", float("inf"))
    due_jobs.put("a", 0.0)
    due_jobs.put("a", 30.0, sooner=True)
    assert due_jobs.due(1.0) == ["a"]


@pytest.mark.parametrize(
    ("job", "pause"),
    [
        ({"state": JobState.RUNNING}, 30),
        ({"state": JobState.QUEUED}, 30),
        ({"state": JobState.SUSPENDED, "suspend_asked_at": 1.0}, 30),
        ({"state": JobState.STARTING}, 1),
        ({"state": JobState.SUCCEEDED}, 1),
        ({"state": JobState.RUNNING, "cancel_asked_at": 1.0}, 1),
        ({"state": JobState.RUNNING, "suspend_asked_at": 1.0}, 1),
        ({"state": JobState.RUNNING, "attempts": (Attempt(1, kind=EndKind.RETRY),)}, 1),
        ({"state": JobState.RUNNING, "attempts": (Attempt(1, report={"exit_code": 0}),)}, 1),
        ({"state": JobState.RUNNING, "unreachable": "away"}, 5),
        ({"state": JobState.PENDING}, 5),
        ({"state": JobState.PENDING, "not_before": 107.0}, 7),
        ({"state": JobState.PENDING, "not_before": 1e9}, 30),
        ({"state": JobState.PENDING, "not_before": 50.0}, 5),
    ],
)
def test_a_job_is_looked_at_as_often_as_it_takes(job: dict[str, Any], pause: float) -> None:
    assert pause_after(make_job("j1", **job), quiet=30, tick=1, now=100.0) == pause


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


async def test_jobs_that_only_run_are_left_alone_until_something_is_heard_of_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [await world.submit(str(n)) for n in range(2)]
    await world.settle()
    for job_id in ids:
        world.engine.start("nlp", job_id)
    await world.settle()
    asked, ticks = Counter[str](), Counter[str]()
    get, tickets = world.engine.get, world.admission.tickets

    async def counted(tenant: str, run_id: str) -> Any:
        asked[run_id] += 1
        return await get(tenant, run_id)

    async def listed(tenant: str) -> Any:
        ticks[tenant] += 1
        return await tickets(tenant)

    monkeypatch.setattr(world.engine, "get", counted)
    monkeypatch.setattr(world.admission, "tickets", listed)
    reconciler = Reconciler(world.service.reconciler._w, tick=0.01, quiet=1000)
    loop = asyncio.create_task(reconciler.run())
    try:
        async with asyncio.timeout(20):
            await _until(lambda: ticks["nlp"] > 5)
            assert asked == {ids[0]: 1, ids[1]: 1}  # once, at the start
            world.engine.end("nlp", ids[0], 0)
            reconciler.wake(f"job-{ids[0]}-abcde")
            await _until(lambda: not world.job(ids[0]).live)
            assert asked[ids[1]] == 1
            await world.admission.release("nlp", f"job-{ids[1]}")  # a ticket that goes is seen in the list
            await _until(lambda: asked[ids[1]] > 1)
            reconciler.heard(await world.submit("new"))
            await _until(lambda: len(world.engine.created) == 3)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


async def test_a_pod_that_is_over_is_looked_at_until_its_controller_says_so(world: World) -> None:
    """The host's watch tells of the pod's end, and nothing tells of what its controller makes of it."""
    job_id = await world.submit("a")
    await world.settle()
    world.engine.start("nlp", job_id)
    await world.settle()
    reconciler = Reconciler(world.service.reconciler._w, tick=0.01, quiet=1000)
    loop = asyncio.create_task(reconciler.run())
    try:
        async with asyncio.timeout(20):
            await asyncio.sleep(0.1)
            reconciler.wake(f"job-{job_id}-abcde", ending=True)
            await asyncio.sleep(0.1)
            world.engine.end("nlp", job_id, 0)
            await _until(lambda: not world.job(job_id).live)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


async def _until(true: Any) -> None:
    while not true():
        await asyncio.sleep(0.01)
