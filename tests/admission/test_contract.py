"""What every admission must do with one ticket, and with the tickets of one person."""

from __future__ import annotations

import asyncio

import pytest

from aifactory_hub import constants
from aifactory_hub.admission import AdmissionRefused, NotAdmitted, UserLimitReached
from aifactory_hub.domain.tickets import Ticket, TicketState

from ..support.kube_objects import LARGE, SMALL
from .contract import ADMITTED, GONE, QUEUED, Engine, ask, eventually, settled


async def test_a_ticket_that_fits_is_admitted_and_says_whose_it_is(engine: Engine) -> None:
    filed = await engine.file("nlp", "t1")
    ticket = await engine.becomes("nlp", "t1", ADMITTED)
    assert ticket.uid == filed.uid
    assert (ticket.kind, ticket.owner, ticket.user) == ("job", "t1", "ada@example.org")
    assert (ticket.profile, ticket.devices, ticket.active) == ("mig-1g.10gb", {SMALL: 1}, False)
    assert await engine.used("nlp") == 1


async def test_the_same_request_twice_is_one_ticket(engine: Engine) -> None:
    first, second = await engine.file("nlp", "t1"), await engine.file("nlp", "t1")
    assert first.uid == second.uid
    await engine.becomes("nlp", "t1", ADMITTED)
    assert len(await engine.admission.tickets("nlp")) == 1
    assert await engine.used("nlp") == 1


async def test_a_name_that_somebody_elses_ticket_has_is_refused(engine: Engine) -> None:
    await engine.file("nlp", "t1", owner="ada")
    with pytest.raises(AdmissionRefused, match="taken"):
        await engine.file("nlp", "t1", owner="bob")


async def test_the_same_name_in_two_tenants_is_two_tickets(engine: Engine) -> None:
    nlp, vision = await engine.admitted("nlp", "t1"), await engine.admitted("vision", "t1")
    assert nlp.uid != vision.uid
    await engine.admission.release("nlp", "t1")
    assert (await engine.admission.get("vision", "t1")).state is ADMITTED


async def test_what_does_not_exist_is_gone_and_releasing_it_does_nothing(engine: Engine) -> None:
    assert (await engine.admission.get("nlp", "t1")).state is GONE
    await engine.admission.release("nlp", "t1")
    assert await engine.admission.position("nlp", "t1") is None
    with pytest.raises(NotAdmitted):
        await engine.admission.hold("nlp", "t1")
    assert [ticket.state async for ticket in engine.admission.watch("nlp", "t1")] == [GONE]


async def test_an_unknown_tenant_is_refused(engine: Engine) -> None:
    with pytest.raises(AdmissionRefused, match="ghost"):
        await engine.file("ghost", "t1")
    with pytest.raises(AdmissionRefused, match="ghost"):
        await engine.admission.usage("ghost")


async def test_what_does_not_fit_waits_and_runs_when_there_is_room(engine: Engine) -> None:
    for number in range(3):
        await engine.admitted("vision", f"t{number}")
    await engine.file("vision", "later")
    await engine.tick()
    await engine.file("vision", "last")
    await settled()
    waiting = await engine.admission.get("vision", "later")
    assert waiting.state is QUEUED and SMALL.resource in waiting.message
    assert await engine.admission.position("vision", "later") == 0
    assert await engine.admission.position("vision", "last") == 1
    assert await engine.admission.position("vision", "t0") is None
    await engine.admission.release("vision", "t1")
    await engine.becomes("vision", "later", ADMITTED)
    assert (await engine.admission.get("vision", "last")).state is QUEUED


async def test_many_at_once_never_get_more_than_the_quota(engine: Engine) -> None:
    await asyncio.gather(*(engine.file("vision", f"t{number}") for number in range(8)))
    await settled()
    assert await engine.used("vision") == 3
    states = [ticket.state for ticket in await engine.admission.tickets("vision")]
    assert (states.count(ADMITTED), states.count(QUEUED)) == (3, 5)


async def test_what_can_never_fit_waits_and_says_so(engine: Engine) -> None:
    await engine.file("vision", "t1", count=9)
    await settled()
    ticket = await engine.admission.get("vision", "t1")
    assert ticket.state is QUEUED and "9" in ticket.message


async def test_a_big_one_that_waits_does_not_block_a_small_one(engine: Engine) -> None:
    await engine.file("vision", "big", count=9)
    await engine.tick()
    await engine.admitted("vision", "small")


async def test_without_devices_it_is_admitted_even_where_all_is_taken(engine: Engine) -> None:
    for number in range(3):
        await engine.admitted("vision", f"t{number}")
    await engine.admission.request(ask("vision", "cpu", {}))
    ticket = await engine.becomes("vision", "cpu", ADMITTED)
    assert ticket.devices == {} and await engine.used("vision") == 3


async def test_usage_names_the_holders(engine: Engine) -> None:
    await engine.admitted("nlp", "a", user="ada@example.org")
    await engine.admitted("nlp", "b", user="Bob Å", priority=constants.PRIORITY_NOTEBOOK)
    await engine.file("nlp", "c", device=LARGE, user="bob")
    await engine.becomes("nlp", "c", ADMITTED)
    usage = await engine.admission.usage("nlp")
    assert usage.used == {SMALL: 2, LARGE: 1}
    assert {(h.kind, h.owner, h.user) for h in usage.holders} == {
        ("job", "a", "ada@example.org"),
        ("server", "b", "Bob Å"),
        ("job", "c", "bob"),
    }


async def test_hold_may_be_repeated_and_release_gives_all_back(engine: Engine) -> None:
    await engine.admitted("nlp", "t1")
    await engine.admission.hold("nlp", "t1")
    await engine.admission.hold("nlp", "t1")
    held = await engine.admission.get("nlp", "t1")
    assert held.active and held.state is ADMITTED
    await engine.admission.release("nlp", "t1")
    assert (await engine.admission.get("nlp", "t1")).state is GONE
    assert await engine.used("nlp") == 0


async def test_a_ticket_that_waits_can_not_be_held(engine: Engine) -> None:
    await engine.file("nlp", "t1", count=9)
    await settled()
    with pytest.raises(NotAdmitted):
        await engine.admission.hold("nlp", "t1")
    assert not (await engine.admission.get("nlp", "t1")).active


async def test_watch_tells_each_change_until_the_ticket_is_gone(engine: Engine) -> None:
    for number in range(3):
        await engine.admitted("vision", f"t{number}")
    await engine.file("vision", "watched")
    seen: list[tuple[TicketState, bool]] = []

    async def follow() -> None:
        async for ticket in engine.admission.watch("vision", "watched"):
            if not seen or seen[-1] != (ticket.state, ticket.active):
                seen.append((ticket.state, ticket.active))

    async def saw(state: TicketState, active: bool = False) -> None:
        async with asyncio.timeout(20):
            while (state, active) not in seen:
                await asyncio.sleep(0.02)

    following = asyncio.create_task(follow())
    await saw(QUEUED)
    await engine.admission.release("vision", "t0")
    await saw(ADMITTED)
    await engine.admission.hold("vision", "watched")
    await saw(ADMITTED, True)
    await engine.admission.release("vision", "watched")
    async with asyncio.timeout(20):
        await following
    assert seen[0] == (QUEUED, False) and seen[-1] == (GONE, False)
    kept = [step for step in seen if step[0] is not GONE]
    assert kept[:3] == [(QUEUED, False), (ADMITTED, False), (ADMITTED, True)]


async def test_two_can_watch_one_ticket_and_one_can_leave(engine: Engine) -> None:
    await engine.admitted("nlp", "t1")
    stays, leaves = engine.admission.watch("nlp", "t1"), engine.admission.watch("nlp", "t1")
    assert (await anext(stays)).state is ADMITTED and (await anext(leaves)).state is ADMITTED
    await leaves.aclose()  # type: ignore[attr-defined]
    await engine.admission.release("nlp", "t1")
    async with asyncio.timeout(20):
        assert [ticket.state async for ticket in stays][-1] is GONE


async def test_one_person_has_and_waits_for_no_more_than_one_may(limited: None, engine: Engine) -> None:
    for name in ("a", "b"):
        await engine.admitted("vision", name)
    with pytest.raises(UserLimitReached, match=r"may have 2 of .* has or waits for 2, and this asks 1 more"):
        await engine.file("vision", "c")
    assert (await engine.admission.get("vision", "c")).state is GONE
    await engine.file("vision", "a")  # asked again, it is the same ticket
    await engine.admitted("vision", "d", user="bob")
    await engine.admission.release("vision", "a")
    await engine.file("vision", "c")


async def test_two_requests_of_one_person_at_once_are_never_both_over_her_limit(limited: None, engine: Engine) -> None:
    asked = [engine.file("vision", f"t{number}") for number in range(6)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(a, Ticket | UserLimitReached) for a in answers)
    left = [t for t in await engine.admission.tickets("vision") if t.state is not GONE]
    assert len(left) <= 2


async def test_a_tenant_that_comes_is_answered_for_and_one_that_is_forgotten_no_more(engine: Engine) -> None:
    await engine.file("nlp", "t1")
    known = dict(engine.admission._tenants)  # type: ignore[attr-defined]
    engine.admission.forget("nlp")
    with pytest.raises(AdmissionRefused, match="not in the tenant registry"):
        await engine.admission.tickets("nlp")
    engine.admission.follow({name: tenant for name, tenant in known.items() if name != "vision"})
    await engine.becomes("nlp", "t1", ADMITTED)
    assert await engine.admission.tickets("vision") == [], "one that is gone is answered for until it is forgotten"


async def test_a_ticket_that_waits_changes_its_place_with_its_priority(engine: Engine) -> None:
    async def order(*names: str) -> None:
        async def reached() -> bool | None:
            places = [await engine.admission.position("vision", name) for name in names]
            return places == list(range(len(names))) or None

        await eventually(reached, f"the order {names}")

    await engine.admitted("vision", "first", count=3, priority="batch")
    await engine.file("vision", "second", count=3, priority="batch")
    await engine.tick()
    await engine.file("vision", "third", count=3, priority="batch")
    await order("second", "third")
    await engine.admission.prioritize("vision", "second", constants.PRIORITY_LOWERED)
    await order("third", "second")
    assert (await engine.admission.get("vision", "second")).priority == constants.PRIORITY_LOWERED
    await engine.admission.prioritize("vision", "second", "batch")
    await order("second", "third")
    await engine.admission.prioritize("vision", "nothing", "batch")
