"""Who sees what of usage, for which time, and rows that sum to the bill."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.bills import LineKey, Seconds, bills
from aifactory_hub.domain.months import days, hours, month
from aifactory_hub.domain.prices import Prices, PriceVersion
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.usage import Hold, Possession
from aifactory_hub.domain.usage_answers import (
    By,
    PeriodRefused,
    Scope,
    corrected_note,
    currency_of,
    note_for,
    period,
    rows,
    rows_by_span,
    scope_in,
    summed,
)

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
OCTOBER = month("2026-10", AMSTERDAM)
HOUR = 3600
PRICES = Prices.of(
    [
        PriceVersion("a", 0, Decimal("0.37"), "EUR", 1),
        PriceVersion("a", OCTOBER.start + 40 * HOUR + 7, Decimal("0.91"), "EUR", 2),
        PriceVersion("b", 0, Decimal("3.33"), "EUR", 3),
    ]
)


@pytest.mark.parametrize(
    ("role", "platform", "seen"),
    [
        (None, False, None),
        (None, True, Scope.TEAM),
        (Role.VIEWER, False, Scope.OWN),
        (Role.MEMBER, False, Scope.OWN),
        (Role.ADMIN, False, Scope.TEAM),
        (Role.VIEWER, True, Scope.TEAM),
    ],
)
def test_who_sees_what_of_a_team(role: Role | None, platform: bool, seen: Scope | None) -> None:
    assert scope_in(role, platform=platform) is seen


def test_a_month_of_summer_time_has_an_hour_more() -> None:
    assert period("2026-10", None, None, now=0, zone=AMSTERDAM).seconds == 31 * 24 * HOUR + HOUR
    assert period(None, None, None, now=OCTOBER.end - 1, zone=AMSTERDAM) == OCTOBER


def test_the_day_on_which_clocks_change_has_25_hours() -> None:
    span = period(None, "2026-10-25", "2026-10-26", now=OCTOBER.end, zone=AMSTERDAM)
    assert span.seconds == 25 * HOUR


@pytest.mark.parametrize("text", ["", "x", "2026-1-1", "2026-13-01", "9" * 30, "-5", "0000-01-01", "2026-10-25T00"])
def test_a_time_that_is_none_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(PeriodRefused) as refused:
        period(None, text, None, now=OCTOBER.end, zone=AMSTERDAM)
    assert refused.value.field == "from"


def test_a_name_in_a_note_is_for_who_sees_all_of_the_team() -> None:
    note = corrected_note("the node (corrected by hand) was down", "rene")
    assert note_for(note, Scope.TEAM) == note
    assert note_for(note, Scope.OWN) == "the node (corrected by hand) was down"
    assert note_for("plain", Scope.OWN) == "plain"


def key(tenant: str, user: str, profile: str, price: int) -> LineKey:
    return LineKey(tenant, user, profile, "server", price)


_LINE = st.tuples(
    st.sampled_from(["nlp", "vision"]),
    st.sampled_from(["ada", "bob", ""]),
    st.sampled_from([("a", 1), ("a", 2), ("b", 3), ("c", 0)]),
)


@given(st.dictionaries(_LINE, st.integers(1, 10**7), min_size=1), st.sampled_from([By.USER, By.PROFILE, By.TENANT]))
def test_rows_sum_to_the_bills_whatever_they_are_added_up_by(
    held: dict[tuple[str, str, tuple[str, int]], int], by: By
) -> None:
    seconds = [
        Seconds(key(tenant, user, *what), held_for, Fraction(held_for, 7), 1)
        for (tenant, user, what), held_for in held.items()
    ]
    made = bills(seconds, PRICES)
    found = rows([line for bill in made for line in bill.lines], by)
    total = summed(found, len(seconds))
    assert total.seconds == sum(held.values())
    assert total.gpu_seconds == Fraction(sum(held.values()), 7)
    amounts = [bill.amount for bill in made if bill.amount is not None]
    assert total.amount == (sum(amounts) if amounts else None)
    assert total.unpriced == sum(count for (_, _, what), count in held.items() if what[1] == 0)


def test_amounts_of_two_currencies_are_no_sum() -> None:
    prices = Prices.of([PriceVersion("a", 0, Decimal(1), "EUR", 1), PriceVersion("a", 9, Decimal(1), "USD", 2)])
    made = bills([Seconds(key("nlp", "ada", "a", 1), HOUR), Seconds(key("nlp", "ada", "a", 2), HOUR)], prices)
    lines = [line for bill in made for line in bill.lines]
    assert currency_of(lines) is None
    assert rows(lines, By.USER)[0].amount is None


_HOLD = st.tuples(
    st.sampled_from(["nlp", "vision"]), st.sampled_from(["a", "b", "c"]), st.integers(-50 * HOUR, 800 * HOUR),
    st.none() | st.integers(0, 300 * HOUR),
)  # fmt: skip


@given(st.lists(_HOLD, max_size=12), st.integers(1, 5), st.sampled_from([days, hours]))
def test_days_and_hours_sum_to_what_the_month_costs(
    raw: list[tuple[str, str, int, int | None]], page: int, cut: object
) -> None:
    holds = [
        Hold(
            f"p{n}",
            Possession(tenant, "ada", profile, gpus=Fraction(1, 7)),
            OCTOBER.start + start,
            None if long is None else OCTOBER.start + start + long,
        )
        for n, (tenant, profile, start, long) in enumerate(raw)
    ]
    pages = [holds[at : at + page] for at in range(0, len(holds), page)]
    spans = cut(OCTOBER.start, OCTOBER.end, AMSTERDAM)  # type: ignore[operator]
    found = rows_by_span(pages, spans, PRICES)
    assert [row.key for row in found] == [span.name for span in spans]
    whole = rows_by_span([holds], [OCTOBER], PRICES)[0]
    total = summed(found, 0)
    assert (total.seconds, total.gpu_seconds, total.unpriced) == (whole.seconds, whole.gpu_seconds, whole.unpriced)
    assert (total.amount or 0) == (whole.amount or 0)
    assert whole.gpu_seconds == Fraction(whole.seconds, 7)
    assert max((row.pods for row in found), default=0) <= len(holds)
    assert all((row.pods > 0) == (row.seconds > 0) for row in found)
