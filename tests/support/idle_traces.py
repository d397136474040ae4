"""Servers that are used or not, as the witnesses of idleness see them: made by chance, each with the truth about it.

What is used is a list of spans, each by a kernel, a terminal or a process that was left behind. From it follow the
reports that the server sends, the samples of its slice, and what goes wrong with both.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from aifactory_hub.domain.idle import EDGE, JUST_SPOKE, MARGIN, GpuSamples, Report, Watched, heard

AFTER = 2700.0
# Seconds before the end in which nobody can have heard yet of what has begun: servers speak only now and then.
BLIND = 15.0
NOW = 1_000_000.0
_REPORTS, _SAMPLES = 60.0, 30.0
# Seconds of CPU within a minute from which on a server says that processes of it work.
_TOLD_CPU = 0.5

KINDS = (
    "busy without a tab",
    "open idle tab",
    "bursts of 29 s",
    "zeros after an Xid error",
    "missing series",
    "profiler",
    "memory held",
    "exporter restarted",
    "GPU cut anew",
    "server's clock is wrong",
    "service restarted",
    "reports are lost",
    "process left behind",
    "terminal",
    "container beside",
)


@dataclass(frozen=True, slots=True)
class Span:
    """Something used the slice from ``start`` to ``end``; ``cores`` is how much CPU it took."""

    start: float
    end: float
    by: str
    cores: float


@dataclass(frozen=True, slots=True)
class Trace:
    """What was seen of a server at NOW, and whether it has been used within AFTER seconds, up to BLIND before NOW."""

    kind: str
    seen: Watched
    used: bool


def trace(chance: random.Random, kind: str) -> Trace:
    """One server of a kind."""
    spans = _spans(chance, kind)
    used = any(span.end > NOW - AFTER and span.start < NOW - BLIND for span in spans)
    report = _report(chance, kind, spans)
    gpu = _gpu(chance, kind, spans)
    cpu = None if chance.random() < 0.3 else _cpu(spans)
    return Trace(kind, Watched(NOW - chance.uniform(0.5, 20) * AFTER, report, gpu, cpu), used)


def traces(seed: int, count: int) -> Iterator[Trace]:
    """``count`` servers of all kinds in turn; the same seed gives the same ones."""
    chance = random.Random(seed)
    for number in range(count):
        yield trace(chance, KINDS[number % len(KINDS)])


def _spans(chance: random.Random, kind: str) -> list[Span]:
    start = NOW - AFTER - 2 * MARGIN
    cores = chance.uniform(0.3, 4)
    if kind in ("open idle tab", "memory held") or (kind != "busy without a tab" and chance.random() < 0.3):
        # Used long ago, or never.
        return [Span(start - 900, start - 10, "kernel", cores)] if chance.random() < 0.5 else []
    if kind == "busy without a tab":
        return [Span(start, NOW, "kernel", cores)]
    by = {"process left behind": "process", "terminal": "terminal"}.get(kind) or chance.choice(("kernel", "terminal"))
    if kind == "bursts of 29 s":
        by = chance.choice(("kernel", "terminal", "process"))
        # Each falls between two samples if it can.
        begins = [NOW - chance.uniform(29, AFTER + MARGIN) for _ in range(chance.randint(1, 4))]
        return [Span(begin, begin + 29, by, cores) for begin in begins]
    if kind == "container beside":
        # The server can't see it at all.
        begin = chance.uniform(start, NOW - 120)
        return [Span(begin, begin + chance.uniform(90, 120), "other", cores)]
    if kind in ("zeros after an Xid error", "profiler") and chance.random() < 0.7:
        return [Span(start, NOW, by, cores)]
    begins = [chance.uniform(start, NOW - 5) for _ in range(chance.randint(1, 3))]
    return [Span(begin, min(NOW, begin + chance.choice((5, 29, 120, 1200))), by, cores) for begin in begins]


def _report(chance: random.Random, kind: str, spans: list[Span]) -> Report | None:
    """What the server said, one report after the other, as the service keeps them."""
    skew = chance.uniform(-7200, 7200) if kind == "server's clock is wrong" else 0.0
    lost = 0.5 if kind == "reports are lost" else 0.02
    silent = chance.uniform(0, 1200) if kind == "reports are lost" and chance.random() < 0.5 else 0.0
    begin = NOW - AFTER - MARGIN
    if kind == "service restarted":
        begin = NOW - chance.uniform(0, AFTER + MARGIN)
    kept: Report | None = None
    last = NOW - 20 * AFTER
    # The last one comes just before the look, as where a server is stopped.
    at = begin + (NOW - chance.uniform(0, JUST_SPOKE) - begin) % _REPORTS
    while at <= NOW - silent:
        busy, ended = _used(spans, at)
        last = at if busy else max(last, ended)
        if chance.random() >= lost:
            what = ("a kernel works",) if busy else ()
            kept = heard(kept, Report("lab", busy, last + skew, at, at, what))
        at += _REPORTS
    return kept


def _used(spans: list[Span], at: float) -> tuple[bool, float]:
    """Whether the server sees something work at ``at``, and when something ended that it knew of."""
    busy, last = False, 0.0
    for span in spans:
        if span.start > at or span.by == "other":
            continue
        if span.by == "process":
            # Nobody tells of it but the CPU that it took since the last look.
            took = span.cores * max(0.0, min(span.end, at) - max(span.start, at - _REPORTS))
            busy = busy or took >= _TOLD_CPU
        elif span.end >= at:
            busy = True
        else:
            last = max(last, span.end)
    return busy, last


def _gpu(chance: random.Random, kind: str, spans: list[Span]) -> GpuSamples | None:
    if kind == "missing series":
        return chance.choice((None, GpuSamples(0, int(AFTER / _SAMPLES))))
    expected = int(AFTER / _SAMPLES)
    broken = NOW - chance.uniform(0, AFTER + MARGIN) if kind == "zeros after an Xid error" else NOW
    phase = chance.uniform(0, _SAMPLES)
    worked = any(_sampled(span, phase, broken) for span in spans)
    level = chance.uniform(0.02, 1.0) if worked else chance.uniform(0.0, 0.004)
    found = GpuSamples(expected, expected, level, level / 2 if worked else 0.0, 12 * 2**20, xid=0)
    if kind == "memory held":
        return replace(found, memory=8 * 2**30)
    if kind == "zeros after an Xid error":
        return replace(found, xid=chance.choice((31, 31, None)))
    if kind == "profiler":
        # Counters are away while it runs: from some time on, or all the time.
        there = chance.uniform(0, 0.85)
        return replace(found, samples=int(expected * there), engine=level if there > 0.05 else None)
    if kind == "exporter restarted":
        return replace(found, disturbed="the exporter was away", samples=expected - chance.randint(0, 6))
    if kind == "GPU cut anew":
        return replace(found, disturbed="its GPU was cut anew")
    return found


def _sampled(span: Span, phase: float, broken: float) -> bool:
    """Whether a sample within the time looked at fell into the span while counters told the truth."""
    start, end = max(span.start, NOW - AFTER - EDGE), min(span.end, broken)
    first = start + (phase - start) % _SAMPLES
    return first <= end


def _cpu(spans: list[Span]) -> float:
    """The highest mean of five minutes that a look each minute finds."""
    highest = 0.0
    # What takes the most lies in looks while something works, and five minutes after.
    for each in spans:
        for end in range(int(max(NOW - AFTER, each.start)), int(min(NOW, each.end + 300)) + 1, 60):
            took = sum(span.cores * max(0.0, min(span.end, end) - max(span.start, end - 300)) for span in spans)
            highest = max(highest, took)
    return 0.01 + highest / 300
