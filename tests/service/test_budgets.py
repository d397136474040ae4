"""Budgets in the whole service: jobs are held, and go on after a grant, a reset, or once there is room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.budgets import Action, Budget, Grant, Step, Unit
from aifactory_hub.domain.months import month_of
from aifactory_hub.registry.model import Registry

from ..support.job_service import make_registry
from .world import MIG, World

HOUR = 3600
# A small slice is an eighth of the memory of a GPU and a seventh of its compute.
PART = Fraction(1, 7)
HOLD = (Step(80, Action.WARN), Step(100, Action.HOLD))


def budget(limit: float, **said: Any) -> Budget:
    """So many hours of one small slice."""
    return replace(Budget("month", Unit.GPU_HOURS, PART * Fraction(limit) * HOUR, HOLD), **said)


def with_budgets(*budgets: Budget, registry: Registry | None = None) -> Registry:
    registry = registry or make_registry()
    return replace(registry, tenants={**registry.tenants, "nlp": replace(registry.tenants["nlp"], budgets=budgets)})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, registry=with_budgets(budget(2)))
    yield world
    world.close()


def grant(world: World, hours: float, until: float) -> Grant:
    given = Grant(0, "nlp", "month", "", PART * Fraction(hours) * HOUR, until, "a deadline", "rene", world.clock.now)
    return world.service.budgets.book.grant(given)


async def test_a_job_that_does_not_fit_is_held_and_goes_on_after_a_grant(world: World) -> None:
    first = await world.submit("a", max_seconds=HOUR)
    assert (await world.state(first))[0] == "STARTING"
    held = await world.submit("b", max_seconds=2 * HOUR)
    state, reason = await world.state(held)
    assert (state, str(reason).startswith("held by budget month of team nlp")) == ("HELD", True)
    assert [ticket.owner for ticket in await world.admission.tickets("nlp")] == [first]
    grant(world, 1, world.clock.now + HOUR)
    assert (await world.state(held))[0] == "STARTING"


async def test_it_goes_on_at_the_reset(world: World) -> None:
    held = await world.submit("b", max_seconds=3 * HOUR)
    assert (await world.state(held))[0] == "HELD"
    end = month_of(world.clock.now, world.registry.billing.zone).end
    world.clock.now = end - 2 * HOUR + 1  # no more than two hours of it can be in this month
    assert (await world.state(held))[0] == "STARTING"


async def test_it_goes_on_once_a_job_has_ended_early(world: World) -> None:
    first = await world.submit("a", max_seconds=2 * HOUR)
    held = await world.submit("b", max_seconds=HOUR)
    await world.settle()
    assert (await world.state(held))[0] == "HELD"
    world.service.jobs.ask_cancel(first, by="ada", now=world.clock.now)
    assert (await world.state(first))[0] == "CANCELLED"
    assert world.service.budgets.book.release(world.clock.now + 1, int(world.clock.now) + 1) == ["nlp"]
    assert (await world.state(held))[0] == "STARTING"


async def test_what_was_let_through_stays_so_in_a_new_process(world: World) -> None:
    first = await world.submit("a", max_seconds=2 * HOUR)
    world.restart()
    held = await world.submit("b", max_seconds=HOUR)
    assert (await world.state(first))[0] == "STARTING"
    assert (await world.state(held))[0] == "HELD"


async def test_a_held_job_can_be_cancelled(world: World) -> None:
    held = await world.submit("b", max_seconds=3 * HOUR)
    await world.settle()
    world.service.jobs.ask_cancel(held, by="ada", now=world.clock.now)
    assert (await world.state(held))[0] == "CANCELLED"


async def test_a_team_without_budgets_and_a_size_that_costs_nothing_are_not_held(world: World) -> None:
    held = await world.submit("b", max_seconds=3 * HOUR)
    other = await world.submit("c", tenant="vision", max_seconds=3 * HOUR)
    free = await world.submit("d", profile="cpu-small", max_seconds=3 * HOUR)
    assert [(await world.state(job))[0] for job in (held, other, free)] == ["HELD", "STARTING", "STARTING"]


async def test_retries_are_reserved_with_the_job(world: World) -> None:
    held = await world.submit("a", max_seconds=HOUR, retries=2)
    assert (await world.state(held))[0] == "HELD"
    fits = await world.submit("b", max_seconds=HOUR, retries=1)
    assert (await world.state(fits))[0] == "STARTING"


async def test_a_job_from_before_there_was_a_budget_gets_no_ticket_until_it_fits(tmp_path: Path) -> None:
    world = World(tmp_path)
    queued = await world.submit("a", max_seconds=3 * HOUR)
    world.registry = with_budgets(budget(2))
    world.restart()
    state, _ = await world.state(queued)
    assert (state, "held by budget month" in str(world.job(queued).unreachable)) == ("PENDING", True)
    assert await world.admission.tickets("nlp") == []
    grant(world, 1, world.clock.now + HOUR)
    assert (await world.state(queued))[0] == "STARTING"
    world.close()


async def test_a_job_without_a_limit_of_its_own_is_reserved_for_the_site_s(world: World) -> None:
    held = await world.submit("a", profile=MIG)
    state, reason = await world.state(held)
    assert (state, "shorter max_duration" in str(reason)) == ("HELD", True)
