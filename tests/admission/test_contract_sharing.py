"""What every admission must do where tenants, notebooks and jobs share: who has to go, and who never has to."""

from __future__ import annotations

import pytest

from aifactory_hub import constants
from aifactory_hub.admission import NotAdmitted
from aifactory_hub.domain.tickets import Ticket

from ..support.kube_objects import SMALL
from .contract import ADMITTED, EVICTED, NOTEBOOK, QUEUED, TENANTS, Engine, eventually, settled


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


async def test_what_a_tenant_does_not_lend_stays_its_own(limited: None, engine: Engine) -> None:
    for number in range(4):
        await engine.admitted("nlp", f"t{number}")
    await engine.file("nlp", "t4")
    await settled()
    assert (await engine.admission.get("nlp", "t4")).state is QUEUED
    assert await engine.used("nlp") == 4, "three of its own and the one that vision lends"
    await engine.admitted("vision", "mine", count=2)
    assert await engine.used("nlp") == 4, "vision had those two kept for itself"


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


async def test_where_only_the_less_urgent_goes_borrowing_notebooks_stay(
    waiting_owners: None, lenient: None, engine: Engine
) -> None:
    for number in range(6):
        await engine.admitted("nlp", f"n{number}", **NOTEBOOK)
    await engine.file("vision", "mine", **NOTEBOOK)
    await settled()
    assert (await engine.admission.get("vision", "mine")).state is QUEUED
    assert await engine.used("nlp") == 6
