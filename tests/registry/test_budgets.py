"""Budgets in ``tenants.yaml``: what they become, and what is wrong with them."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from aifactory_hub.domain.budgets import Action, Budget, Period, Step, Unit
from aifactory_hub.registry import read_registry

from .files import GOOD, SOURCE, problems

ZONE = ZoneInfo("Europe/Berlin")


def with_budgets(text: str, billing: str = "billing: {currency: EUR, time_zone: Europe/Berlin}") -> str:
    lines = GOOD.splitlines()
    at = next(n for n, line in enumerate(lines) if "display_name: Language" in line)
    lines.insert(at, f"    budgets: {text}")
    return "\n".join([*lines, billing, ""])


def budgets(text: str) -> tuple[Budget, ...]:
    return read_registry(with_budgets(text), SOURCE).tenants["nlp"].budgets


def test_a_team_has_none_unless_it_says_so() -> None:
    assert read_registry(GOOD, SOURCE).tenants["nlp"].budgets == ()


def test_hours_money_people_and_times() -> None:
    month, money, each = budgets(
        "{month: {gpu_hours: 12.5, steps: {warn: [95, 80], lower_priority: 95, hold: 100}}, "
        "money: {amount: 4000, period: quarter, safe: false, steps: {no_borrowing: 90, refuse_notebooks: 110}}, "
        "each: {per: person, gpu_hours: 1, steps: {end_notebooks: 120}, notify: [https://hooks.example.org/b]}}"
    )
    assert (month.unit, month.limit, month.period, month.person, month.safe) == (
        Unit.GPU_HOURS,
        Fraction(45_000),
        Period.MONTH,
        False,
        True,
    )
    assert month.steps == (
        Step(80, Action.WARN),
        Step(95, Action.WARN),
        Step(95, Action.LOWER_PRIORITY),
        Step(100, Action.HOLD),
    )
    assert (money.unit, money.limit, money.period, money.safe) == (Unit.MONEY, Fraction(4000), Period.QUARTER, False)
    assert money.steps == (Step(90, Action.NO_BORROWING), Step(110, Action.REFUSE_NOTEBOOKS))
    assert (each.person, each.notify) == (True, ("https://hooks.example.org/b",))


def test_a_span_has_whole_days_of_the_site_s_zone() -> None:
    [budget] = budgets(
        "{b: {gpu_hours: 5, period: span, first_day: 2026-03-01, last_day: 2026-10-31, steps: {hold: 100}}}"
    )
    assert budget.span is not None
    assert budget.span.start == datetime(2026, 3, 1, tzinfo=ZONE).timestamp()
    assert budget.span.end == datetime(2026, 11, 1, tzinfo=ZONE).timestamp()
    assert budget.span.name == "2026-03-01/2026-10-31"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{b: {steps: {hold: 100}}}", "b: it limits nothing; write either gpu_hours or amount"),
        ("{b: {gpu_hours: 1, amount: 1, steps: {hold: 100}}}", "b: it limits hours and money"),
        ("{b: {gpu_hours: 0, steps: {hold: 100}}}", "b.gpu_hours: 0 is not an amount; write a number above 0"),
        ("{b: {gpu_hours: 1, steps: {hold: 80%}}}", "b.steps.hold: '80%' is not a share; write per cent of the budget"),
        ("{b: {gpu_hours: 1, steps: {hold: 0}}}", "b.steps.hold: 0 is not a share"),
        ("{b: {gpu_hours: 1, steps: {}}}", "b.steps: nothing follows at any share"),
        ("{b: {gpu_hours: 1}}", "b.steps: is missing"),
        ("{b: {gpu_hours: 1, period: week, steps: {hold: 1}}}", "b.period: 'week' is not possible here"),
        ("{b: {gpu_hours: 1, period: span, steps: {hold: 1}}}", "b.period: a span has no first or no last day"),
        (
            "{b: {gpu_hours: 1, first_day: 2026-01-01, steps: {hold: 1}}}",
            "b.first_day: only a span has days of its own",
        ),
        (
            "{b: {gpu_hours: 1, period: span, first_day: 2026-02-01, last_day: 2026-01-01, steps: {hold: 1}}}",
            "b.last_day: its last day, 2026-01-01, is before its first",
        ),
        ("{b: {gpu_hours: 1, per: group, steps: {hold: 1}}}", "b.per: 'group' is not possible here"),
        ("{b: {gpu_hours: 1, steps: {stop: 1}}}", "b.steps.stop: unknown key"),
        ("{b: {gpu_hours: 1, limit: 1, steps: {hold: 1}}}", "b.limit: unknown key"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_write(text: str, said: str) -> None:
    found = problems(with_budgets(text))
    assert any(f"tenants.nlp.budgets.{said}" in each for each in found), found


def test_money_takes_a_currency() -> None:
    found = problems(with_budgets("{b: {amount: 1, steps: {hold: 1}}}", billing=""))
    assert any("tenants.nlp.budgets.b.amount: the site has no currency" in each for each in found), found
