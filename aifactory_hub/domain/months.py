"""Months, days and hours of a site's time zone, as whole seconds since 1970.

The difference of two times of one zone is counted by the clock on the wall in Python, which is an hour off in months
whose clocks change. Here only instants are compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
# Zones change their clocks by quarters of an hour.
_QUARTER = 900


@dataclass(frozen=True, slots=True)
class Span:
    """``[start, end)`` in seconds since 1970, with the name that people give it, such as 2026-10 or 2026-10-25."""

    name: str
    start: int
    end: int

    @property
    def seconds(self) -> int:
        return self.end - self.start


def month(name: str, zone: ZoneInfo) -> Span:
    """The month of this name, such as ``2026-10``. Raises ValueError for what is no month."""
    match = _MONTH.fullmatch(name)
    if match is None or not 1970 < int(match[1]) < 9999:
        raise ValueError(f"{name!r} is not a month: write it as 2026-10")
    first = date(int(match[1]), int(match[2]), 1)
    return Span(name, _midnight(first, zone), _midnight(_next_month(first), zone))


def month_of(at: float, zone: ZoneInfo) -> Span:
    """The month that this second is in."""
    there = datetime.fromtimestamp(at, zone)
    return month(f"{there.year:04}-{there.month:02}", zone)


def following(span: Span, zone: ZoneInfo) -> Span:
    """The month after this one."""
    return month_of(span.end, zone)


def before(span: Span, zone: ZoneInfo) -> Span:
    """The month before this one."""
    return month_of(span.start - 1, zone)


def day_of(at: float, zone: ZoneInfo) -> Span:
    """The day that this second is in, of 23 to 25 hours."""
    day = datetime.fromtimestamp(at, zone).date()
    return Span(day.isoformat(), _midnight(day, zone), _midnight(day + timedelta(days=1), zone))


def days(start: int, end: int, zone: ZoneInfo) -> list[Span]:
    """The days that ``[start, end)`` touches, each cut to it."""
    return list(_cut(start, end, lambda at: day_of(at, zone)))


def hours(start: int, end: int, zone: ZoneInfo) -> list[Span]:
    """The hours of the clock on the wall that ``[start, end)`` touches, each cut to it.

    The hour that a clock shows twice is there twice, by its offset: ``2026-10-25T02+0200`` and ``2026-10-25T02+0100``.
    """
    return list(_cut(start, end, lambda at: _hour_of(at, zone)))


def _cut(start: int, end: int, span_of: Callable[[int], Span]) -> Iterator[Span]:
    at = start
    while at < end:
        span = span_of(at)
        yield Span(span.name, max(start, span.start), min(end, span.end))
        at = span.end


def _hour_of(at: int, zone: ZoneInfo) -> Span:
    """From quarter to quarter, as long as the hour of the clock and its offset stay the same."""
    name, start = _hour_name(at, zone), at - at % _QUARTER
    while _hour_name(start - 1, zone) == name:
        start -= _QUARTER
    end = at - at % _QUARTER + _QUARTER
    while _hour_name(end, zone) == name:
        end += _QUARTER
    return Span(name, start, end)


def _hour_name(at: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%dT%H%z")


def _midnight(day: date, zone: ZoneInfo) -> int:
    """The first second of the day: where clocks skip midnight, the second after the gap."""
    first = datetime(day.year, day.month, day.day, tzinfo=zone)
    at = int(first.timestamp())
    # A time in a gap is taken for one of the day before or of a later hour; go to where the day begins.
    there = datetime.fromtimestamp(at, zone)
    return at if there.date() == day else _first_second(day, zone, at)


def _first_second(day: date, zone: ZoneInfo, near: int) -> int:
    at = near - near % _QUARTER
    while datetime.fromtimestamp(at, zone).date() < day:
        at += _QUARTER
    return at


def _next_month(first: date) -> date:
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1)


def utc(at: int) -> str:
    """The second as ISO 8601 in UTC, such as ``2026-10-31T23:00:00Z``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
