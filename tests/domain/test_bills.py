"""Bills: exact, the same however time and pods are cut, and rounded once."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.bills import (
    BillLine,
    BillRecord,
    Charge,
    Correction,
    LineKey,
    bills,
    charges,
    corrections,
    digest,
    line_json,
    line_of,
    standing,
    summed,
)
from aifactory_hub.domain.months import Span
from aifactory_hub.domain.prices import Prices, PriceVersion, digits
from aifactory_hub.domain.usage import Hold, Possession

END = 1000
PROFILES = ("small", "large", "unpriced")


def hold(pod: str, start: int, end: int | None, profile: str = "small", tenant: str = "nlp", user: str = "ada") -> Hold:
    whose = Possession(tenant, user, profile, "server", gpus=Fraction(1, 7))
    return Hold(pod, whose, start, end, end)


HOLDS = st.lists(
    st.builds(
        lambda start, long, profile, tenant, user: (start, start + long, profile, tenant, user),
        st.integers(-100, END + 100),
        st.integers(0, 400),
        st.sampled_from(PROFILES),
        st.sampled_from(["nlp", "robots"]),
        st.sampled_from(["ada", "bob", ""]),
    ),
    max_size=15,
).map(lambda found: [hold(f"p{n}", *each) for n, each in enumerate(found)])
PER_HOUR = st.one_of(st.none(), st.decimals(0, 5000, places=2, allow_nan=False))
PRICES = st.lists(
    st.tuples(st.sampled_from(PROFILES[:2]), st.integers(-50, END), PER_HOUR), max_size=8, unique_by=lambda v: v[:2]
).map(lambda found: Prices.of(PriceVersion(p, at, cost, "EUR", n) for n, (p, at, cost) in enumerate(found, 1)))
PRICE = Prices.of([PriceVersion("small", 0, Decimal("0.40"), "EUR", 1)])


def charged(holds: Iterable[Hold], prices: Prices, start: int = 0, end: int = END) -> list[Charge]:
    return [charge for each in holds for charge in charges(each, prices, start, end)]


def lines_of(holds: Iterable[Hold], prices: Prices) -> list[BillLine]:
    return [line for bill in bills(summed(charged(holds, prices)), prices) for line in bill.lines]


def exact(found: Iterable[Charge]) -> dict[LineKey, tuple[int, Fraction]]:
    """Seconds and money of each line, nothing rounded."""
    sums: dict[LineKey, tuple[int, Fraction]] = {}
    for charge in found:
        seconds, money = sums.get(charge.key, (0, Fraction(0)))
        sums[charge.key] = seconds + charge.seconds, money + Fraction(charge.exact or 0)
    return sums


def oracle(holds: Sequence[Hold], prices: Prices) -> dict[tuple[str, str, str], Fraction]:
    """Second by second, in fractions, by tenant, user and profile."""
    owed: dict[tuple[str, str, str], Fraction] = {}
    for each in holds:
        whose, end = each.possession, END if each.end is None else each.end
        for second in range(max(0, each.start), min(END, end)):
            counts = [v for v in prices.versions.get(whose.profile, ()) if v.effective_from <= second]
            if counts and counts[-1].per_second is not None:
                key = whose.tenant, whose.user, whose.profile
                owed[key] = owed.get(key, Fraction(0)) + Fraction(counts[-1].per_second)
    return owed


@given(HOLDS, PRICES)
def test_the_bill_is_what_an_oracle_counts_second_by_second(holds: list[Hold], prices: Prices) -> None:
    found: dict[tuple[str, str, str], Fraction] = {}
    for line in lines_of(holds, prices):
        if line.exact is not None:
            key = line.key.tenant, line.key.user, line.key.profile
            found[key] = found.get(key, Fraction(0)) + Fraction(line.exact)
    assert found == oracle(holds, prices) | {key: Fraction(0) for key, money in found.items() if not money}


@given(HOLDS, PRICES, st.integers(0, END))
def test_two_spans_that_follow_on_each_other_cost_what_both_do(holds: list[Hold], prices: Prices, middle: int) -> None:
    both = charged(holds, prices, 0, middle) + charged(holds, prices, middle, END)
    assert exact(both) == exact(charged(holds, prices))


@given(HOLDS, HOLDS, PRICES)
def test_two_sets_of_pods_cost_what_all_of_them_do(some: list[Hold], others: list[Hold], prices: Prices) -> None:
    assert exact(charged(some, prices) + charged(others, prices)) == exact(charged([*some, *others], prices))


@given(HOLDS, PRICES, st.integers(0, END))
def test_the_same_price_said_twice_changes_no_coin(holds: list[Hold], prices: Prices, at: int) -> None:
    last = prices.at("small", at)
    every = [v for each in prices.versions.values() for v in each]
    again = Prices.of([*every, replace(last, effective_from=at, number=99)] if last is not None else every)
    assert owed(lines_of(holds, prices)) == owed(lines_of(holds, again))


def owed(lines: Iterable[BillLine]) -> dict[tuple[str, str, str, Decimal | None], Fraction]:
    """By whatever a price's version is not."""
    sums: dict[tuple[str, str, str, Decimal | None], Fraction] = {}
    for line in lines:
        key = line.key.tenant, line.key.user, line.key.profile, line.per_second
        sums[key] = sums.get(key, Fraction(0)) + Fraction(line.exact or 0)
    return sums


@given(HOLDS, PRICES)
def test_the_lines_sum_to_the_bill_which_is_rounded_once(holds: list[Hold], prices: Prices) -> None:
    coin = Decimal(1).scaleb(-digits("EUR"))
    for bill in bills(summed(charged(holds, prices)), prices):
        priced = [line for line in bill.lines if line.exact is not None]
        amounts = [line.amount for line in priced if line.amount is not None]
        assert (bill.amount is None) is (not priced)
        assert len(amounts) == len(priced)
        if bill.amount is not None:
            assert bill.amount == sum(amounts)
            whole = sum((Fraction(line.exact or 0) for line in priced), Fraction(0))
            assert abs(Fraction(bill.amount) - whole) <= Fraction(coin) / 2
        for line in priced:
            assert line.amount is not None
            assert line.exact is not None
            assert abs(line.amount - line.exact) < coin


@given(HOLDS, PRICES, st.randoms(use_true_random=False))
def test_the_order_of_pods_changes_nothing(holds: list[Hold], prices: Prices, order: random.Random) -> None:
    shuffled = order.sample(holds, len(holds))
    assert lines_of(shuffled, prices) == lines_of(holds, prices)


@given(HOLDS, PRICES)
def test_what_another_team_used_changes_no_coin(holds: list[Hold], prices: Prices) -> None:
    mine = [each for each in holds if each.possession.tenant == "nlp"]
    assert [line for line in lines_of(holds, prices) if line.key.tenant == "nlp"] == lines_of(mine, prices)


def test_ten_thousand_short_jobs_are_rounded_once() -> None:
    """Rounded each, these would come to 100.00."""
    holds = [hold(f"p{n}", 0, 60) for n in range(10_000)]
    (bill,) = bills(summed(charged(holds, PRICE)), PRICE)
    assert bill.amount == Decimal("66.67")


@pytest.mark.parametrize("at", [100, 200])
def test_a_price_that_changes_in_the_second_of_a_start_or_an_end_splits_nothing(at: int) -> None:
    prices = Prices.of([*PRICE.versions["small"], PriceVersion("small", at, Decimal(1), "EUR", 2)])
    found = charged([hold("p1", 100, 200)], prices)
    assert [(each.start, each.end, each.key.price) for each in found] == [(100, 200, 2 if at == 100 else 1)]


def test_a_price_that_changes_within_splits_the_hold_in_that_second() -> None:
    prices = Prices.of([*PRICE.versions["small"], PriceVersion("small", 150, Decimal(1), "EUR", 2)])
    found = charged([hold("p1", 100, 200)], prices)
    assert [(each.start, each.end, each.key.price) for each in found] == [(100, 150, 1), (150, 200, 2)]
    assert [each.pods for each in summed(found)] == [1, 1]


@pytest.mark.parametrize("at", [0, 500, END, END + 1])
def test_a_hold_of_no_length_costs_nothing(at: int) -> None:
    assert charged([hold("p1", at, at)], PRICE) == []


def test_what_goes_on_costs_up_to_the_end_that_is_asked_for() -> None:
    assert [charge.seconds for charge in charged([hold("p1", 900, None)], PRICE)] == [100]
    assert charged([hold("p1", END, None)], PRICE) == []


def test_without_a_price_there_is_no_amount_and_with_one_of_nothing_there_is() -> None:
    free = Prices.of([PriceVersion("small", 0, Decimal(0), "EUR", 1), PriceVersion("large", 0, None, "EUR", 2)])
    lines = lines_of([hold("p1", 0, 10), hold("p2", 0, 10, "large"), hold("p3", 0, 10, "unpriced")], free)
    assert {line.key.profile: line.amount for line in lines} == {
        "small": Decimal("0.00"),
        "large": None,
        "unpriced": None,
    }
    (bill,) = bills(summed(charged([hold("p3", 0, 10, "unpriced")], free)), free)
    assert (bill.amount, bill.currency) == (None, "")


SPAN = Span("2026-10", 0, END)


def test_a_digest_is_that_of_its_lines_to_the_last_digit() -> None:
    lines = lines_of([hold("p1", 0, 100), hold("p2", 5, 50, user="bob")], PRICE)
    assert digest(SPAN, lines) == digest(SPAN, reversed(lines))
    assert digest(SPAN, lines) != digest(SPAN, lines_of([hold("p1", 0, 101), hold("p2", 5, 50, user="bob")], PRICE))
    assert digest(SPAN, lines) != digest(replace(SPAN, end=END + 1), lines)


@given(HOLDS, PRICES)
def test_lines_are_stored_without_losing_a_digit(holds: list[Hold], prices: Prices) -> None:
    for line in lines_of(holds, prices):
        assert line_of(line_json(line)) == line


def test_a_late_fact_takes_one_line_back_and_states_it_anew() -> None:
    before, after = lines_of([hold("p1", 0, 100)], PRICE), lines_of([hold("p1", 0, 130)], PRICE)
    assert corrections(before, after) == [Correction(before[0], after[0])]
    assert corrections(before, before) == []
    assert corrections([], after) == [Correction(None, after[0])]
    assert corrections(before, []) == [Correction(before[0], None)]


@given(st.lists(HOLDS, min_size=1, max_size=4), PRICES)
def test_what_stands_after_all_corrections_is_what_is_right(versions: list[list[Hold]], prices: Prices) -> None:
    """In seconds: the amounts of lines that nothing happened to stay as they were billed."""
    records = [
        BillRecord("2026-10", n, "original", "2026-10", 0, line) for n, line in enumerate(lines_of(versions[0], prices))
    ]
    for holds in versions[1:]:
        for each in corrections(standing(records), lines_of(holds, prices)):
            for record, line in (("retraction", each.retracted), ("restatement", each.restated)):
                if line is not None:
                    records.append(BillRecord("2026-10", len(records), record, "2026-11", 0, line))
    right = lines_of(versions[-1], prices)
    assert sorted((line.key, line.seconds, line.exact) for line in standing(records)) == sorted(
        (line.key, line.seconds, line.exact) for line in right
    )
