"""Pools of threads, and turns at what few may do at a time."""

from __future__ import annotations

import ast
import asyncio
import threading
from pathlib import Path

import pytest

import aifactory_hub
from aifactory_hub.service import executors
from aifactory_hub.service.executors import Pool
from aifactory_hub.service.turns import Circle

ROOT = Path(aifactory_hub.__file__).parent


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def calls(path: Path) -> list[str]:
    return [ast.unparse(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", sources("service", "store"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_runs_in_the_pool_that_everything_shares(path: Path) -> None:
    shared = [c for c in calls(path) if c.startswith(("asyncio.to_thread", "to_thread")) or "run_in_executor(None" in c]
    assert shared == []


@pytest.mark.parametrize(
    "path", sources("service", "store", "runner", "untrusted"), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_no_general_reader_of_archives_or_pickles_is_near_what_members_send(path: Path) -> None:
    general = {"tarfile", "zipfile", "shelve", "marshal", "pickle"}
    # What a job's own program returns in its own pod is read there.
    allowed = {"pickle"} if path.name == "call.py" else set()
    assert imported(path) & general <= allowed


async def test_pools_do_not_wait_for_each_other() -> None:
    go_on = threading.Event()
    stuck = [asyncio.create_task(executors.uploads.run(go_on.wait, 30)) for _ in range(executors.UPLOADS + 3)]
    try:
        names = [await pool.run(lambda: threading.current_thread().name) for pool in (executors.reads, executors.clock)]
        assert [name.split("_")[0] for name in names] == ["reads", "clock"]
    finally:
        go_on.set()
        await asyncio.gather(*stuck)


async def test_what_a_call_raises_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        await Pool("one", 1).run(lambda: 1 / 0)


class Line:
    """People who wait for turns; each holds theirs until told."""

    def __init__(self, at_once: int) -> None:
        self.turns = Circle(at_once)
        self.order: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def join(self, *names: str) -> None:
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._have(name))
        await settle()

    async def end(self, *names: str) -> list[str]:
        for name in names:
            self.ends[name].set()
            await settle()
        return self.order

    async def _have(self, name: str) -> None:
        async with self.turns.turn(name[0]):
            self.order.append(name)
            await self.ends[name].wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_persons_queue_delays_nobody_else() -> None:
    line = Line(2)
    await line.join("a1", "a2", "a3", "a4", "b1")
    assert line.order == ["a1", "b1"]
    await line.join("c1", "b2")
    # When a's turn ends, the next one is not a's again: c has had none.
    assert await line.end("a1") == ["a1", "b1", "c1"]
    assert await line.end("b1") == ["a1", "b1", "c1", "a2"]
    assert await line.end("c1") == ["a1", "b1", "c1", "a2", "b2"]
    assert await line.end("a2", "b2", "a3") == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]
    await line.end("a4")
    assert line.turns.waiting() == 0


async def test_nobody_has_two_turns_at_once_also_where_nobody_else_waits() -> None:
    line = Line(2)
    await line.join("a1", "b1", "a2")
    assert await line.end("b1") == ["a1", "b1"]
    assert await line.end("a1") == ["a1", "b1", "a2"]
    await line.end("a2")


async def test_who_goes_away_leaves_no_gap() -> None:
    line = Line(1)
    await line.join("a1", "b1", "c1", "d1")
    # One that waits; one that is given a turn in the very moment in which it goes.
    line.tasks["b1"].cancel()
    line.ends["a1"].set()
    await settle()
    assert line.order == ["a1", "c1"]
    line.ends["c1"].set()
    line.tasks["c1"].cancel()
    await settle()
    assert line.order == ["a1", "c1", "d1"]
    await line.end("d1")
    await line.join("b2")
    assert line.order[-1] == "b2"
    await line.end("b2")
    assert line.turns.waiting() == 0


async def test_a_turn_given_to_somebody_who_went_is_given_on() -> None:
    line = Line(1)
    await line.join("a1", "b1", "c1")
    line.ends["a1"].set()
    await asyncio.sleep(0)  # a's task has run: b was given the turn and has not begun
    line.tasks["b1"].cancel()
    await settle()
    assert line.order[-1] == "c1"
    await line.end("c1")
