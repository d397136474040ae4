"""How series of metrics are thinned."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.metrics import (
    MOST_IN_ALL,
    MOST_NAMES,
    MOST_POINTS,
    Extreme,
    Point,
    Series,
    as_json,
    extend,
    points_of_each,
    thin,
)

VALUES = st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=300)


def points(values: list[float]) -> list[Point]:
    return [Point(number, number * 10, 1000.0 + number, value) for number, value in enumerate(values)]


def kept(series: Series, all_points: list[Point]) -> list[Point]:
    return [point for point in all_points if series.keeps(point.number)]


@given(VALUES, st.integers(2, 40))
def test_what_is_kept_has_the_ends_the_extremes_and_the_first_that_is_no_number(values: list[float], most: int) -> None:
    told = points(values)
    series = extend(Series(), told, most=most)
    left = kept(series, told)
    assert series.count == len(values)
    assert len(left) <= most + 4
    assert (left[0], left[-1]) == (told[0], told[-1])
    finite = [value for value in values if math.isfinite(value)]
    assert {min(finite), max(finite)} <= {point.value for point in left} if finite else series.lowest is None
    odd = next((point for point in told if not math.isfinite(point.value)), None)
    assert odd is None or odd in left


@given(VALUES, st.integers(2, 40), st.lists(st.integers(0, 300), max_size=6))
def test_it_does_not_matter_in_how_many_pieces_they_come_or_how_often(
    values: list[float], most: int, cuts: list[int]
) -> None:
    told, series = points(values), Series()
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(told)], strict=True):
        piece = told[max(0, begin - 3) : end]  # some come twice
        series = extend(extend(series, piece, most=most), piece, most=most)
    assert series == extend(Series(), told, most=most)


@given(VALUES, st.integers(2, 40), st.integers(0, 300))
def test_what_was_dropped_is_never_wanted_again(values: list[float], most: int, at: int) -> None:
    told = points(values)
    before = extend(Series(), told[:at], most=most)
    after = extend(before, told[at:], most=most)
    assert {p.number for p in kept(after, told)} & set(range(at)) <= {p.number for p in kept(before, told[:at])}


@given(VALUES, st.integers(1, 60))
def test_points_are_thinned_to_what_was_asked(values: list[float], most: int) -> None:
    told = points(values)
    left = thin(told, most)
    assert len(left) <= max(5, most)
    assert (left[0], left[-1]) == (told[0], told[-1])
    assert [point for point in told if point in left] == left or any(math.isnan(v) for v in values)


def test_a_long_series_is_even() -> None:
    told = points([math.sin(number / 100) for number in range(10_000)])
    series = extend(Series(), told, most=1000)
    assert (series.stride, series.count) == (16, 10_000)
    numbers = [point.number for point in kept(series, told)]
    assert len(numbers) == 628
    assert max(after - before for before, after in itertools.pairwise(numbers)) == 16


def test_the_first_of_equal_extremes_stays() -> None:
    series = extend(Series(), points([1.0, 1.0, float("nan"), float("nan")]), most=10)
    assert series == Series(4, 1, Extreme(0, 1.0), Extreme(0, 1.0), 2)


def test_points_that_come_again_change_nothing() -> None:
    told = points([3.0, 1.0, 2.0])
    series = extend(Series(), told, most=10)
    assert extend(series, told[:1], most=10) == series


@pytest.mark.parametrize(("names", "each"), [(0, MOST_POINTS), (20, MOST_POINTS), (40, 500), (MOST_NAMES, 200)])
def test_many_names_share_the_room(names: int, each: int) -> None:
    assert points_of_each(names) == each
    assert each * names <= MOST_IN_ALL


def test_json_has_words_for_what_is_no_number() -> None:
    told = [as_json(value) for value in (1.5, math.nan, math.inf, -math.inf)]
    assert told == [1.5, "NaN", "Infinity", "-Infinity"]
    assert str([float(value) for value in told]) == "[1.5, nan, inf, -inf]"
