"""What budgets hold, lower, refuse and end, and at which share."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.budget_words import amount_text, hold_reason, notebook_refusal, standing_words
from aifactory_hub.domain.budgets import (
    Account,
    Action,
    Budget,
    Grant,
    Period,
    Step,
    Unit,
    end_of,
    granted,
    hold_of,
    holding,
    kept_to_own,
    longest_cost,
    lowered,
    refusal_of,
    span_of,
)
from aifactory_hub.domain.months import Span
from aifactory_hub.domain.refusals import RefusalReason

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600
STEPS = (
    Step(80, Action.WARN),
    Step(90, Action.LOWER_PRIORITY),
    Step(95, Action.NO_BORROWING),
    Step(100, Action.HOLD),
    Step(100, Action.REFUSE_NOTEBOOKS),
    Step(120, Action.END_NOTEBOOKS),
)
SPAN = Span("2026-11", 0, 30 * 86400)


def hours(count: float) -> Fraction:
    return Fraction(count) * HOUR


def account(
    spent: float = 0, reserved: float = 0, *, limit: float = 100, known: bool = True, **said: object
) -> Account:
    budget = Budget("month", Unit.GPU_HOURS, hours(limit), STEPS, **said)  # type: ignore[arg-type]
    return Account(budget, SPAN, "", hours(limit), Fraction(0), hours(spent), hours(reserved), known)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(
    ("spent", "reserved", "asked", "held"),
    [
        (0, 0, 100, False),
        (0, 0, 101, True),
        (60, 30, 10, False),
        (60, 30, 11, True),
        (100, 0, 1, True),
        (40, 60, 0, False),
    ],
)
def test_a_job_is_held_when_the_longest_that_it_may_take_does_not_fit(
    spent: float, reserved: float, asked: float, held: bool
) -> None:
    assert (hold_of(account(spent, reserved), hours(asked)) is not None) is held


def test_without_safe_only_what_is_spent_counts() -> None:
    assert hold_of(account(99, 500, safe=False), hours(1000)) is None
    assert hold_of(account(100, 0, safe=False), hours(1)) == Step(100, Action.HOLD)


def test_what_is_not_known_holds_jobs_and_notebooks_and_ends_nothing() -> None:
    unknown = account(0, known=False)
    assert hold_of(unknown, hours(1)) is not None
    assert refusal_of(unknown, Fraction(1)) is not None
    assert end_of(account(500, known=False), Fraction(1)) is None
    soft = Budget("month", Unit.GPU_HOURS, hours(1), (Step(80, Action.WARN), Step(90, Action.LOWER_PRIORITY)))
    passing = Account(soft, SPAN, "", hours(1), Fraction(0), hours(5), Fraction(0), known=False)
    assert hold_of(passing, hours(9)) is None
    assert refusal_of(passing, Fraction(1)) is None


def test_what_costs_nothing_of_the_unit_is_never_held() -> None:
    assert hold_of(account(500), Fraction(0)) is None
    assert refusal_of(account(500), Fraction(0)) is None
    assert end_of(account(500), Fraction(0)) is None


@pytest.mark.parametrize(
    ("spent", "reached"),
    [
        (79, []),
        (80, [Action.WARN]),
        (90, [Action.WARN, Action.LOWER_PRIORITY]),
        (95, [Action.WARN, Action.LOWER_PRIORITY, Action.NO_BORROWING]),
        (119.9, [a for a in Action if a is not Action.END_NOTEBOOKS]),
        (120, list(Action)),
    ],
)
def test_steps_are_reached_at_their_shares(spent: float, reached: list[Action]) -> None:
    found = account(spent)
    assert [action for action in Action if found.reached(action)] == reached
    assert (lowered([found]) is found) is (Action.LOWER_PRIORITY in reached)
    assert (kept_to_own([found]) is found) is (Action.NO_BORROWING in reached)
    assert (end_of(found, Fraction(1)) is not None) is (Action.END_NOTEBOOKS in reached)


def test_what_is_reserved_lowers_and_ends_nothing_and_lets_no_notebook_start() -> None:
    found = account(50, 200)
    assert lowered([found]) is None
    assert end_of(found, Fraction(1)) is None
    assert refusal_of(found, Fraction(1)) == Step(100, Action.REFUSE_NOTEBOOKS)


def test_the_first_of_several_budgets_that_holds_is_named() -> None:
    tight = Account(
        Budget("each", Unit.MONEY, Fraction(5), (Step(100, Action.HOLD),), person=True),
        SPAN,
        "ada",
        Fraction(5),
        Fraction(0),
        Fraction(4),
        Fraction(0),
    )
    asked = {"month": hours(1), "each": Fraction(2)}
    assert holding([account(), tight], asked) == (tight, Step(100, Action.HOLD))
    assert holding([account()], asked) is None


def test_what_runs_past_the_end_of_the_time_counts_up_to_the_end() -> None:
    costs = {Unit.GPU_HOURS: Fraction(1, 7)}
    budget = account().budget
    assert longest_cost(costs, budget, SPAN, seconds=HOUR, now=SPAN.end - 60) == Fraction(60, 7)
    assert longest_cost(costs, budget, SPAN, seconds=HOUR, now=0) == Fraction(HOUR, 7)


@pytest.mark.parametrize(
    ("period", "now", "name", "days"),
    [
        (Period.MONTH, "2026-11-30T10:00", "2026-11", 30),
        (Period.QUARTER, "2026-11-30T10:00", "2026-Q4", 92),
        (Period.QUARTER, "2026-01-01T00:00", "2026-Q1", 90),
        (Period.QUARTER, "2026-06-30T23:59", "2026-Q2", 91),
    ],
)
def test_times_of_the_site_s_zone(period: Period, now: str, name: str, days: int) -> None:
    span = span_of(Budget("b", Unit.MONEY, Fraction(1), STEPS, period), at(now), BERLIN)
    assert span is not None
    assert span.name == name
    assert round(span.seconds / 86400) == days
    assert span.start <= at(now) < span.end
    assert datetime.fromtimestamp(span.start, BERLIN).strftime("%d %H:%M") == "01 00:00"


def test_a_span_of_its_own_is_over_at_its_end() -> None:
    budget = Budget("b", Unit.MONEY, Fraction(1), STEPS, Period.SPAN, span=Span("s", 100, 200))
    assert [span_of(budget, now, BERLIN) is not None for now in (99, 100, 199, 200)] == [False, True, True, False]


def test_grants_count_until_their_end_for_whom_they_are() -> None:
    def grant(**said: object) -> Grant:
        values = {"budget": "month", "user": "", "amount": hours(10), "until": 200.0, "at": 100.0, **said}
        return Grant(1, "nlp", reason="deadline", by="grace", **values)  # type: ignore[arg-type]

    team, each = account().budget, account(person=True).budget
    grants = [grant(), grant(user="ada"), grant(budget="other")]
    assert [granted(team, "", grants, now) for now in (99, 100, 199, 200)] == [0, hours(10), hours(10), 0]
    assert granted(each, "ada", grants, 150) == hours(10)
    assert granted(each, "bob", grants, 150) == 0


def test_words_have_the_numbers_and_when_it_resets() -> None:
    found = account(12.5, 20, limit=30)
    assert (
        standing_words(found, "EUR")
        == "12.5 GPU-hours of 30 GPU-hours used, 20 GPU-hours reserved, resets at 1970-01-31 00:00 UTC"
    )
    reason = hold_reason(found, Step(100, Action.HOLD), hours(5), "nlp", "EUR")
    assert reason.startswith("held by budget month of team nlp: it may cost 5 GPU-hours, and 12.5 GPU-hours of 30")
    assert "goes on by itself" in reason
    assert "shorter max_duration" in hold_reason(found, Step(100, Action.HOLD), hours(31), "nlp", "EUR")
    refusal = notebook_refusal(account(100), "nlp", "")
    assert (refusal.reason, "100 GPU-hours of 100" in refusal.message) == (RefusalReason.BUDGET, True)
    assert notebook_refusal(account(known=False), "nlp", "").reason is RefusalReason.BUDGET_UNKNOWN
    assert amount_text(Unit.MONEY, Fraction(10, 3), "EUR") == "3.33"
    assert amount_text(Unit.MONEY, Fraction(10, 3), "JPY") == "3"


@given(st.lists(st.integers(0, 40), max_size=40), st.integers(0, 100), st.integers(0, 50))
def test_whatever_comes_no_more_is_let_through_than_fits(asks: list[int], limit: int, spent: int) -> None:
    reserved, through = 0, []
    for asked in asks:
        if hold_of(account(spent, reserved, limit=limit), hours(asked)) is None:
            reserved += asked
            through.append(asked)
        else:
            assert spent + reserved + asked > limit
    assert not any(through) or spent + sum(through) <= limit
