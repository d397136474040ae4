"""Reads that are shared: one question for all who ask within a moment."""

from __future__ import annotations

import asyncio

import pytest

from aifactory_spawner.shared_reads import SharedReads


class Source:
    def __init__(self) -> None:
        self.asked = 0
        self.now = 0.0
        self.trouble: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def read(self, key: str) -> str:
        self.asked += 1
        await self.open.wait()
        if self.trouble is not None:
            raise self.trouble
        return f"{key}-{self.asked}"


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def reads(source: Source) -> SharedReads[str, str]:
    return SharedReads(source.read, 3, lambda: source.now)


async def test_a_thousand_ask_once(source: Source, reads: SharedReads[str, str]) -> None:
    assert set(await asyncio.gather(*(reads.get("a") for _ in range(1000)))) == {"a-1"}
    assert await reads.get("b") == "b-2"


async def test_an_answer_grows_old(source: Source, reads: SharedReads[str, str]) -> None:
    await reads.get("a")
    source.now = 2.9
    assert await reads.get("a") == "a-1"
    source.now = 3.1
    assert await reads.get("a") == "a-2"


async def test_an_error_is_everybodys_and_is_not_kept(source: Source, reads: SharedReads[str, str]) -> None:
    source.trouble = LookupError("no")
    answers = await asyncio.gather(*(reads.get("a") for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [LookupError] * 3
    source.trouble = None
    assert await reads.get("a") == "a-2"


async def test_who_gives_up_takes_nobodys_answer_away(source: Source, reads: SharedReads[str, str]) -> None:
    source.open.clear()
    first, second = asyncio.ensure_future(reads.get("a")), asyncio.ensure_future(reads.get("a"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    source.open.set()
    assert await second == "a-1"
