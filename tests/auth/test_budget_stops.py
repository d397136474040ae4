"""Notebooks are ended by a budget where it says so, after a while, and never by a service that does not answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from aifactory_hub.auth import budget_stops
from aifactory_hub.auth.budget_stops import GRACE, BudgetStops
from aifactory_hub.domain.budgets import Action, Budget, Step, Unit
from aifactory_hub.domain.server_ends import NOTICE, EndReason, Notice, ServerEnd
from aifactory_hub.hub_pages.budgets import BudgetsUnknown, TeamSaid
from aifactory_hub.hub_pages.notice import notice_answer

from ..support.job_service import Clock, make_registry


@dataclass
class Site:
    """Two servers of ada in nlp and one of eve in vision; ``ends`` is what the service says of each profile."""

    actions: tuple[Action, ...] = (Action.END_NOTEBOOKS,)
    ends: Mapping[str, str | None] | None = field(default_factory=lambda: {"small": "budget month: used up"})
    stopped: list[tuple[str, str, ServerEnd]] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Clock()
        steps = tuple(Step(100, action) for action in self.actions)
        budget = Budget("month", Unit.GPU_HOURS, Fraction(1), steps)
        known = make_registry()
        nlp = replace(known.tenants["nlp"], budgets=(budget,) if steps else ())
        self.registry = replace(known, tenants={**known.tenants, "nlp": nlp})
        ada = person("ada", a=server("nlp", "small"), b=server("nlp", "cpu"), c=server("nlp", "small", active=False))
        people = {"ada": ada, "eve": person("eve", d=server("vision", "small"))}
        self.app = SimpleNamespace(users=people, tornado_settings={})
        self.stops = BudgetStops(self.app, lambda: self.registry, self.clock)


def server(tenant: str, profile: str, *, active: bool = True) -> Any:
    stored = SimpleNamespace(state={"aifactory": {"tenant": tenant, "profile": profile}})
    return SimpleNamespace(active=active, pending=None, orm_spawner=stored)


def person(name: str, **servers: Any) -> Any:
    return SimpleNamespace(name=name, spawners=servers)


def make(monkeypatch: pytest.MonkeyPatch, **said: Any) -> Site:
    site = Site(**said)

    async def stop(app: Any, user: Any, name: str, end: ServerEnd) -> None:
        site.stopped.append((user.name, name, end))
        user.spawners[name].active = False

    async def said_of(settings: Any, user: str, teams: list[str], profile: str, *, within: float) -> Any:
        site.asked.append((user, teams[0], profile))
        if site.ends is None:
            raise BudgetsUnknown
        return {"nlp": TeamSaid((), ends=site.ends.get(profile))}

    monkeypatch.setattr(budget_stops, "stop_server", stop)
    monkeypatch.setattr(budget_stops, "said_of_budgets", said_of)
    return site


async def test_a_server_is_stopped_after_a_while_and_its_owner_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    site = make(monkeypatch)
    await site.stops.look()
    assert (site.asked, site.stopped) == ([("ada", "nlp", "small"), ("ada", "nlp", "cpu")], [])
    site.clock.pass_by(GRACE - 1)
    await site.stops.look()
    assert site.stopped == []
    site.clock.pass_by(1)
    await site.stops.look()
    [(user, name, end)] = site.stopped
    assert (user, name, end.reason) == ("ada", "a", EndReason.BUDGET)
    assert "budget in team nlp: budget month: used up" in end.why


async def test_its_owner_is_told_before_and_no_longer_after_a_grant(monkeypatch: pytest.MonkeyPatch) -> None:
    site = make(monkeypatch)
    spawner = site.app.users["ada"].spawners["a"]
    await site.stops.look()
    assert spawner.aifactory_budget_notice == Notice("budget month: used up", site.clock.now + GRACE)
    assert site.app.users["ada"].spawners["b"].aifactory_budget_notice is None
    first = spawner.aifactory_budget_notice
    site.clock.pass_by(GRACE / 2)
    await site.stops.look()
    assert spawner.aifactory_budget_notice == first
    site.ends = {"small": None}
    await site.stops.look()
    assert spawner.aifactory_budget_notice is None


def test_the_first_of_two_notices_is_told_with_what_is_behind_it() -> None:
    quota = {NOTICE: Notice("Vision asks for its own", 60.0).to_state()}
    budget = Notice("budget month: used up", 30.0)
    assert notice_answer({}, None) is None
    assert notice_answer(quota, None) == {
        "why": "to give its quota back: Vision asks for its own",
        "until": "1970-01-01T00:01:00+00:00",
    }
    expected = {"why": "by a budget: budget month: used up", "until": "1970-01-01T00:00:30+00:00"}
    assert notice_answer(quota, budget) == notice_answer(None, budget) == expected


async def test_a_grant_meanwhile_keeps_it_and_the_time_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    site = make(monkeypatch)
    for said in ({"small": "over"}, {"small": None}, {"small": "over"}):
        site.ends = said
        await site.stops.look()
        site.clock.pass_by(GRACE / 2 + 1)
    await site.stops.look()
    assert site.stopped == []


async def test_a_service_that_does_not_answer_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    site = make(monkeypatch)
    await site.stops.look()
    site.ends = None
    site.clock.pass_by(2 * GRACE)
    await site.stops.look()
    assert site.stopped == []


@pytest.mark.parametrize("actions", [(), (Action.HOLD, Action.REFUSE_NOTEBOOKS)])
async def test_where_no_budget_ends_notebooks_nobody_is_asked(
    monkeypatch: pytest.MonkeyPatch, actions: tuple[Action, ...]
) -> None:
    site = make(monkeypatch, actions=actions)
    await site.stops.look()
    assert (site.asked, site.stopped) == ([], [])
