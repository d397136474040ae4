"""Which jobs are looked at, and when."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.admission import AdmissionUnavailable
from aifactory_hub.domain.attempts import Attempt
from aifactory_hub.domain.jobs import EndKind, JobState
from aifactory_hub.domain.tickets import MissedChanges, TicketState, changes_between
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


@dataclass
class Asked:
    """How often the engine and the admission were asked, by run, by ticket and by tenant."""

    runs: Counter[str] = field(default_factory=Counter)
    tickets: Counter[str] = field(default_factory=Counter)
    lists: Counter[str] = field(default_factory=Counter)


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> Asked:
    counted = Asked()
    run, one, several = world.engine.get, world.admission.get, world.admission.tickets

    async def get_run(tenant: str, run_id: str) -> Any:
        counted.runs[run_id] += 1
        return await run(tenant, run_id)

    async def get_ticket(tenant: str, name: str) -> Any:
        counted.tickets[name] += 1
        return await one(tenant, name)

    async def list_tickets(tenant: str) -> Any:
        counted.lists[tenant] += 1
        return await several(tenant)

    monkeypatch.setattr(world.engine, "get", get_run)
    monkeypatch.setattr(world.admission, "get", get_ticket)
    monkeypatch.setattr(world.admission, "tickets", list_tickets)
    return counted


async def running(world: World, many: int) -> list[str]:
    """Jobs that run."""
    ids = [await world.submit(str(n)) for n in range(many)]
    await world.settle()
    for job_id in ids:
        world.engine.start("nlp", job_id)
    await world.settle()
    return ids


@asynccontextmanager
async def reconciling(world: World, **settings: Any) -> AsyncIterator[Reconciler]:
    """A reconciler that runs, without sweeps: they ask on their own."""
    reconciler = Reconciler(world.service.reconciler._w, tick=0.01, **{"quiet": 1000.0, **settings})
    reconciler._sweeper.run = _never  # type: ignore[method-assign]
    loop = asyncio.create_task(reconciler.run())
    try:
        async with asyncio.timeout(20):
            yield reconciler
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


async def _never() -> None:
    await asyncio.Event().wait()


async def test_jobs_that_only_run_are_left_alone_until_something_is_heard_of_them(world: World, asked: Asked) -> None:
    ids = await running(world, 2)
    for counter in (asked.runs, asked.tickets, asked.lists):
        counter.clear()
    async with reconciling(world) as reconciler:
        await _until(lambda: asked.runs == {ids[0]: 1, ids[1]: 1})  # once, at the start
        await asyncio.sleep(0.3)
        assert asked.runs == {ids[0]: 1, ids[1]: 1}
        assert (asked.lists, asked.tickets.total()) == ({}, 2), "nobody is asked while nothing is due"
        world.engine.end("nlp", ids[0], 0)
        reconciler.wake(f"job-{ids[0]}-abcde")
        await _until(lambda: not world.job(ids[0]).live)
        assert asked.runs[ids[1]] == 1
        await world.admission.release("nlp", f"job-{ids[1]}")  # somebody deletes its ticket
        await _until(lambda: asked.runs[ids[1]] > 1)
        reconciler.heard(await world.submit("new"))
        await _until(lambda: len(world.engine.created) == 3)


async def test_a_job_that_waits_goes_on_when_its_ticket_is_admitted(world: World) -> None:
    ids = await running(world, 3)  # there is room for two
    assert world.job(ids[2]).state is JobState.QUEUED
    async with reconciling(world):
        await asyncio.sleep(0.1)
        world.engine.end("nlp", ids[0], 0)
        await world.admission.release("nlp", f"job-{ids[0]}")
        await _until(lambda: world.job(ids[2]).state is JobState.STARTING)


async def test_many_that_are_due_at_once_are_listed_and_few_are_asked_for_one_by_one(
    world: World, asked: Asked
) -> None:
    ids = [await world.submit(str(n), profile="cpu-small") for n in range(9)]
    await world.settle()
    for job_id in ids:
        world.engine.start("nlp", job_id)
    await world.settle()
    for counter in (asked.runs, asked.tickets, asked.lists):
        counter.clear()
    async with reconciling(world) as reconciler:
        # On a slow machine they are due once more, and listed again, before this looks.
        await _until(lambda: asked.lists["nlp"] >= 1 and asked.runs.total() >= 9)
        assert not asked.tickets
        reconciler.wake(f"job-{ids[0]}-abcde")
        await _until(lambda: asked.tickets == {f"job-{ids[0]}": 1})


@pytest.mark.parametrize("silent", ["tickets", "pods"])
async def test_a_team_that_is_not_heard_any_more_is_looked_at_as_often_as_before(
    world: World, asked: Asked, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    (job_id,) = await running(world, 1)
    age, pods = 0.0, True
    monkeypatch.setattr(world.admission, "heard", lambda tenant: age)
    asked.runs.clear()
    async with reconciling(world, unheard=0.05, hears=lambda tenant: pods):
        await _until(lambda: asked.runs[job_id] == 1)
        await asyncio.sleep(0.3)
        assert asked.runs[job_id] == 1
        age, pods = (61.0, True) if silent == "tickets" else (0.0, False)
        await _until(lambda: asked.runs[job_id] > 5)
        age, pods = 0.0, True
        await asyncio.sleep(0.2)
        before = asked.runs[job_id]
        await asyncio.sleep(0.3)
        assert asked.runs[job_id] == before, "it is heard again"


async def test_a_quota_engine_that_falls_silent_is_noted_at_its_jobs_and_ends_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job_id,) = await running(world, 1)

    async def away(*_: object) -> None:
        raise AdmissionUnavailable("the host does not answer")

    async with reconciling(world, unheard=0.05):
        await asyncio.sleep(0.1)
        with monkeypatch.context() as patched:
            patched.setattr(world.admission, "heard", lambda tenant: 61.0)
            for name in ("get", "tickets"):
                patched.setattr(world.admission, name, away)
            await _until(lambda: world.job(job_id).unreachable is not None)
            assert world.job(job_id).state is JobState.RUNNING
        await _until(lambda: world.job(job_id).unreachable is None)


async def test_tickets_that_are_told_as_their_team_begins_to_be_heard_cost_one_look_and_not_at_once(
    world: World, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job_id,) = await running(world, 1)
    asked.runs.clear()
    monkeypatch.setattr(world.admission, "heard", lambda tenant: None)
    async with reconciling(world, unheard=1000.0) as reconciler:
        await _until(lambda: asked.runs[job_id] == 1)
        (ticket,) = await world.admission.tickets("nlp")
        for change in changes_between(None, ticket, seen_at=1.0, live=False):
            reconciler._ticket_changed(change)
        await asyncio.sleep(0.3)
        assert asked.runs[job_id] == 1
        at = reconciler._due_jobs["nlp"].next()
        assert at is not None and 0 < at - asyncio.get_running_loop().time() < 1000
        (change,) = changes_between(ticket, replace(ticket, state=TicketState.EVICTED), seen_at=1.0, live=False)
        reconciler._ticket_changed(change)
        await _until(lambda: asked.runs[job_id] == 2)


async def test_when_changes_were_missed_every_job_is_looked_at(world: World, asked: Asked) -> None:
    ids = await running(world, 2)
    asked.runs.clear()
    async with reconciling(world) as reconciler:
        await _until(lambda: asked.runs == {ids[0]: 1, ids[1]: 1})
        reconciler._ticket_changed(MissedChanges())
        await _until(lambda: asked.runs == {ids[0]: 2, ids[1]: 2})


async def test_changes_that_break_off_are_heard_anew(
    world: World, asked: Asked, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (job_id,) = await running(world, 1)
    changes, broken = world.admission.changes, [RuntimeError("broken")]

    def breaks_once(**asked: Any) -> Any:
        if broken:
            raise broken.pop()
        return changes(**asked)

    monkeypatch.setattr(world.admission, "changes", breaks_once)
    async with reconciling(world):
        await _until(lambda: not broken and len(world.admission._changes._streams) == 1)
        asked.runs.clear()
        await world.admission.release("nlp", f"job-{job_id}")
        await _until(lambda: asked.runs[job_id] > 0)
    assert "it is tried again" in caplog.text


async def test_a_pod_that_is_over_is_looked_at_until_its_controller_says_so(world: World) -> None:
    """The host's watch tells of the pod's end, and nothing tells of what its controller makes of it."""
    job_id = await world.submit("a")
    await world.settle()
    world.engine.start("nlp", job_id)
    await world.settle()
    async with reconciling(world) as reconciler:
        await asyncio.sleep(0.1)
        reconciler.wake(f"job-{job_id}-abcde", ending=True)
        await asyncio.sleep(0.1)
        world.engine.end("nlp", job_id, 0)
        await _until(lambda: not world.job(job_id).live)


async def _until(true: Any) -> None:
    while not true():
        await asyncio.sleep(0.01)
