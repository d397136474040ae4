"""Budgets of ``tenants.yaml``: what is wrong with them, and what they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from ..domain.budgets import Action, Budget, Period, Step, Unit, own_amount
from ..domain.months import Span, day_of
from .budget_schema import BudgetSection, StepsSection
from .problems import Problem

_NOON = 12 * 3600


def budget_problems(data: Mapping[Any, Any]) -> Iterator[Problem]:
    """Budgets that each key by itself allows and that still can't be; what is unreadable is left to the schema."""
    tenants = data.get("tenants")
    billing = data.get("billing")
    currency = billing.get("currency") if isinstance(billing, dict) else None
    for tenant, said in tenants.items() if isinstance(tenants, dict) else ():
        budgets = said.get("budgets") if isinstance(said, dict) else None
        for name, budget in budgets.items() if isinstance(budgets, dict) else ():
            if isinstance(budget, dict):
                for place, what, instead in _wrong(budget, currency):
                    yield Problem(("tenants", str(tenant), "budgets", str(name), *place), what, instead)


def _wrong(budget: Mapping[Any, Any], currency: object) -> Iterator[tuple[tuple[str, ...], str, str]]:
    limits = [key for key in ("gpu_hours", "amount") if budget.get(key) is not None]
    if len(limits) != 1:
        what = "it limits nothing" if not limits else "it limits hours and money"
        yield (), what, "write either gpu_hours or amount; for both make two budgets"
    if "amount" in limits and currency is None:
        yield ("amount",), "the site has no currency", "write billing.currency, or gpu_hours instead"
    days = [key for key in ("first_day", "last_day") if budget.get(key) is not None]
    if budget.get("period") == "span":
        if len(days) != 2:
            yield ("period",), "a span has no first or no last day", "write first_day and last_day"
        elif str(budget["first_day"]) > str(budget["last_day"]):
            what = f"its last day, {budget['last_day']}, is before its first, {budget['first_day']}"
            yield ("last_day",), what, "write a later one"
    elif days:
        yield (days[0],), "only a span has days of its own", "write period: span, or remove it"
    steps = budget.get("steps")
    if isinstance(steps, dict) and not any(steps.values()):
        yield ("steps",), "nothing follows at any share", "write for example {warn: [80], hold: 100}"


def budgets_of(sections: Mapping[str, BudgetSection], zone: ZoneInfo) -> tuple[Budget, ...]:
    """The budgets, in the order of the file."""
    return tuple(_budget(name, section, zone) for name, section in sections.items())


def _budget(name: str, section: BudgetSection, zone: ZoneInfo) -> Budget:
    unit = Unit.GPU_HOURS if section.gpu_hours is not None else Unit.MONEY
    written = section.gpu_hours if section.gpu_hours is not None else section.amount
    span = None
    if section.first_day is not None and section.last_day is not None:
        first, last = _day(section.first_day, zone), _day(section.last_day, zone)
        span = Span(f"{first.name}/{last.name}", first.start, last.end)
    return Budget(
        name=name,
        unit=unit,
        limit=own_amount(unit, Fraction(written or 0)),
        steps=_steps(section.steps),
        period=Period(section.period),
        person=section.per == "person",
        safe=section.safe,
        span=span if section.period == "span" else None,
        notify=tuple(section.notify),
    )


def _day(end: float, zone: ZoneInfo) -> Span:
    """The day of the site's zone that has the date whose last second in UTC this is."""
    date = datetime.fromtimestamp(end - _NOON, UTC)
    return day_of(datetime(date.year, date.month, date.day, 12, tzinfo=zone).timestamp(), zone)


def _steps(section: StepsSection) -> tuple[Step, ...]:
    """In the order in which they are reached."""
    found = [Step(share, Action.WARN) for share in section.warn]
    for action in Action:
        share = None if action is Action.WARN else getattr(section, action.value)
        if share is not None:
            found.append(Step(share, action))
    return tuple(sorted(found, key=lambda step: step.share))
