"""The service killed before and after each change that it makes, one kill a day, and started again."""

from __future__ import annotations

import asyncio
import inspect
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.store import FileStore, intake
from aifactory_hub.store.attempts import Attempts

from .world import World


class Killed(BaseException):
    """The process is gone, at once: nothing in it runs any more."""


class Kill:
    """Comes between the service and all that outlives it, and kills before or after the n-th change."""

    CHANGES = frozenset(
        {"request", "hold", "release", "create", "delete", "set_state", "finish", "intend_run"}
        | {"confirm_run", "set_run", "mark_cleaned", "record_log", "begin_ending", "next_attempt"}
    )

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.count = at, after, 0

    def __call__(self, part: Any) -> Any:
        return _Between(part, self)

    def before_change(self, name: str) -> None:
        self.count += name in self.CHANGES
        if name in self.CHANGES and not self.after and self.count == self.at:
            raise Killed(f"before {name}")

    def after_change(self, name: str) -> None:
        if name in self.CHANGES and self.after and self.count == self.at:
            raise Killed(f"after {name}")


class _Between:
    def __init__(self, part: Any, kill: Kill) -> None:
        self._part, self._kill = part, kill

    def __getattr__(self, name: str) -> Any:
        call, kill = getattr(self._part, name), self._kill
        if isinstance(call, Attempts):
            return _Between(call, kill)
        if not callable(call):
            return call

        def sync(*args: Any, **kwargs: Any) -> Any:
            kill.before_change(name)
            result = call(*args, **kwargs)
            kill.after_change(name)
            return result

        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            kill.before_change(name)
            result = await call(*args, **kwargs)
            kill.after_change(name)
            return result

        return asynchronous if inspect.iscoroutinefunction(call) else sync


# How a job's day goes on after its start, what the attempts' runs are, and where it ends.
DAYS = {
    "succeeds": (["start", "succeed"], 1, "SUCCEEDED"),
    "fails": (["start", "fail"], 1, "FAILED"),
    "is cancelled": (["start", "cancel"], 1, "CANCELLED"),
    "is tried again": (["start", "fail", "wait", "start", "succeed"], 2, "SUCCEEDED"),
    "is suspended and resumed": (["start", "suspend", "resume", "start", "succeed"], 2, "SUCCEEDED"),
    "is suspended and cancelled": (["start", "suspend", "cancel"], 1, "CANCELLED"),
}


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_kill_at_any_change_leaves_one_run_an_attempt_and_the_right_end(
    tmp_path: Path, day: str, after: bool
) -> None:
    at, survived = 0, False
    while not survived:
        at += 1
        assert at < 60, "it never came to an end"
        survived = await _day_with_a_kill(tmp_path / str(at), day, Kill(at, after=after))
    assert at > 8, "fewer changes than a job's day has"


async def _day_with_a_kill(path: Path, day: str, kill: Kill) -> bool:
    """One job's day with one kill; whether the day was over before the kill came."""
    parts, attempts, end = DAYS[day]
    world = World(path)
    try:
        job_id = await world.submit(retries=1 if "wait" in parts else 0)
        world.restart(kill)
        survived = await _settled(world)
        for part in [*parts, "go on"]:
            _do(world, job_id, part)
            survived = await _settled(world) and survived
        job = world.job(job_id)
        assert (job.state.value, job.live) == (end, False), (kill.at, kill.after)
        made = [spec.run_id for spec in world.engine.created]
        assert (len(made), len(set(made))) == (attempts, attempts), (kill.at, kill.after, made)
        assert await world.admission.tickets("nlp") == []
        assert await world.engine.runs("nlp") == []
        return survived
    finally:
        world.close()


async def _settled(world: World) -> bool:
    """Let the service do what it can; after a kill it is started again. Whether it survived."""
    try:
        await world.settle()
    except Killed:
        world.restart()
        await world.settle()
        return False
    return True


def _do(world: World, job_id: str, part: str) -> None:
    run = world.job(job_id).run_id
    match part:
        case "start":
            world.engine.start("nlp", run)
        case "succeed":
            world.engine.end("nlp", run, 0)
        case "fail":
            world.engine.end("nlp", run, 1)
        case "cancel":
            world.service.jobs.ask_cancel(job_id, by="ada", now=1.0)
        case "suspend":
            world.service.jobs.ask_suspend(job_id, by="ada", now=1.0)
        case "resume":
            world.service.jobs.resume(job_id)
        case "wait":
            world.clock.pass_by(3600)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


# Before and after a job's files are noted as used, the transaction that stores the job, the journal's file.
TAKING_IN = {"use_snapshot": intake, "_insert_all": intake.Intake, "journal_write": FileStore}


@pytest.mark.parametrize("at", TAKING_IN)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_kill_while_a_job_is_taken_in_leaves_one_job_once_the_client_has_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, after: bool
) -> None:
    world = World(tmp_path)
    try:
        digest = world.send({"train.py": b"print(1)"})
        whole = getattr(TAKING_IN[at], at)

        def killed(*args: Any, **kwargs: Any) -> Any:
            if after:
                whole(*args, **kwargs)
            raise Killed(at)

        async def ask() -> str:
            job_id = await world.submit(files=digest)
            await world.service.periodic_tasks.calls["journal"][1]()
            return job_id

        with monkeypatch.context() as dying:
            dying.setattr(TAKING_IN[at], at, killed)
            # Whoever waits for a transaction that others share is told that nothing is known of it.
            with pytest.raises((Killed, asyncio.CancelledError)):
                await ask()
        world.restart()
        job_id = await ask()
        assert await ask() == job_id
        assert [job.id for job in world.service.jobs.live()] == [job_id]
        assert await world.state(job_id) == ("STARTING", None)
        assert [spec.run_id for spec in world.engine.created] == [job_id]
        assert world.job(job_id).spec.input_sha256 == digest
    finally:
        world.close()


def _restore(path: Path) -> None:
    for file in path.glob("service.sqlite*"):
        file.unlink()
    (path / "backup").rename(path / "service.sqlite")


async def test_a_database_restored_from_an_hour_ago_loses_no_job_and_runs_none_twice(tmp_path: Path) -> None:
    world = World(tmp_path)
    journal = "journal"

    async def keep() -> None:
        await world.settle()
        await world.service.periodic_tasks.calls[journal][1]()

    try:
        running, waiting = await world.submit("running"), await world.submit("waiting", profile="cpu-small")
        world.service.jobs.ask_suspend(waiting, by="ada", now=1.0)
        await keep()
        world.service.jobs.close()
        shutil.copy(tmp_path / "service.sqlite", tmp_path / "backup")
        world.restart()
        # The hour that the database forgets: one ends, one that waited runs and ends, two are taken in.
        world.engine.end("nlp", running, 0)
        world.service.jobs.resume(waiting)
        await keep()
        world.engine.end("nlp", world.job(waiting).run_id, 0)
        new, cancelled = await world.submit("new"), await world.submit("cancelled")
        world.service.jobs.ask_cancel(cancelled, by="ada", now=2.0)
        await keep()
        made = len(world.engine.created)
        world.service.jobs.close()
        _restore(tmp_path)
        world.restart()
        await keep()
        states = {job_id: world.job(job_id).state.value for job_id in (running, waiting, new, cancelled)}
        assert list(states.values()) == ["SUCCEEDED", "SUCCEEDED", "STARTING", "CANCELLED"]
        assert await world.submit("new") == new
        world.engine.end("nlp", new, 0)
        assert (await world.state(new))[0] == "SUCCEEDED"
        assert len(world.engine.created) == made
        assert await world.admission.tickets("nlp") == []
    finally:
        world.close()


async def test_a_run_that_the_api_makes_after_it_was_given_up_is_removed(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    late = world.engine.created[0]
    world.service.jobs.ask_cancel(job_id, by="ada", now=1.0)
    await world.settle()
    await world.engine.create(late)  # the answer to it was lost, and it took its time
    going = await world.submit("going")
    await world.settle()
    await world.service.reconciler.sweep()
    assert [run.run_id for run in await world.engine.runs("nlp")] == [going]


async def test_a_run_of_a_job_that_nobody_knows_is_removed_after_an_hour(world: World) -> None:
    await world.submit()
    await world.settle()
    stranger = replace(world.engine.created[0], run_id="j0000000000ff")
    await world.engine.create(stranger)
    await world.service.reconciler.sweep()
    assert len(await world.engine.runs("nlp")) == 2
    world.engine.ages[stranger.run_id] = 3700.0
    await world.service.reconciler.sweep()
    assert stranger.run_id not in [run.run_id for run in await world.engine.runs("nlp")]
