"""What jobs report of themselves, for people."""

from __future__ import annotations

from collections.abc import Mapping

from ...domain.metrics import Point, as_json
from ...store import StoredMetrics
from ..answer_types import MetricsAnswer
from ..errors import gone
from ..report_types import RunnerProgress
from ..request_types import MetricsQuery
from .base import Handler, run_sync
from .operations import operation


class JobMetrics(Handler):
    """The metrics of one job."""

    @operation(
        "getMetrics",
        "What the job has reported of itself, as series of points; with `since` only what is new.",
        answer=MetricsAnswer,
        query=MetricsQuery,
    )
    async def get(self, job_id: str) -> None:
        """The last values are in the job's own answer."""
        job = await self.job_for(await self.caller(), job_id)
        asked = self.query(MetricsQuery)
        if job.log_dropped_at is not None:
            raise gone(f"What job {job.id} has reported", self.context.registry.jobs.keep_logs)
        found = await run_sync(
            self.context.jobs.metrics.read,
            job.id,
            name=asked.name,
            attempt=asked.attempt,
            since=asked.since,
            most=asked.points,
        )
        self.answer(metrics_answer(found, simulated=self.context.registry.cluster.simulated))


def metrics_answer(found: StoredMetrics, *, simulated: bool) -> MetricsAnswer:
    """Series as columns."""
    return {
        "cursor": found.cursor,
        "series": [
            {
                "name": series.name,
                "attempt": series.attempt,
                "reported": series.count,
                "thinned": series.thinned,
                "whole": series.whole,
                "steps": [point.step for point in series.points],
                "times": [round(point.at, 3) for point in series.points],
                "values": [as_json(point.value) for point in series.points],
            }
            for series in found.series
        ],
        "simulated": simulated,
    }


def reported_points(said: RunnerProgress, *, now: float) -> Mapping[str, list[Point]]:
    """The new points of a report, by name."""
    return {
        name: [
            Point(number, step, now - age, float(value))
            for number, step, age, value in zip(series.numbers, series.steps, series.ages, series.values, strict=True)
        ]
        for name, series in (said.series or {}).items()
    }
