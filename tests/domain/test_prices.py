"""Prices by version, and money that adds up."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.prices import (
    PriceRefused,
    Prices,
    PriceVersion,
    changed,
    digits,
    refuse,
    rounded,
    shared_out,
)

VERSIONS = [
    PriceVersion("small", 100, Decimal("0.40"), "EUR", 1),
    PriceVersion("large", 100, Decimal("2.99"), "EUR", 2),
    PriceVersion("small", 200, Decimal("0.50"), "EUR", 3),
]
KNOWN = Prices.of(VERSIONS)
AMOUNTS = st.lists(st.decimals(0, 10**9, places=12, allow_nan=False), max_size=40)
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", ""])


def number_at(profile: str, at: int) -> int | None:
    version = KNOWN.at(profile, at)
    return None if version is None else version.number


def test_a_price_counts_from_its_first_second_on() -> None:
    assert [number_at("small", at) for at in (99, 100, 199, 200, 10**12)] == [None, 1, 1, 3, 3]
    assert number_at("unknown", 200) is None


def test_of_two_prices_from_one_second_on_the_later_one_counts() -> None:
    again = Prices.of([*VERSIONS, PriceVersion("small", 100, Decimal("9"), "EUR", 4)])
    version = again.at("small", 150)
    assert version is not None
    assert version.number == 4


def test_changes_of_a_price_are_those_within_a_span() -> None:
    assert KNOWN.starts(0, 1000) == [100, 200]
    assert KNOWN.starts(100, 200) == []
    assert (KNOWN.starts(150, 300, "small"), KNOWN.starts(150, 300, "large")) == ([200], [])


@pytest.mark.parametrize(
    ("per_hour", "per_second"),
    [("0.40", "0.000111111111"), ("0", "0"), ("3600", "1"), ("0.0000000018", "0"), ("0.0000000054", "0.000000000002")],
)
def test_a_second_costs_an_hour_to_twelve_decimals_half_to_even(per_hour: str, per_second: str) -> None:
    assert PriceVersion("p", 0, Decimal(per_hour)).per_second == Decimal(per_second)


def test_no_price_is_not_a_price_of_nothing() -> None:
    assert PriceVersion("p", 0, None).per_second is None
    assert PriceVersion("p", 0, Decimal(0)).per_second == 0


@given(st.decimals(0, 10**6, places=4, allow_nan=False))
def test_a_month_of_a_price_is_off_by_less_than_two_millionths(per_hour: Decimal) -> None:
    per_second = PriceVersion("p", 0, per_hour).per_second
    assert per_second is not None
    assert abs(Fraction(per_second) * 31 * 86400 - Fraction(per_hour) * 31 * 24) < Fraction(2, 10**6)


def test_prices_that_stay_make_no_version() -> None:
    assert changed(KNOWN, {"small": Decimal("0.50"), "large": Decimal("2.99")}, "EUR", 300) == []
    # 0.5 and 0.50 are one price.
    assert changed(KNOWN, {"small": Decimal("0.5"), "large": Decimal("2.99")}, "EUR", 300) == []


def test_a_price_that_is_another_begins_now() -> None:
    assert changed(KNOWN, {"small": Decimal("0.6")}, "EUR", 300) == [PriceVersion("small", 300, Decimal("0.6"), "EUR")]


def test_a_price_that_is_taken_away_ends_and_a_profile_that_is_keeps_it() -> None:
    assert changed(KNOWN, {"small": None}, "EUR", 300) == [PriceVersion("small", 300, None, "EUR")]
    assert changed(KNOWN, {}, "EUR", 300) == []
    assert changed(KNOWN, {"new": None}, "EUR", 300) == []


def test_another_currency_is_that_of_every_profile() -> None:
    new = changed(KNOWN, {"small": Decimal("0.50")}, "USD", 300)
    assert new == [PriceVersion("large", 300, None, "USD"), PriceVersion("small", 300, Decimal("0.50"), "USD")]
    settled = Prices.of(
        [*VERSIONS, *(PriceVersion(v.profile, 300, v.per_hour, "USD", 9 + n) for n, v in enumerate(new))]
    )
    assert changed(settled, {"small": Decimal("0.50")}, "USD", 400) == []


def test_a_price_in_a_closed_month_is_refused_with_what_to_do() -> None:
    with pytest.raises(PriceRefused, match="the price of small from 499 on is in a closed month: let it begin at 500"):
        refuse([PriceVersion("small", 499, Decimal(1), "EUR")], KNOWN, open_from=500)
    refuse([PriceVersion("small", 500, Decimal(1), "EUR")], KNOWN, open_from=500)


@pytest.mark.parametrize("begin", [500, 501])
def test_two_currencies_in_one_month_are_refused(begin: int) -> None:
    """The other price is from before what is open, and counts in it."""
    with pytest.raises(
        PriceRefused, match=r"billing\.currency is USD, and (small|large) is billed in EUR .* or keep EUR"
    ):
        refuse([PriceVersion("small", begin, Decimal(1), "USD")], KNOWN, open_from=500)


def test_all_prices_in_another_currency_are_taken_where_they_are_all_that_counts() -> None:
    new = [PriceVersion(profile, 500, Decimal(1), "USD") for profile in ("large", "small")]
    refuse(new, KNOWN, open_from=500)
    with pytest.raises(PriceRefused, match=r"(large|small) is billed in EUR"):
        refuse([PriceVersion(v.profile, 501, v.per_hour, "USD") for v in new], KNOWN, open_from=500)


@pytest.mark.parametrize(("currency", "decimals"), [("EUR", 2), ("", 2), ("JPY", 0), ("KWD", 3)])
def test_an_amount_has_the_decimals_of_its_currency(currency: str, decimals: int) -> None:
    assert digits(currency) == decimals
    assert rounded(Decimal("1.23456"), currency).as_tuple().exponent == -decimals


@pytest.mark.parametrize(
    ("exact", "coins"), [("0.005", "0.00"), ("0.015", "0.02"), ("-0.015", "-0.02"), ("2.5", "2.50")]
)
def test_half_a_coin_goes_to_the_even_one(exact: str, coins: str) -> None:
    assert str(rounded(Decimal(exact), "EUR")) == coins


@given(AMOUNTS, CURRENCIES)
def test_what_is_shared_out_sums_to_the_rounded_sum(amounts: list[Decimal], currency: str) -> None:
    coin = Decimal(1).scaleb(-digits(currency))
    shares = shared_out(amounts, currency)
    exact = sum(map(Fraction, amounts), Fraction(0))
    assert abs(sum(map(Fraction, shares), Fraction(0)) - exact) <= Fraction(coin) / 2
    assert sum(shares, Decimal(0)) == rounded(sum(amounts, Decimal(0)), currency)
    for share, amount in zip(shares, amounts, strict=True):
        assert abs(share - amount) < coin
        assert share % coin == 0


@given(AMOUNTS.filter(bool), CURRENCIES, st.booleans())
def test_what_was_rounded_once_is_shared_out_to_the_last_coin(amounts: list[Decimal], currency: str, up: bool) -> None:
    """A line may be a coin above or below its own rounded sum."""
    coin = Decimal(1).scaleb(-digits(currency))
    exact = sum(amounts, Decimal(0))
    total = exact.quantize(coin, "ROUND_CEILING" if up else "ROUND_FLOOR")
    shares = shared_out(amounts, currency, total)
    assert sum(shares, Decimal(0)) == total
    assert all(abs(share - amount) < coin for share, amount in zip(shares, amounts, strict=True))


@given(AMOUNTS, st.randoms(use_true_random=False))
def test_the_order_changes_no_coin_of_the_sum(amounts: list[Decimal], order: object) -> None:
    shuffled = list(amounts)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sum(shared_out(shuffled, "EUR")) == sum(shared_out(amounts, "EUR"))
