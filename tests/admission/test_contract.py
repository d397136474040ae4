"""What every admission must do, checked on the real Kueue and on the one in our process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from aifactory_hub import constants
from aifactory_hub.admission import (
    Admission,
    AdmissionRefused,
    InProcessAdmission,
    KueueAdmission,
    NotAdmitted,
    UserLimitReached,
)
from aifactory_hub.domain.borrowing import Reclaim
from aifactory_hub.domain.quota import Quota
from aifactory_hub.domain.tickets import Ticket, TicketRequest, TicketState
from aifactory_profiles import Device, Resources

from ..support.kube_objects import LARGE, SMALL, make_tenant
from ..support.real_cluster import as_admin, own_queues

QUEUED, ADMITTED, EVICTED, GONE = TicketState.QUEUED, TicketState.ADMITTED, TicketState.EVICTED, TicketState.GONE

# nlp may borrow all that vision leaves idle, vision nothing.
TENANTS = {"nlp": make_tenant("nlp", borrowing={SMALL: 3}), "vision": make_tenant("vision")}
# What owners end to get their own back.
RECLAIM = Reclaim.ANY


@dataclass
class Engine:
    """One admission under test. Kueue orders tickets by the second, so ``tick`` lets one pass."""

    admission: Admission
    grain: float

    async def tick(self) -> None:
        await asyncio.sleep(self.grain)

    async def file(self, tenant: str, name: str, count: int = 1, device: Device = SMALL, **changes: Any) -> Ticket:
        return await self.admission.request(ask(tenant, name, {device: count}, **changes))

    async def becomes(self, tenant: str, name: str, state: TicketState) -> Ticket:
        async def reached() -> Ticket | None:
            ticket = await self.admission.get(tenant, name)
            return ticket if ticket.state is state else None

        return await eventually(reached, f"{tenant}/{name} {state}")

    async def admitted(self, tenant: str, name: str, **changes: Any) -> Ticket:
        await self.file(tenant, name, **changes)
        return await self.becomes(tenant, name, ADMITTED)

    async def used(self, tenant: str, device: Device = SMALL) -> int:
        return (await self.admission.usage(tenant)).used.get(device, 0)


@pytest.fixture(params=["inprocess", pytest.param("kueue", marks=pytest.mark.cluster)])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    if request.param == "inprocess":
        yield Engine(InProcessAdmission(TENANTS, reclaim=RECLAIM), 0)
        return
    async with as_admin() as host, own_queues(host, TENANTS, RECLAIM) as tenants:
        admission = KueueAdmission(host, tenants, "contract")
        yield Engine(admission, 1.1)
        await admission.close()


def ask(
    tenant: str,
    name: str,
    devices: dict[Device, int],
    *,
    owner: str | None = None,
    user: str = "ada@example.org",
    priority: str = constants.PRIORITY_BATCH,
) -> TicketRequest:
    resources = Resources(100, 2**20, {device.resource: count for device, count in devices.items()})
    kind = constants.KIND_SERVER if priority == constants.PRIORITY_NOTEBOOK else constants.KIND_JOB
    return TicketRequest(
        tenant, name, kind, owner or name, user, "mig-1g.10gb", resources, priority, flavor=SMALL.flavor
    )


async def eventually(look: Callable[[], Awaitable[Ticket | None]], what: str) -> Ticket:
    try:
        async with asyncio.timeout(20):
            while (found := await look()) is None:
                await asyncio.sleep(0.02)
            return found
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None


async def settled() -> None:
    """Long enough that the engine would have admitted more, were it going to."""
    await asyncio.sleep(1.5)


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


async def test_an_owner_gets_its_own_back_and_a_held_ticket_keeps_its_quota_until_released(engine: Engine) -> None:
    names = [f"t{number}" for number in range(6)]
    for name in names:
        await engine.admitted("nlp", name)
        await engine.admission.hold("nlp", name)
    assert await engine.used("nlp") == 6, "three of its own and three that vision leaves idle"
    await engine.file("vision", "mine")

    async def an_evicted_one() -> Ticket | None:
        return next((t for t in await engine.admission.tickets("nlp") if t.state is EVICTED), None)

    victim = await eventually(an_evicted_one, "one of nlp's tickets is evicted")
    await settled()
    assert victim.active and (await engine.admission.get("vision", "mine")).state is QUEUED
    assert await engine.used("nlp") == 6 and await engine.used("vision") == 0
    evicted = [t.name for t in await engine.admission.tickets("nlp") if t.state is EVICTED]
    assert evicted == [victim.name], "one is enough"
    assert (await engine.admission.get("nlp", victim.name)).message
    with pytest.raises(NotAdmitted):
        await engine.admission.hold("nlp", victim.name)
    assert await engine.used("nlp") == 6, "a pod may still live on it"
    await engine.admission.release("nlp", victim.name)
    await engine.becomes("vision", "mine", ADMITTED)
    assert await engine.used("nlp") + await engine.used("vision") == 6


async def test_an_evicted_ticket_on_which_nothing_ran_waits_again_and_can_not_be_held(engine: Engine) -> None:
    for number in range(6):
        await engine.admitted("nlp", f"t{number}")
    await engine.admitted("vision", "mine")

    async def a_waiting_one() -> Ticket | None:
        return next((t for t in await engine.admission.tickets("nlp") if t.state is QUEUED), None)

    victim = await eventually(a_waiting_one, "one of nlp's tickets waits again")
    with pytest.raises(NotAdmitted):
        await engine.admission.hold("nlp", victim.name)
    assert await engine.used("nlp") == 5
    await engine.admission.release("vision", "mine")
    await engine.becomes("nlp", victim.name, ADMITTED)


async def test_a_notebook_displaces_a_job_of_its_own_tenant(engine: Engine) -> None:
    for number in range(3):
        await engine.admitted("vision", f"job{number}")
    await engine.admission.hold("vision", "job0")
    await engine.file("vision", "notebook", count=3, priority=constants.PRIORITY_NOTEBOOK)
    await engine.becomes("vision", "job0", EVICTED)
    await settled()
    assert (await engine.admission.get("vision", "notebook")).state is QUEUED
    await engine.admission.release("vision", "job0")
    await engine.becomes("vision", "notebook", ADMITTED)
    assert await engine.used("vision") == 3


async def test_a_more_urgent_job_displaces_one_of_its_own_tenant_and_no_other_tenant_s(engine: Engine) -> None:
    for number in range(3):
        await engine.admitted("vision", f"job{number}", priority="batch-low")
        await engine.admission.hold("vision", f"job{number}")
    await engine.tick()
    for number in range(3):
        await engine.admitted("nlp", f"mine{number}")
    for number, priority in enumerate(("batch", "batch-low")):
        await engine.file("nlp", f"later{number}", priority=priority)
    await settled()
    states = [t.state for tenant in TENANTS for t in await engine.admission.tickets(tenant)]
    assert sorted(states) == [ADMITTED] * 6 + [QUEUED] * 2, "as urgent is not more urgent, and vision's are vision's"
    await engine.file("nlp", "urgent", priority="batch-high")
    await engine.becomes("nlp", "urgent", ADMITTED)
    await settled()
    mine = {t.name: t.state for t in await engine.admission.tickets("nlp")}
    assert sorted(mine[f"mine{number}"] for number in range(3)) == [ADMITTED, ADMITTED, QUEUED], mine
    assert {t.state for t in await engine.admission.tickets("vision")} == {ADMITTED}


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


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of vision's three, nlp may borrow one; nobody of vision may have more than two."""
    quota = Quota({SMALL: 3, LARGE: 1}, {}, {SMALL: 1}, {SMALL: 2})
    monkeypatch.setitem(TENANTS, "vision", replace(TENANTS["vision"], quota=quota))


async def test_what_a_tenant_does_not_lend_stays_its_own(limited: None, engine: Engine) -> None:
    for number in range(4):
        await engine.admitted("nlp", f"t{number}")
    await engine.file("nlp", "t4")
    await settled()
    assert (await engine.admission.get("nlp", "t4")).state is QUEUED
    assert await engine.used("nlp") == 4, "three of its own and the one that vision lends"
    await engine.admitted("vision", "mine", count=2)
    assert await engine.used("nlp") == 4, "vision had those two kept for itself"


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


NOTEBOOK: dict[str, Any] = {"priority": constants.PRIORITY_NOTEBOOK}


async def test_notebooks_have_their_tenant_s_own_and_no_more(engine: Engine) -> None:
    for number in range(3):
        await engine.admitted("nlp", f"n{number}", **NOTEBOOK)
    await engine.file("nlp", "n3", **NOTEBOOK)
    await engine.admitted("nlp", "job")
    await settled()
    waiting = await engine.admission.get("nlp", "n3")
    assert waiting.state is QUEUED and SMALL.resource in waiting.message
    assert await engine.used("nlp") == 4, "a job borrows what a notebook may not have"
    await engine.admission.release("nlp", "n1")
    await engine.becomes("nlp", "n3", ADMITTED)


async def test_what_notebooks_have_is_never_taken_back(engine: Engine) -> None:
    """nlp's jobs borrow until it holds twice its own. Its owner takes from the jobs, however much more it asks for."""
    for number in range(3):
        await engine.admitted("nlp", f"n{number}", **NOTEBOOK)
        await engine.admission.hold("nlp", f"n{number}")
    await engine.tick()
    for number in range(3):
        await engine.admitted("nlp", f"job{number}")
    for number in range(4):
        await engine.file("vision", f"mine{number}", priority="batch-high")

    async def all_that_is_its_own() -> Ticket | None:
        mine = [t for t in await engine.admission.tickets("vision") if t.state is ADMITTED]
        return mine[0] if len(mine) == 3 else None

    await eventually(all_that_is_its_own, "vision has its three")
    await settled()
    assert await engine.used("vision") == 3
    states = {ticket.name: ticket.state for ticket in await engine.admission.tickets("nlp")}
    assert [states[f"n{number}"] for number in range(3)] == [ADMITTED] * 3
    assert [states[f"job{number}"] for number in range(3)] == [QUEUED] * 3


async def test_a_notebook_gets_its_tenant_s_own_back_from_what_borrows_it(engine: Engine) -> None:
    for number in range(6):
        await engine.admitted("nlp", f"job{number}")
        await engine.admission.hold("nlp", f"job{number}")
    await engine.file("vision", "mine", **NOTEBOOK)

    async def an_evicted_one() -> Ticket | None:
        return next((t for t in await engine.admission.tickets("nlp") if t.state is EVICTED), None)

    victim = await eventually(an_evicted_one, "one of nlp's jobs is evicted")
    await engine.admission.release("nlp", victim.name)
    await engine.becomes("vision", "mine", ADMITTED)


async def test_jobs_use_what_notebooks_leave_and_a_notebook_starts_on_borrowed_room_they_move_to(
    engine: Engine,
) -> None:
    for number in range(3):
        await engine.admitted("nlp", f"job{number}")
    await engine.admitted("nlp", "n0", **NOTEBOOK)
    await settled()
    assert await engine.used("nlp") == 4, "nobody had to go"


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebooks of nlp borrow, too."""
    quota = replace(TENANTS["nlp"].quota, notebooks_borrow=True)
    monkeypatch.setitem(TENANTS, "nlp", replace(TENANTS["nlp"], quota=quota))


async def test_where_notebooks_borrow_they_can_be_taken_back_after_the_jobs(lenient: None, engine: Engine) -> None:
    for number in range(5):
        await engine.admitted("nlp", f"n{number}", **NOTEBOOK)
        await engine.tick()
    await engine.admitted("nlp", "job")
    await engine.file("vision", "mine")
    await engine.becomes("nlp", "job", QUEUED)
    await engine.becomes("vision", "mine", ADMITTED)
    await engine.file("vision", "mine-too")
    await engine.becomes("nlp", "n4", QUEUED)
    await engine.becomes("vision", "mine-too", ADMITTED)
    assert await engine.used("nlp") == 4


@pytest.fixture
def waiting_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "RECLAIM", Reclaim.LOWER_PRIORITY)


async def test_where_only_the_less_urgent_goes_borrowing_notebooks_stay(
    waiting_owners: None, lenient: None, engine: Engine
) -> None:
    for number in range(6):
        await engine.admitted("nlp", f"n{number}", **NOTEBOOK)
    await engine.file("vision", "mine", **NOTEBOOK)
    await settled()
    assert (await engine.admission.get("vision", "mine")).state is QUEUED
    assert await engine.used("nlp") == 6


async def test_a_tenant_that_comes_is_answered_for_and_one_that_is_forgotten_no_more(engine: Engine) -> None:
    await engine.file("nlp", "t1")
    known = dict(engine.admission._tenants)  # type: ignore[attr-defined]
    engine.admission.forget("nlp")
    with pytest.raises(AdmissionRefused, match="not in the tenant registry"):
        await engine.admission.tickets("nlp")
    engine.admission.follow({name: tenant for name, tenant in known.items() if name != "vision"})
    await engine.becomes("nlp", "t1", ADMITTED)
    assert await engine.admission.tickets("vision") == [], "one that is gone is answered for until it is forgotten"
