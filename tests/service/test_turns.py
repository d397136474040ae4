"""Who asks much waits for themselves, and not before the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aifactory_hub.service import turns
from aifactory_hub.service.turns import AT_ONCE, SAVED, SHARE, Turns

from ..support.job_service import RunningService


class Clock:
    """Time that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def taken(given: Turns, holder: str) -> Callable[[], None] | None:
    """A turn, if there is one at once."""
    try:
        async with asyncio.timeout(0.05):
            return await given.take(holder)
    except TimeoutError:
        return None


async def test_a_person_alone_has_all_turns() -> None:
    given = Turns(Clock())
    assert all([await taken(given, "a") for _ in range(100)])


async def test_beside_others_a_person_has_a_few_at_once_and_the_others_theirs() -> None:
    given = Turns(Clock())
    (await given.take("b"))()
    held = [await taken(given, "a") for _ in range(AT_ONCE + 2)]
    assert [each is not None for each in held] == [True] * AT_ONCE + [False] * 2
    assert await taken(given, "b") is not None
    waiting = asyncio.create_task(given.take("a"))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert held[0] is not None
    held[0]()
    held[0]()  # ending it twice gives one turn
    async with asyncio.timeout(1):
        await waiting
    assert await taken(given, "a") is None


async def test_who_has_used_more_than_their_share_waits_until_it_is_saved_again() -> None:
    clock = Clock()
    given = Turns(clock)

    async def works(seconds: float) -> bool:
        (await given.take("b"))()  # somebody else asks, too
        end = await taken(given, "a")
        if end is None:
            return False
        clock.now += seconds
        end()
        return True

    assert await works(SAVED + 1)
    assert not await works(1), "more than was saved up is used"
    clock.now += 2 / SHARE
    assert await works(1)


async def test_somebody_who_has_stopped_asking_counts_no_more() -> None:
    clock = Clock()
    given = Turns(clock)
    (await given.take("b"))()
    assert [await taken(given, "a") is not None for _ in range(AT_ONCE + 1)] == [True] * AT_ONCE + [False]
    clock.now += turns._ACTIVE + 1
    assert all([await taken(given, "a") for _ in range(20)])


async def test_a_request_that_is_given_up_keeps_no_turn() -> None:
    given = Turns(Clock())
    (await given.take("b"))()
    held = [await given.take("a") for _ in range(AT_ONCE)]
    waiting = [asyncio.create_task(given.take("a")) for _ in range(3)]
    await asyncio.sleep(0.01)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for end in held:
        end()
    assert await taken(given, "a") is not None
    assert not given._people["a"].waiting


async def test_nobody_is_remembered_for_ever() -> None:
    clock = Clock()
    given = Turns(clock)
    for number in range(100):
        (await given.take(f"p{number}"))()
    clock.now += 1000
    (await given.take("a"))()
    assert len(given._people) == 1


async def test_every_answer_ends_its_turn(service: RunningService) -> None:
    async with service.http("ada") as ada, service.http("eve") as eve:
        for http in (ada, eve):
            for path in ("/jobs", "/jobs/jnone", "/jobs/%ff", "/quota?tenant=nowhere", "/limits", "/nowhere"):
                await http.get(path)
            await http.post("/jobs", content=b"{")
            await http.post("/jobs", json={"command": "true", "profile": "mig-1g.10gb", "key": "k"})
            await http.put("/uploads/packs/x", content=b"x")
    assert {person.working for person in service.context.turns._people.values()} == {0}


async def test_a_quiet_person_is_answered_while_a_noisy_one_waits(service: RunningService) -> None:
    order: list[str] = []

    async def asks(http: object, name: str) -> None:
        answer = await http.get("/jobs")  # type: ignore[attr-defined]
        assert answer.status_code == 200
        order.append(name)

    async with service.http("ada", timeout=60) as ada, service.http("eve", timeout=60) as eve:
        await asks(ada, "warm")
        await asks(eve, "warm")
        noisy = [asyncio.create_task(asks(ada, "noisy")) for _ in range(60)]
        await asyncio.sleep(0)
        await asks(eve, "quiet")
        await asyncio.gather(*noisy)
    assert order.index("quiet") < 30, order
