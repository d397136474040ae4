"""The points of a job's metrics, as they are read from the service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any


class MetricHistory(list[dict[str, Any]]):
    """Points, each with ``attempt``, ``name``, ``step``, ``time``, ``value``: ``pandas.DataFrame`` takes it as it is.

    ``thinned`` says whether not all that was reported is kept, ``reported`` how many points that were.
    """

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(point for series in answer["series"] for point in _points(series))
        self.thinned = any(series["thinned"] for series in answer["series"])
        self.reported = sum(series["reported"] for series in answer["series"])


def _points(series: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for step, time, value in zip(series["steps"], series["times"], series["values"], strict=True):
        at = datetime.fromtimestamp(time, UTC)
        told = {"step": step, "time": at, "value": float(value)}
        yield {"attempt": series["attempt"], "name": series["name"], **told}
