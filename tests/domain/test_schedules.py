"""When schedules are due."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.domain.schedules import Preview, check_schedule, missed, next_time, preview

AMSTERDAM = "Europe/Amsterdam"


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("cron", "zone", "after", "due"),
    [
        pytest.param("30 9 * * *", "UTC", "2027-03-01 00:00", "2027-03-01 09:30", id="later today"),
        pytest.param("30 9 * * *", "UTC", "2027-03-01 09:30", "2027-03-02 09:30", id="not the same minute again"),
        pytest.param("0 8 * * 1-5", "UTC", "2027-03-05 08:00", "2027-03-08 08:00", id="over the weekend"),
        pytest.param("0 9 * * *", AMSTERDAM, "2027-07-01 00:00", "2027-07-01 09:00", id="in the zone, in summer"),
        pytest.param("0 9 * * *", AMSTERDAM, "2027-01-01 00:00", "2027-01-01 09:00", id="in the zone, in winter"),
        # 28 March 2027, 02:00 becomes 03:00; 31 October 2027, 03:00 becomes 02:00.
        pytest.param("30 2 * * *", AMSTERDAM, "2027-03-28 00:00", "2027-03-28 03:00", id="a time that is left out"),
    ],
)
def test_the_next_time(cron: str, zone: str, after: str, due: str) -> None:
    assert next_time(cron, zone, after=at(after, zone)) == at(due, zone)


def test_a_time_that_comes_twice_counts_once() -> None:
    first = next_time("30 2 * * *", AMSTERDAM, after=at("2027-10-31 00:00", AMSTERDAM))
    assert first is not None
    second = next_time("30 2 * * *", AMSTERDAM, after=first)
    assert second == at("2027-11-01 02:30", AMSTERDAM)


@pytest.mark.parametrize(
    ("cron", "zone", "field"),
    [
        ("", "UTC", "cron"),
        ("every day", "UTC", "cron"),
        ("61 * * * *", "UTC", "cron"),
        ("* * * * * *", "UTC", "cron"),
        ("0 0 31 2 *", "UTC", "cron"),
        ("0 0 * * *", "Europe/Nowhere", "time_zone"),
        ("0 0 * * *", "../../etc/passwd", "time_zone"),
        ("0 0 * * *", "", "time_zone"),
        ("0 0 * * *", "localtime", "time_zone"),
        ("0 0 * * *", "posixrules", "time_zone"),
    ],
)
def test_what_can_not_be_read_is_refused_by_name(cron: str, zone: str, field: str) -> None:
    refused = check_schedule(cron, zone, now=at("2027-01-01 00:00"))
    assert isinstance(refused, Refusal)
    assert refused.field == field


def test_missed_times_are_counted_up_to_a_few() -> None:
    due = at("2027-01-01 00:00")
    assert missed("0 * * * *", "UTC", due=due, now=due + 60) == 0
    assert missed("0 * * * *", "UTC", due=due, now=due + 3 * 3600) == 3
    assert missed("* * * * *", "UTC", due=due, now=due + 365 * 86400) == 20


@given(after=st.floats(1.7e9, 2.5e9), minute=st.integers(0, 59), hour=st.integers(0, 23))
def test_a_daily_time_comes_within_about_a_day(after: float, minute: int, hour: int) -> None:
    due = next_time(f"{minute} {hour} * * *", AMSTERDAM, after=after)
    assert due is not None
    assert after < due <= after + 26 * 3600
    assert datetime.fromtimestamp(due, UTC).second == 0


def test_a_preview_says_it_in_words_and_names_the_first_times() -> None:
    friday = datetime(2026, 3, 27, 12, tzinfo=UTC).timestamp()
    found = preview("0 6 * * mon-fri", "Europe/Amsterdam", now=friday, count=2)
    assert isinstance(found, Preview)
    assert found.words == "At 06:00 on Monday through Friday"
    # The clock is put forward on Sunday.
    assert [datetime.fromtimestamp(at, UTC).isoformat() for at in found.times] == [
        "2026-03-30T04:00:00+00:00",
        "2026-03-31T04:00:00+00:00",
    ]


@pytest.mark.parametrize(
    ("cron", "time_zone", "field"),
    [("0 6 * *", "UTC", "cron"), ("0 0 30 2 *", "UTC", "cron"), ("* * * * *", "Nowhere", "time_zone")],
)
def test_a_preview_refuses_what_a_schedule_would(cron: str, time_zone: str, field: str) -> None:
    refused = preview(cron, time_zone, now=0.0, count=3)
    assert refused == check_schedule(cron, time_zone, now=0.0)
    assert isinstance(refused, Refusal)
    assert refused.field == field
