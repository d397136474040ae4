"""Months, days and hours where clocks change: no second is lost, none is there twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.months import Span, before, day_of, days, following, hours, month, month_of, utc

# Lord Howe changes by half an hour. Beirut's and Havana's clocks skip from midnight to one o'clock.
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "America/Havana"]
MOMENTS = st.integers(34_300_800, 4_102_444_800)
ZONED = st.sampled_from([ZoneInfo(zone) for zone in [*ZONES, "UTC", "Asia/Kathmandu", "Pacific/Apia"]])


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def changes_of(zone: str, year: int) -> list[int]:
    """The seconds of the year at which the clock is changed."""
    there = ZoneInfo(zone)
    at = [int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) + 1800 * n for n in range(2 * 24 * 366)]
    offsets = [datetime.fromtimestamp(each, there).utcoffset() for each in at]
    return [second for second, (old, new) in zip(at[1:], pairwise(offsets), strict=True) if old != new]


@pytest.mark.parametrize(
    ("name", "zone", "start", "end"),
    [
        ("2026-10", "Europe/Berlin", "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"),
        ("2026-03", "Europe/Berlin", "2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00"),
        ("2028-02", "UTC", "2028-02-01T00:00:00+00:00", "2028-03-01T00:00:00+00:00"),
        ("2026-12", "Asia/Tokyo", "2026-12-01T00:00:00+09:00", "2027-01-01T00:00:00+09:00"),
        ("2026-04", "Australia/Lord_Howe", "2026-04-01T00:00:00+11:00", "2026-05-01T00:00:00+10:30"),
    ],
)
def test_a_month_begins_and_ends_at_midnight_there(name: str, zone: str, start: str, end: str) -> None:
    assert month(name, ZoneInfo(zone)) == Span(name, seconds(start), seconds(end))


def test_the_clocks_change_makes_a_month_an_hour_longer_or_shorter() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert month("2026-10", berlin).seconds == 31 * 86400 + 3600 == 2_682_000
    assert month("2026-03", berlin).seconds == 31 * 86400 - 3600
    assert month("2028-02", berlin).seconds == 29 * 86400
    assert month("2027-02", berlin).seconds == 28 * 86400


@pytest.mark.parametrize("name", ["2026-13", "2026-00", "2026-1", "26-10", "2026-10-01", "", "9999-01", "0001-01"])
def test_what_is_no_month_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a month: write it as 2026-10"):
        month(name, ZoneInfo("UTC"))


@given(MOMENTS, ZONED)
def test_each_second_is_in_one_month_and_months_follow_on_each_other(at: int, zone: ZoneInfo) -> None:
    found = month_of(at, zone)
    assert found.start <= at < found.end
    assert month(found.name, zone) == found
    assert following(found, zone).start == found.end
    assert before(following(found, zone), zone) == found


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("year", [2021, 2026])
def test_days_with_a_change_have_their_own_length(zone: str, year: int) -> None:
    changes = changes_of(zone, year)
    assert len(changes) == 2
    there = ZoneInfo(zone)
    for at in changes:
        # Where midnight is skipped, the change is the day's first second.
        day = day_of(at, there)
        offsets = [datetime.fromtimestamp(each, there).utcoffset() for each in (at - 1, at)]
        assert None not in offsets
        shift = int((offsets[1] - offsets[0]).total_seconds())  # type: ignore[operator]
        assert abs(shift) == (1800 if zone == "Australia/Lord_Howe" else 3600)
        assert {day.seconds, day_of(at - 1, there).seconds} == {86400, 86400 - shift} or day.seconds == 86400 - shift


@pytest.mark.parametrize(
    ("zone", "day", "midnight"),
    [
        ("Asia/Beirut", "2021-03-28", "2021-03-28T01:00:00+03:00"),
        ("America/Havana", "2026-03-08", "2026-03-08T01:00:00-04:00"),
    ],
)
def test_a_day_without_a_midnight_begins_after_the_gap(zone: str, day: str, midnight: str) -> None:
    start = seconds(midnight)
    found = day_of(start, ZoneInfo(zone))
    assert (found.name, found.start, found.seconds) == (day, start, 23 * 3600)
    the_day_before = day_of(start - 1, ZoneInfo(zone))
    assert (the_day_before.end, the_day_before.seconds) == (start, 24 * 3600)


def test_a_day_that_never_was_is_not_there() -> None:
    """Samoa went from the 29th to the 31st of December 2011."""
    apia = ZoneInfo("Pacific/Apia")
    december = month("2011-12", apia)
    names = [day.name for day in days(december.start, december.end, apia)]
    assert (len(names), "2011-12-30" in names) == (30, False)


@given(MOMENTS, st.integers(0, 40 * 86400), ZONED)
def test_days_cut_a_span_without_a_gap(start: int, long: int, zone: ZoneInfo) -> None:
    cut = days(start, start + long, zone)
    assert sum(day.seconds for day in cut) == long
    assert all(a.end == b.start and a.name < b.name for a, b in pairwise(cut))
    for day in cut:
        assert {datetime.fromtimestamp(at, zone).date().isoformat() for at in (day.start, day.end - 1)} == {day.name}


@given(MOMENTS, st.integers(0, 3 * 86400), ZONED)
def test_hours_cut_a_span_without_a_gap(start: int, long: int, zone: ZoneInfo) -> None:
    cut = hours(start, start + long, zone)
    assert sum(hour.seconds for hour in cut) == long
    assert all(a.end == b.start for a, b in pairwise(cut))
    assert len({hour.name for hour in cut}) == len(cut)


@pytest.mark.parametrize("zone", ZONES)
def test_the_hours_around_a_change_are_all_there_once(zone: str) -> None:
    there = ZoneInfo(zone)
    for at in changes_of(zone, 2026):
        cut = hours(at - 7200, at + 7200, there)
        assert sum(hour.seconds for hour in cut) == 14_400
        assert len({hour.name for hour in cut}) == len(cut)
        for hour in cut:
            names = {
                datetime.fromtimestamp(each, there).strftime("%Y-%m-%dT%H%z") for each in (hour.start, hour.end - 1)
            }
            assert names == {hour.name}


def test_the_hour_that_a_clock_shows_twice_is_there_twice() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = seconds("2026-10-25T00:00:00+02:00")
    names = [hour.name for hour in hours(start, start + 25 * 3600, berlin)]
    assert len(names) == 25
    assert names[2:4] == ["2026-10-25T02+0200", "2026-10-25T02+0100"]


def test_times_are_told_in_utc() -> None:
    assert utc(0) == "1970-01-01T00:00:00Z"
    assert utc(month("2026-10", ZoneInfo("Europe/Berlin")).start) == "2026-09-30T22:00:00Z"
    assert datetime.fromisoformat(utc(951_782_400)) == datetime(2000, 2, 29, tzinfo=UTC) + timedelta(0)
