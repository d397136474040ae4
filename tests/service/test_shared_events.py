"""Events of a change are made once, however many streams tell of it."""

from __future__ import annotations

import asyncio

import pytest

from aifactory_hub.service.news import Bulletin, News
from aifactory_hub.service.shared_events import SharedEvents, TenantEvent


async def test_many_streams_share_the_events_of_a_change() -> None:
    shared, made, go = SharedEvents(), 0, asyncio.Event()

    async def make() -> list[TenantEvent]:
        nonlocal made
        made += 1
        await go.wait()
        return [("nlp", f"event {made}")]

    first = News(1, frozenset({"j1"}))
    streams = [asyncio.create_task(shared.of(first, make)) for _ in range(20)]
    await asyncio.sleep(0)
    streams[0].cancel()  # a reader who goes takes nothing from the others
    go.set()
    assert [await stream for stream in streams[1:]] == [[("nlp", "event 1")]] * 19
    assert await shared.of(first, make) == [("nlp", "event 1")]
    assert await shared.of(News(2, frozenset({"j1"})), make) == [("nlp", "event 2")]
    assert made == 2


async def test_what_failed_is_tried_again() -> None:
    shared, answers = SharedEvents(), iter([OSError("no answer"), None])

    async def make() -> list[TenantEvent]:
        if (error := next(answers)) is not None:
            raise error
        return []

    news = News(1, frozenset({"j1"}))
    with pytest.raises(OSError, match="no answer"):
        await shared.of(news, make)
    assert await shared.of(news, make) == []


async def test_a_listener_hears_what_came_after_its_number_and_no_more() -> None:
    bulletin = Bulletin()
    for number in range(5):
        bulletin.tell(f"j{number}")
    assert (await bulletin.after(3, patience=0)).jobs == frozenset({"j3", "j4"})
    assert (await bulletin.after(5, patience=0)).jobs == frozenset()
    assert (await bulletin.after(0, patience=0)).jobs == frozenset({f"j{n}" for n in range(5)})
