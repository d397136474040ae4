"""The times that a question to Prometheus is about: read, and kept within what one question may cost. Without I/O."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

# Seconds of the longest range, the least seconds between two points, and the points of each series.
LONGEST_SPAN, SHORTEST_STEP, MOST_POINTS = 400 * 86400, 1.0, 11_000
# What is looked through for names of series and labels where no time is said, in seconds.
USUAL_SPAN = 86400
# The year 5000: what is later is no time that anybody means.
_LATEST = 95_617_584_000.0
_DURATION = re.compile(r"(?:([0-9]{1,9})(ms|[smhdwy]))+")
_PART = re.compile(r"([0-9]+)(ms|[smhdwy])")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}


class TimeRefused(ValueError):
    """A time that no question is passed on for. ``field`` is the parameter; the text says what to do."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True)
class Points:
    """The moments of a range query, in seconds since 1970."""

    start: float
    end: float
    step: float

    @property
    def span(self) -> float:
        """Seconds from the first to the last."""
        return self.end - self.start


def read_time(field: str, text: str) -> float:
    """A moment in seconds since 1970, from such a number or a time as RFC 3339 has it. Raises TimeRefused."""
    try:
        found = float(text)
    except ValueError:
        found = _read_date(field, text)
    if not math.isfinite(found) or not 0 <= found <= _LATEST:
        raise TimeRefused(field, f"{field} is {text[:40]!r}, which is no time since 1970")
    return found


def _read_date(field: str, text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        said = f"{field} is {text[:40]!r}: give seconds since 1970, or a time such as 2026-10-01T08:00:00Z"
        raise TimeRefused(field, said) from error


def read_step(text: str) -> float:
    """Seconds between two points, from a number or a duration such as 5m. Raises TimeRefused."""
    try:
        found = float(text)
    except ValueError:
        if not _DURATION.fullmatch(text):
            raise TimeRefused("step", f"step is {text[:40]!r}: give seconds, or a duration such as 5m") from None
        found = sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))
    if not SHORTEST_STEP <= found <= LONGEST_SPAN:
        least, most = f"{SHORTEST_STEP:g} s", f"{LONGEST_SPAN // 86400} days"
        raise TimeRefused("step", f"step is {text[:40]!r}, and {least} is the least, {most} are the most")
    return found


def read_points(start: str, end: str, step: str) -> Points:
    """The moments of a range query. Raises TimeRefused."""
    found = Points(read_time("start", start), read_time("end", end), read_step(step))
    check_span(found.start, found.end)
    points = int(found.span / found.step) + 1
    if points > MOST_POINTS:
        said = f"step gives {points} points of each series, and {MOST_POINTS} at most are told: make it longer"
        raise TimeRefused("step", said)
    return found


def read_span(start: str | None, end: str | None, now: float) -> tuple[float, float]:
    """Where series are looked for: a day before ``end`` without ``start``, up to ``now`` without ``end``.

    Raises TimeRefused.
    """
    last = now if end is None else read_time("end", end)
    first = max(0.0, last - USUAL_SPAN) if start is None else read_time("start", start)
    check_span(first, last)
    return first, last


def check_span(start: float, end: float) -> None:
    """Raises TimeRefused."""
    if end < start:
        raise TimeRefused("end", "end is before start")
    if end - start > LONGEST_SPAN:
        raise TimeRefused("start", f"start is more than {LONGEST_SPAN // 86400} days before end: ask for less")
