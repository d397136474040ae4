"""Points of metrics that wait to be sent."""

from __future__ import annotations

from aifactory_hub.domain.metrics import MOST_POINTS
from aifactory_hub.runner.metric_buffer import MetricBuffer


def test_what_is_put_back_counts_among_what_waits() -> None:
    buffer = MetricBuffer(lambda: 0.0)
    for number in range(1500):
        buffer.add({"loss": float(number)}, {})
    taken = buffer.take()
    for number in range(1500, 3200):
        buffer.add({"loss": float(number)}, {})
    buffer.put_back(taken)
    numbers = [point.number for point in buffer.take()["loss"]]
    assert numbers == sorted(set(numbers)) and len(numbers) <= 2 * MOST_POINTS
    assert (numbers[0], numbers[-1]) == (0, 3199)
