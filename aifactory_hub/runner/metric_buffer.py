"""The metrics that the command reports, on their way to the service: numbered, and thinned while it does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..domain.metrics import MOST_NAMES, MOST_POINTS, JsonValue, Point, as_json, thin

# Points of one request: it stays well below the service's limit of a body.
_AT_ONCE = 5_000

Batch = dict[str, list[Point]]


@dataclass
class _Series:
    """``next`` numbers the next point and ``step`` is its step if the command says none."""

    next: int = 0
    step: int = 0
    waiting: list[Point] = field(default_factory=list)

    def bound(self) -> None:
        """Leave out points between others once more wait than are kept."""
        if len(self.waiting) > 2 * MOST_POINTS:
            self.waiting = thin(self.waiting, MOST_POINTS)


class MetricBuffer:
    """Collects points until they are sent. Not safe in several threads: the shipper has a lock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._series: dict[str, _Series] = {}
        self._last: dict[str, float] = {}
        self.left_out = False

    def add(self, metrics: Mapping[str, float], steps: Mapping[str, int]) -> None:
        """Take a report: values by name, and the steps of those that have one. Names beyond the limit are left out."""
        for name, value in metrics.items():
            if name not in self._series and len(self._series) >= MOST_NAMES:
                self.left_out = True
                continue
            series = self._series.setdefault(name, _Series())
            step = steps.get(name, series.step)
            series.waiting.append(Point(series.next, step, self._clock(), value))
            series.next, series.step = series.next + 1, step + 1
            series.bound()
            self._last[name] = value

    @property
    def last(self) -> dict[str, JsonValue]:
        """The last value of each name."""
        return {name: as_json(value) for name, value in self._last.items()}

    def __bool__(self) -> bool:
        """Whether something waits."""
        return any(series.waiting for series in self._series.values())

    def take(self) -> Batch:
        """What is to be sent next; the rest goes on waiting."""
        batch: Batch = {}
        left = _AT_ONCE
        for name, series in self._series.items():
            if left and series.waiting:
                batch[name], series.waiting = series.waiting[:left], series.waiting[left:]
                left -= len(batch[name])
        return batch

    def put_back(self, batch: Batch) -> None:
        """It did not arrive: it waits again, before what came since."""
        for name, points in batch.items():
            series = self._series[name]
            series.waiting = points + series.waiting
            series.bound()

    def told(self, batch: Batch) -> dict[str, Any]:
        """As the service takes them: ages in seconds instead of times, because this pod's clock may be wrong."""
        now = self._clock()
        return {
            name: {
                "numbers": [point.number for point in points],
                "steps": [point.step for point in points],
                "ages": [round(max(0.0, now - point.at), 3) for point in points],
                "values": [as_json(point.value) for point in points],
            }
            for name, points in batch.items()
        }
