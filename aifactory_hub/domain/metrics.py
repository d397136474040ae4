"""Metrics of a job: series of points, which one rule thins, so that a series of any length keeps its shape."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

# What is kept of an attempt: names, points of one series, points of all series together.
MOST_NAMES = 100
MOST_POINTS = 1_000
MOST_IN_ALL = 20_000
# Attempts of a job whose points are kept, the newest ones.
MOST_ATTEMPTS = 10
LONGEST_NAME = 100
# A step is an integer that JSON carries exactly.
LARGEST_STEP = 2**53 - 1

# JSON has no numbers for the last three.
JsonValue = float | Literal["NaN", "Infinity", "-Infinity"]


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a metric. ``number`` counts the reports of its series before it; ``at`` is in epoch seconds.

    ``value`` may be NaN or infinite: that a loss has become NaN is news.
    """

    number: int
    step: int
    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Extreme:
    """The number and the value of the lowest or highest point."""

    number: int
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """What is known of all points of a series, whether they are kept or not.

    ``count`` is how many were reported. Of these every ``stride``-th is kept, and besides them the last one, the lowest
    and the highest, and the first one that is no finite number.
    """

    count: int = 0
    stride: int = 1
    lowest: Extreme | None = None
    highest: Extreme | None = None
    not_finite: int | None = None

    @property
    def special(self) -> frozenset[int]:
        """The numbers of the points that stay however far the series is thinned."""
        extremes = {each.number for each in (self.lowest, self.highest) if each is not None}
        odd = set() if self.not_finite is None else {self.not_finite}
        return frozenset({0, self.count - 1} | extremes | odd)

    def keeps(self, number: int) -> bool:
        """Whether the point of this number is kept."""
        return number % self.stride == 0 or number in self.special


def points_of_each(names: int) -> int:
    """How many points a series of an attempt with so many names may have, besides its special ones."""
    return max(2, min(MOST_POINTS, MOST_IN_ALL // max(1, names)))


def extend(series: Series, points: Iterable[Point], *, most: int) -> Series:
    """The series with these points after its own; those that it has already change nothing.

    The stride doubles as often as it takes for at most ``most`` points to be on it.
    """
    for point in points:
        if point.number >= series.count:
            series = _with(series, point)
    stride = series.stride
    while series.count > most * stride:
        stride *= 2
    return replace(series, stride=stride)


def _with(series: Series, point: Point) -> Series:
    count = point.number + 1
    if not math.isfinite(point.value):
        odd = point.number if series.not_finite is None else series.not_finite
        return replace(series, count=count, not_finite=odd)
    here = Extreme(point.number, point.value)
    lowest = here if series.lowest is None or point.value < series.lowest.value else series.lowest
    highest = here if series.highest is None or point.value > series.highest.value else series.highest
    return replace(series, count=count, lowest=lowest, highest=highest)


def thin(points: Sequence[Point], most: int) -> list[Point]:
    """At most ``most`` of these points, or 5 if that is more: by the rule of a series, counted among these."""
    if len(points) <= max(5, most):
        return list(points)
    places = (replace(point, number=place) for place, point in enumerate(points))
    # The first is on the stride; the other special ones come on top.
    series = extend(Series(), places, most=max(1, most - 4))
    return [point for place, point in enumerate(points) if series.keeps(place)]


def as_json(value: float) -> JsonValue:
    """A value as JSON can say it: NaN, Infinity and -Infinity by name."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
