"""When a budget will be used up: a range of days from past ones, or that it is not known."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from aifactory_hub.domain.budget_forecast import LEAST_DAYS, BudgetForecast, DayUse, forecast
from aifactory_hub.domain.budgets import Account, Action, Budget, Step, Unit
from aifactory_hub.domain.months import day_of, month

ZONE = ZoneInfo("Europe/Berlin")
NOVEMBER = month("2026-11", ZONE)
# The 11th, a Wednesday, at midnight.
NOW = datetime(2026, 11, 11, tzinfo=ZONE).timestamp()


def account(limit: int, spent: int, *, known: bool = True) -> Account:
    budget = Budget("month", Unit.GPU_HOURS, Fraction(limit), (Step(100, Action.HOLD),))
    return Account(budget, NOVEMBER, "", Fraction(limit), Fraction(0), Fraction(spent), Fraction(0), known)


def past(count: int, work: float, rest: float = 0.0) -> list[DayUse]:
    """So many days before NOW, with what is used on weekdays and at weekends."""
    first = date(2026, 11, 11) - timedelta(days=count)
    found = []
    for number in range(count):
        day = first + timedelta(days=number)
        at = datetime(day.year, day.month, day.day, 12, tzinfo=ZONE).timestamp()
        found.append(DayUse(day_of(at, ZONE), rest if day.weekday() >= 5 else work))
    return found


def test_steady_days_end_it_on_one_day_and_weekends_count_as_weekends() -> None:
    # 11th to 13th, then a weekend, then the 16th: four working days of ten.
    assert forecast(account(140, 100), past(28, 10.0), NOW, ZONE) == BudgetForecast(
        "2026-11-16", "2026-11-16", "2026-11-16"
    )
    assert forecast(account(140, 100), past(28, 10.0), NOW, ZONE).words == "ends on 2026-11-16"


def test_days_that_differ_give_a_range() -> None:
    days = past(28, 10.0)
    mixed = [DayUse(each.day, each.amount * (3 if number % 3 == 0 else 0.5)) for number, each in enumerate(days)]
    found = forecast(account(200, 100), mixed, NOW, ZONE)
    assert found.low is not None and found.median is not None and found.high is not None
    assert found.low < found.high
    assert found.low <= found.median <= found.high
    assert found.words == f"ends between {found.low} and {found.high}"
    assert forecast(account(200, 100), mixed, NOW, ZONE) == found  # the same each time


def test_what_lasts_and_what_is_over() -> None:
    assert forecast(account(10_000, 100), past(28, 10.0), NOW, ZONE).words == "lasts until it resets"
    assert forecast(account(100, 100), past(28, 10.0), NOW, ZONE).words == "is used up"


@pytest.mark.parametrize(("days", "known"), [(LEAST_DAYS - 1, True), (28, False)])
def test_too_little_is_not_taken_for_knowledge(days: int, known: bool) -> None:
    found = forecast(account(140, 100, known=known), past(days, 10.0), NOW, ZONE)
    assert (found.known, found.low) == (False, None)
    assert "too little is known" in found.words
