"""What budgets do by the clock: priorities move and come back, webhooks are told once, what is held is woken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub import constants
from aifactory_hub.domain.budgets import Action, Budget, Grant, Step, Unit
from aifactory_hub.domain.months import month_of
from aifactory_hub.domain.tickets import TicketState
from aifactory_hub.domain.usage import FactKind, Source, UsageFact
from aifactory_hub.service.background.budgets import BudgetKeeper
from aifactory_hub.store.deliveries import Deliveries

from ..support.tenants import SMALL
from ..support.usage import life, whose
from .test_budgets import HOUR, PART, with_budgets
from .world import MIG, World

STEPS = (Step(50, Action.WARN), Step(80, Action.WARN), Step(80, Action.LOWER_PRIORITY), Step(200, Action.HOLD))
HOOK = "https://hooks.example.org/b"
TEAM = Budget("month", Unit.GPU_HOURS, 10 * PART * HOUR, STEPS, notify=(HOOK,), safe=False)
EACH = Budget("each", Unit.GPU_HOURS, 5 * PART * HOUR, (Step(100, Action.LOWER_PRIORITY),), person=True)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, registry=with_budgets(TEAM, EACH))
    yield world
    world.close()


def keeper(world: World, woken: list[str] | None = None, **said: Any) -> BudgetKeeper:
    budgets = replace(world.service.budgets, **said)
    return BudgetKeeper(budgets, world.service.jobs, world.admission, (woken if woken is not None else []).append)


def use(world: World, hours: float, user: str, pod: str) -> None:
    now = int(world.clock.now)
    world.service.ledger.append(life(pod, whose("nlp", user, MIG), now - int(hours * HOUR), now))


async def priorities(world: World) -> dict[str, str]:
    return {ticket.owner: ticket.priority for ticket in await world.admission.tickets("nlp")}


async def waiting(world: World) -> list[str]:
    """Two jobs have both slices; then ada's and bob's wait."""
    for key in ("a", "b"):
        await world.submit(key, owner="eve")
    await world.settle()
    found = []
    for key, owner in (("c", "ada"), ("d", "bob")):
        found.append(await world.submit(key, owner=owner))
        await world.settle()
    return found


def tell_messages(world: World) -> list[tuple[str, Any]]:
    due = Deliveries(world.service.jobs.db).due(now=world.clock.now + 1, limit=100)
    return [(each.event, each.body["budget"]) for each in due]


async def test_jobs_of_a_person_go_after_all_others_and_come_back(world: World) -> None:
    adas, bobs = await waiting(world)
    looking = keeper(world)
    await looking.tick()
    assert (await priorities(world))[adas] == "batch"
    assert await world.admission.position("nlp", f"job-{adas}") == 0
    use(world, 5, "ada", "p1")
    await looking.tick()
    assert (await priorities(world))[adas] == constants.PRIORITY_LOWERED
    assert (await priorities(world))[bobs] == "batch"
    assert await world.admission.position("nlp", f"job-{bobs}") == 0
    more = Grant(0, "nlp", "each", "ada", Fraction(HOUR), world.clock.now + HOUR, "why", "rene", world.clock.now)
    world.service.budgets.book.grant(more)
    await looking.tick()
    assert set((await priorities(world)).values()) == {"batch"}
    assert await world.admission.position("nlp", f"job-{adas}") == 0


async def test_a_new_job_of_a_lowered_team_is_filed_low_and_what_runs_stays(world: World) -> None:
    first = await world.submit("a")
    await world.settle()
    use(world, 8, "bob", "p1")
    await keeper(world).tick()
    second = await world.submit("b", priority="high")
    await world.settle()
    assert await priorities(world) == {first: "batch", second: constants.PRIORITY_LOWERED}
    world.clock.now = month_of(world.clock.now, world.registry.billing.zone).end + 1
    await keeper(world).tick()
    assert await priorities(world) == {first: "batch", second: "batch-high"}


async def test_webhooks_are_told_once_of_each_share(world: World) -> None:
    use(world, 6, "bob", "p1")
    for _ in range(2):
        await keeper(world).tick()
    [(event, told)] = tell_messages(world)
    assert (event, told["share"], told["name"], told["user"], told["spent"]) == (
        "budget.warn",
        50,
        "month",
        None,
        "0.86",
    )
    use(world, 3, "bob", "p2")
    await keeper(world).tick()
    world.restart()
    await keeper(world).tick()
    assert [(event, told["share"]) for event, told in tell_messages(world)] == [
        ("budget.warn", 50),
        ("budget.warn", 80),
        ("budget.lower_priority", 80),
    ]


async def test_an_unknown_ledger_tells_nobody(world: World) -> None:
    use(world, 9, "bob", "p1")
    heard = int(world.clock.now) - 61
    await keeper(world, heard_at=lambda: heard).tick()
    assert tell_messages(world) == []


async def test_what_is_held_is_woken_when_there_may_be_room(world: World) -> None:
    tight = replace(TEAM, limit=PART * HOUR, safe=True, steps=(Step(100, Action.HOLD),))
    world.registry = with_budgets(tight)
    world.restart()
    woken: list[str] = []
    first = await world.submit("a", max_seconds=HOUR)
    held = await world.submit("b", max_seconds=HOUR)
    await world.settle()
    looking = keeper(world, woken)
    await looking.tick()
    assert woken == []
    world.service.jobs.ask_cancel(first, by="ada", now=world.clock.now)
    await world.settle()
    world.clock.pass_by(1)
    await looking.tick()
    assert woken == [held]
    world.clock.now = month_of(world.clock.now, world.registry.billing.zone).end + 1
    await looking.tick()
    assert woken == [held, held]
    await looking.tick()
    assert woken == [held, held]


async def test_a_correction_that_nobody_told_of_counts_after_a_while(world: World) -> None:
    use(world, 8, "bob", "p1")
    looking = keeper(world)
    await looking.tick()
    at = int(world.clock.now)
    world.service.ledger.append([UsageFact.exact("p1", FactKind.VOID, Source.OPERATOR, at, at, note="a test")])
    await world.submit("b")
    await world.settle()
    assert set((await priorities(world)).values()) == {"batch"}


OWN = Budget("own", Unit.GPU_HOURS, 10 * PART * HOUR, (Step(80, Action.NO_BORROWING),))


def borrowing(world: World) -> None:
    """nlp owns two slices and may borrow two of vision's."""
    nlp, vision = world.registry.tenants["nlp"], world.registry.tenants["vision"]
    quota = replace(nlp.quota, borrowing={SMALL: 2})
    world.registry = replace(
        world.registry, tenants={"nlp": replace(nlp, budgets=(OWN,), quota=quota), "vision": vision}
    )
    world.admission.follow(world.registry.tenants)
    world.restart()


async def running(world: World) -> int:
    await world.settle()
    return sum(ticket.state is TicketState.ADMITTED for ticket in await world.admission.tickets("nlp"))


async def test_jobs_borrow_until_the_budget_says_no_more(world: World) -> None:
    borrowing(world)
    for n in range(3):
        await world.submit(f"a{n}")
    assert await running(world) == 3
    use(world, 8, "bob", "p1")
    late = [await world.submit(f"b{n}") for n in range(2)]
    assert await running(world) == 3
    assert all("lets its jobs borrow nothing" in str(world.job(job).unreachable) for job in late)
    more = Grant(0, "nlp", "own", "", Fraction(HOUR), world.clock.now + HOUR, "why", "rene", world.clock.now)
    world.service.budgets.book.grant(more)
    assert await running(world) == 4


async def test_of_many_at_once_no_more_are_filed_than_the_team_owns(world: World) -> None:
    borrowing(world)
    use(world, 8, "bob", "p1")
    for n in range(8):
        await world.submit(f"a{n}")
    await world.settle()
    assert len(await world.admission.tickets("nlp")) == 2


async def test_what_waited_to_borrow_is_given_back(world: World) -> None:
    borrowing(world)
    jobs = [await world.submit(f"a{n}") for n in range(5)]
    assert await running(world) == 4
    use(world, 8, "bob", "p1")
    await keeper(world).tick()
    assert len(await world.admission.tickets("nlp")) == 4  # what runs goes on
    assert await running(world) == 4
    assert "lets its jobs borrow nothing" in str([world.job(job).unreachable for job in jobs])
