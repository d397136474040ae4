"""Holds over time: how many seconds fall into each day or hour, and into each hour of the week."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from itertools import accumulate
from zoneinfo import ZoneInfo

from .months import Span, hours
from .usage import Hold, clip

# What a hold counts for each second: 1, or its part of a GPU.
Weight = Callable[[Hold], int | Fraction]


def one(_hold: Hold) -> int:
    """Each pod counts alike."""
    return 1


def gpus(hold: Hold) -> Fraction:
    """A pod counts as the part of a GPU that it holds."""
    return hold.possession.gpus or Fraction(0)


def by_span(holds: Iterable[Hold], spans: Sequence[Span], weight: Weight = one) -> list[int | Fraction]:
    """The seconds that fall into each of these spans, which follow on each other without a gap. Exact.

    Its time grows with the holds and with the spans, not with their product.
    """
    if not spans:
        return []
    starts = [span.start for span in spans]
    begin, end = starts[0], spans[-1].end
    edges: list[int | Fraction] = [0] * len(spans)
    # Of spans that a hold has whole: what it counts begins at one and ends at another.
    whole: list[int | Fraction] = [0] * (len(spans) + 1)
    for hold in holds:
        if not clip(hold, begin, end):
            continue
        counts = weight(hold)
        first = bisect_right(starts, max(hold.start, begin)) - 1
        last = len(spans) - 1 if hold.end is None else bisect_right(starts, min(hold.end, end) - 1) - 1
        edges[first] += counts * clip(hold, spans[first].start, spans[first].end)
        if last > first:
            edges[last] += counts * clip(hold, spans[last].start, spans[last].end)
            whole[first + 1] += counts
            whole[last] -= counts
    return [edge + span.seconds * count for edge, span, count in zip(edges, spans, accumulate(whole), strict=False)]


def heatmap(holds: Iterable[Hold], start: int, end: int, zone: ZoneInfo, weight: Weight = one) -> list[list[Fraction]]:
    """How many were held on average at each hour of each weekday within ``[start, end)``: seven rows from Monday on, of
    24 hours each. An hour that the clock skips or repeats counts as what it was; one that never came is 0."""
    spans = hours(start, end, zone)
    return week_of(spans, by_span(holds, spans, weight), zone)


def week_of(spans: Sequence[Span], sums: Sequence[int | Fraction], zone: ZoneInfo) -> list[list[Fraction]]:
    """See heatmap: the means of what was held in these hours, each given as its sum of seconds."""
    held = [[Fraction(0)] * 24 for _ in range(7)]
    length = [[0] * 24 for _ in range(7)]
    for span, seconds in zip(spans, sums, strict=True):
        there = datetime.fromtimestamp(span.start, zone)
        held[there.weekday()][there.hour] += seconds
        length[there.weekday()][there.hour] += span.seconds
    return [
        [sum_ / long if long else Fraction(0) for sum_, long in zip(row, longs, strict=True)]
        for row, longs in zip(held, length, strict=True)
    ]
