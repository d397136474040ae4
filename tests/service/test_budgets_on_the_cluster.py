"""A team reaches its shares on the real Kueue: told, lowered, held; then a grant, and all goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from aifactory_hub import constants
from aifactory_hub.admission import KueueAdmission
from aifactory_hub.domain.budgets import Action, Budget, Grant, Step, Unit
from aifactory_hub.service.background.budgets import BudgetKeeper
from aifactory_hub.store.deliveries import Deliveries

from ..support.job_service import make_registry
from ..support.real_cluster import as_admin, own_queues
from ..support.usage import life, whose
from .test_budgets import HOUR, PART
from .world import MIG, World

pytestmark = pytest.mark.cluster
HUB = "budgets"
STEPS = (Step(80, Action.WARN), Step(95, Action.LOWER_PRIORITY), Step(100, Action.HOLD))
TEAM = Budget("month", Unit.GPU_HOURS, 20 * PART * HOUR, (Step(100, Action.HOLD),), safe=False)
EACH = Budget(
    "each", Unit.GPU_HOURS, 10 * PART * HOUR, STEPS, person=True, safe=False, notify=("https://hooks.example.org/b",)
)


def use(world: World, hours: float, user: str, pod: str) -> None:
    now = int(world.clock.now)
    world.service.ledger.append(life(pod, whose("nlp", user, MIG), now - int(hours * HOUR), now))


async def eventually(look: Callable[[], Awaitable[bool]], what: str) -> None:
    async with asyncio.timeout(60):
        while not await look():
            await asyncio.sleep(0.3)
    print(what)


async def test_told_lowered_held_and_after_a_grant_all_goes_on(tmp_path: Path) -> None:
    known = make_registry()
    async with as_admin() as host, own_queues(host, known.tenants) as tenants:
        nlp = replace(tenants["nlp"], budgets=(TEAM, EACH))
        registry = replace(known, tenants={**tenants, "nlp": nlp})
        admission = KueueAdmission(host, tenants, HUB)
        world = World(tmp_path, registry=registry, admission=admission)
        try:
            await follow(world, admission)
        finally:
            world.close()
            await admission.close()


async def follow(world: World, admission: KueueAdmission) -> None:
    keeper = BudgetKeeper(world.service.budgets, world.service.jobs, admission, lambda job: None)

    def order(*jobs: str) -> Callable[[], Awaitable[bool]]:
        async def seen() -> bool:
            places = [await admission.position("nlp", f"job-{job}") for job in jobs]
            return places == list(range(len(jobs)))

        return seen

    async def submit(key: str, owner: str) -> str:
        job = await world.submit(key, owner=owner)
        await world.settle()
        await asyncio.sleep(1.1)  # Kueue orders by the second
        return job

    for key in ("a", "b"):
        await submit(key, "eve")
    adas, bobs = await submit("c", "ada"), await submit("d", "bob")
    await eventually(order(adas, bobs), "both wait in Kueue, in the order in which they came")

    use(world, 8, "ada", "p1")
    await keeper.tick()
    told = Deliveries(world.service.jobs.db).due(now=world.clock.now + 1, limit=10)
    assert [(each.event, each.body["budget"]["share"]) for each in told] == [("budget.warn", 80)]

    use(world, 1.5, "ada", "p2")
    await keeper.tick()
    await eventually(order(bobs, adas), "at 95 % ada's goes after bob's")
    assert (await admission.get("nlp", f"job-{adas}")).priority == constants.PRIORITY_LOWERED

    use(world, 0.5, "ada", "p3")
    held = await world.submit("e", owner="ada")
    assert (await world.state(held))[0] == "HELD"
    assert f"job-{held}" not in {ticket.name for ticket in await admission.tickets("nlp")}

    more = Grant(0, "nlp", "each", "ada", Fraction(HOUR), world.clock.now + HOUR, "a deadline", "rene", world.clock.now)
    world.service.budgets.book.grant(more)
    await keeper.tick()
    await eventually(order(adas, bobs), "after a grant it has its place again")
    assert (await admission.get("nlp", f"job-{adas}")).priority == constants.PRIORITY_BATCH
    await world.settle()
    await eventually(order(adas, bobs, held), "and what was held waits in Kueue, too")
