"""Holds over time: every second in one day, one hour and one cell, also where clocks change."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.months import days, hours, month
from aifactory_hub.domain.usage import Hold, Possession, clip
from aifactory_hub.domain.usage_series import by_span, gpus, heatmap, one

BERLIN = ZoneInfo("Europe/Berlin")
OCTOBER = month("2026-10", BERLIN)
# The day of 25 hours, and the one of 23.
LONG, SHORT = (
    int(datetime.fromisoformat(day).timestamp()) for day in ("2026-10-25T00:00+02:00", "2026-03-29T00:00+01:00")
)


def hold(start: int, end: int | None, part: Fraction | None = Fraction(1, 7)) -> Hold:
    return Hold(f"p{start}", Possession("nlp", gpus=part), start, end, end)


HOLDS = st.lists(
    st.builds(
        lambda start, long, goes_on: hold(OCTOBER.start + start, None if goes_on else OCTOBER.start + start + long),
        st.integers(-86_400, OCTOBER.seconds + 86_400),
        st.integers(0, 5 * 86_400),
        st.booleans(),
    ),
    max_size=12,
)


@given(HOLDS, st.sampled_from([one, gpus]))
def test_each_span_has_the_seconds_that_fall_into_it(holds: list[Hold], weight: object) -> None:
    spans = days(OCTOBER.start, OCTOBER.end, BERLIN)
    found = by_span(holds, spans, weight)  # type: ignore[arg-type]
    assert found == [
        sum(weight(each) * clip(each, span.start, span.end) for each in holds)  # type: ignore[operator]
        for span in spans
    ]
    whole = sum(weight(each) * clip(each, OCTOBER.start, OCTOBER.end) for each in holds)  # type: ignore[operator]
    assert sum(found) == whole


@pytest.mark.parametrize("edge", ["start", "end"])
def test_a_hold_that_ends_where_a_span_begins_is_none_of_it(edge: str) -> None:
    spans = days(OCTOBER.start, OCTOBER.end, BERLIN)[:3]
    begin, end = (spans[0].start, spans[1].start) if edge == "end" else (spans[1].start, spans[2].end)
    found = by_span([hold(begin, end)], spans)
    assert found == ([86_400, 0, 0] if edge == "end" else [0, 86_400, 86_400])


def test_no_spans_have_nothing_and_a_void_hold_is_in_none() -> None:
    assert by_span([hold(0, 10)], []) == []
    struck = Hold("p1", Possession("nlp"), OCTOBER.start, None, void=True)
    assert set(by_span([struck], days(OCTOBER.start, OCTOBER.end, BERLIN))) == {0}


@pytest.mark.parametrize(("start", "long"), [(LONG, 25), (SHORT, 23)])
def test_a_day_of_another_length_is_held_all_day(start: int, long: int) -> None:
    end = start + long * 3600
    cells = heatmap([hold(start, end)], start, end, BERLIN)
    sunday = cells[6]
    assert all(cell == 0 for row in cells[:6] for cell in row)
    # The hour that never came has nothing; the one that came twice counts as one hour of the clock.
    assert sunday == [Fraction(0 if long == 23 and hour == 2 else 1) for hour in range(24)]


def test_the_repeated_hour_is_the_mean_of_both() -> None:
    start = LONG + 2 * 3600
    cells = heatmap([hold(start, start + 3600)], LONG, LONG + 25 * 3600, BERLIN)
    assert cells[6][2] == Fraction(1, 2)
    assert sum(cells[6]) == Fraction(1, 2)


def test_a_cell_is_the_mean_over_all_weeks() -> None:
    """October 2026 has five Thursdays, and four Mondays."""
    thursday = OCTOBER.start + 9 * 3600
    monday = OCTOBER.start + 4 * 86_400 + 9 * 3600
    cells = heatmap([hold(thursday, thursday + 3600), hold(monday, monday + 1800)], OCTOBER.start, OCTOBER.end, BERLIN)
    assert (cells[3][9], cells[0][9]) == (Fraction(1, 5), Fraction(1, 8))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Asia/Beirut", "America/Havana", "UTC"])
@pytest.mark.parametrize("name", ["2026-03", "2026-04", "2026-10", "2026-11", "2028-02", "2026-12"])
def test_what_is_held_all_month_is_held_in_every_cell(zone: str, name: str) -> None:
    there = ZoneInfo(zone)
    span = month(name, there)
    cells = heatmap([hold(span.start, None)], span.start, span.end, there, gpus)
    assert {cell for row in cells for cell in row} == {Fraction(1, 7)}


@given(HOLDS)
def test_the_cells_have_every_second_once(holds: list[Hold]) -> None:
    cells = heatmap(holds, OCTOBER.start, OCTOBER.end, BERLIN)
    length = [[0] * 24 for _ in range(7)]
    for span in hours(OCTOBER.start, OCTOBER.end, BERLIN):
        at = datetime.fromtimestamp(span.start, BERLIN)
        length[at.weekday()][at.hour] += span.seconds
    total = sum(
        cell * long for row, longs in zip(cells, length, strict=True) for cell, long in zip(row, longs, strict=True)
    )
    assert total == sum(clip(each, OCTOBER.start, OCTOBER.end) for each in holds)


def test_what_is_not_known_of_a_card_counts_as_a_pod_and_not_as_a_gpu() -> None:
    unknown = hold(OCTOBER.start, OCTOBER.end, None)
    assert (one(unknown), gpus(unknown)) == (1, Fraction(0))
