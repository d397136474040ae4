"""Events of changed jobs are made once, however many streams tell of them, and a person's streams take turns."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from aifactory_hub.service.api.shared_events import Event, SharedEvents
from aifactory_hub.service.change_feed import ChangeFeed
from aifactory_hub.service.pace import Pace


class Making:
    """Makes events that say how often it was asked before; ``go`` lets it answer."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.go = asyncio.Event()

    async def __call__(self, jobs: Collection[str]) -> Mapping[str, Event]:
        self.asked.append(sorted(jobs))
        text = f"reading {len(self.asked)}"
        await self.go.wait()
        return {job: Event(f"{job}: {text}", "nlp") for job in jobs if job != "gone"}


def texts(events: list[Event]) -> list[str]:
    return [event.text for event in events]


async def test_many_streams_share_the_events_of_a_change() -> None:
    shared, making = SharedEvents(), Making()
    streams = [asyncio.create_task(shared.of(1, {"j1": 1}, making)) for _ in range(20)]
    await asyncio.sleep(0)
    streams[0].cancel()  # a reader who goes takes nothing from the others
    making.go.set()
    assert [texts(await stream) for stream in streams[1:]] == [["j1: reading 1"]] * 19
    assert texts(await shared.of(1, {"j1": 1}, making)) == ["j1: reading 1"]
    assert making.asked == [["j1"]]


async def test_streams_that_are_behind_by_different_changes_share_what_is_not_older() -> None:
    shared, making = SharedEvents(), Making()
    making.go.set()
    await shared.of(3, {"j1": 1, "j2": 3}, making)
    # Another stream has to tell of j2 and j3 only, a third one of all three, in the order in which they changed.
    assert texts(await shared.of(4, {"j2": 3, "j3": 4}, making)) == ["j2: reading 1", "j3: reading 2"]
    assert texts(await shared.of(4, {"j1": 1, "j2": 3, "j3": 4}, making)) == [
        "j1: reading 1",
        "j2: reading 1",
        "j3: reading 2",
    ]
    # A change after the reading began is read again, and of that job alone.
    assert texts(await shared.of(5, {"j3": 4, "j2": 5}, making)) == ["j3: reading 2", "j2: reading 3"]
    assert making.asked == [["j1", "j2"], ["j3"], ["j2"]]


async def test_a_job_that_is_gone_has_no_event_and_is_not_asked_for_again() -> None:
    shared, making = SharedEvents(), Making()
    making.go.set()
    for _ in range(2):
        assert await shared.of(1, {"gone": 1}, making) == []
    assert making.asked == [["gone"]]


async def test_what_failed_is_tried_again() -> None:
    shared, answers = SharedEvents(), iter([OSError("no answer"), None])

    async def make(_: Collection[str]) -> Mapping[str, Event]:
        if (error := next(answers)) is not None:
            raise error
        return {}

    with pytest.raises(OSError, match="no answer"):
        await shared.of(1, {"j1": 1}, make)
    assert await shared.of(1, {"j1": 1}, make) == []


async def test_events_of_old_changes_are_not_kept_for_ever() -> None:
    shared, making = SharedEvents(), Making()
    making.go.set()
    for number in range(1, 3001):
        await shared.of(number, {f"j{number}": number}, making)
    assert len(shared._made) == 2000


async def test_a_listener_hears_what_came_after_its_number_and_no_more() -> None:
    changes = ChangeFeed()
    for number in range(5):
        changes.tell(f"j{number}")
    changes.tell("j3")
    assert (await changes.after(3, timeout=0)).jobs == {"j4": 5, "j3": 6}
    assert (await changes.after(6, timeout=0)).jobs == {}
    assert list(changes.since(0).jobs or ()) == ["j0", "j1", "j2", "j4", "j3"]


async def test_a_change_wakes_a_loop_once_however_many_wait_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    changes, loop = ChangeFeed(), asyncio.get_running_loop()
    waiting = [asyncio.create_task(changes.after(0, timeout=5)) for _ in range(50)]
    await asyncio.sleep(0)
    calls: list[object] = []
    call_soon = loop.call_soon_threadsafe

    def counted(*call: Any, **rest: Any) -> Any:
        calls.append(call)
        return call_soon(*call, **rest)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    changes.tell("j1")
    changes.tell("j2")
    assert len(calls) == 1
    assert {(await each).number for each in waiting} == {2}


async def test_the_streams_of_one_person_speak_one_after_the_other_and_delay_nobody_else() -> None:
    pace, clock = Pace(50), asyncio.get_running_loop().time
    began = clock()
    spoke: list[float] = []

    async def speak(person: str) -> float:
        await pace.wait(person)
        spoke.append(clock() - began)
        return spoke[-1]

    many = [asyncio.create_task(speak("noisy")) for _ in range(10)]
    await asyncio.sleep(0)
    quiet = await speak("quiet")
    await asyncio.gather(*many)
    assert len([each for each in spoke if each <= quiet]) <= 2, "the quiet one waited for the others"
    assert spoke[-1] >= 0.9 * 9 / 50
