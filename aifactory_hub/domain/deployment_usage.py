"""How often deployments are asked, how often they fail, and how long they take."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce

from .release_steps import Share

# Upper bounds of the buckets of times, in milliseconds; one more bucket has what took longer.
BOUNDS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)


@dataclass(frozen=True, slots=True)
class Minute:
    """What one release was asked in one minute. ``minute`` counts from 1970, ``buckets`` how many answers took how
    long: see BOUNDS."""

    release: str
    minute: int
    asked: int = 0
    failed: int = 0
    buckets: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)

    def with_one(self, millis: float, *, failed: bool) -> Minute:
        """With one more request."""
        place = bisect_left(BOUNDS, millis)
        buckets = tuple(count + (number == place) for number, count in enumerate(self.buckets))
        return replace(self, asked=self.asked + 1, failed=self.failed + failed, buckets=buckets)

    def plus(self, other: Minute) -> Minute:
        """Both as one."""
        buckets = tuple(a + b for a, b in zip(self.buckets, other.buckets, strict=True))
        return replace(self, asked=self.asked + other.asked, failed=self.failed + other.failed, buckets=buckets)


def by_steps(minutes: Iterable[Minute], step: int) -> list[Minute]:
    """Those of all releases as one, summed up by spans of ``step`` minutes, each named by its first; oldest first."""
    sums: dict[int, Minute] = {}
    for each in minutes:
        first = each.minute - each.minute % step
        sums[first] = sums.get(first, Minute("", first)).plus(each)
    return [sums[first] for first in sorted(sums)]


def all_of(minutes: Iterable[Minute]) -> Minute:
    """All of them as one."""
    return reduce(Minute.plus, minutes, Minute("", 0))


def minute_of(at: float) -> int:
    """The minute of an epoch second."""
    return int(at // 60)


def share_of(minutes: Iterable[Minute], release: str, since: float) -> Share:
    """What a release was asked since then."""
    mine = [each for each in minutes if each.release == release and each.minute >= minute_of(since)]
    return Share(sum(each.asked for each in mine), sum(each.failed for each in mine))


def quantile(buckets: Iterable[int], part: float) -> int | None:
    """The bound, in milliseconds, under which this part of the answers came; None where it lies above the last bound,
    or nothing was asked."""
    counts = list(buckets)
    left = part * sum(counts)
    if not left:
        return None
    for bound, count in zip(BOUNDS, counts, strict=False):
        left -= count
        if left <= 0:
            return bound
    return None
