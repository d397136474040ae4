"""The service killed before and after each change that it makes, one kill a day, and started again."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from .world import World


class Killed(BaseException):
    """The process is gone, at once: nothing in it runs any more."""


class Kill:
    """Comes between the service and all that outlives it, and kills before or after the n-th change."""

    CHANGES = frozenset(
        {"request", "hold", "release", "create", "delete", "set_state", "finish", "intend_run"}
        | {"confirm_run", "mark_cleaned", "record_log"}
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


@pytest.mark.parametrize("ending", ["succeeds", "fails", "is cancelled"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_kill_at_any_change_leaves_one_run_and_the_right_end(tmp_path: Path, ending: str, after: bool) -> None:
    at, survived = 0, False
    while not survived:
        at += 1
        assert at < 40, "it never came to an end"
        survived = await _day_with_a_kill(tmp_path / str(at), ending, Kill(at, after=after))
    assert at > 8, "fewer changes than a job's day has"


async def _day_with_a_kill(path: Path, ending: str, kill: Kill) -> bool:
    """One job's day with one kill; whether the day was over before the kill came."""
    world = World(path)
    try:
        job_id = await world.submit()
        world.restart(kill)
        survived = True
        for part in ("start", ending, "go on"):
            if part == "succeeds":
                world.pipeline.end("nlp", job_id, 0)
            elif part == "fails":
                world.pipeline.end("nlp", job_id, 1)
            elif part == "is cancelled":
                world.service.jobs.ask_cancel(job_id, by="ada", now=1.0)
            try:
                await world.settle()
            except Killed:
                survived = False
                world.restart()
                await world.settle()
            world.pipeline.start("nlp", job_id) if part == "start" else None
        expected = {"succeeds": "SUCCEEDED", "fails": "FAILED", "is cancelled": "CANCELLED"}[ending]
        job = world.job(job_id)
        assert (job.state.value, job.live) == (expected, False), (kill.at, kill.after)
        assert len(world.pipeline.created) == 1, (kill.at, kill.after)
        assert await world.admission.tickets("nlp") == []
        return survived
    finally:
        world.close()
