"""A job's metrics on the command line."""

from __future__ import annotations

import json
import math
from itertools import groupby
from typing import Any

import click

from .history import MetricHistory
from .job import Job
from .printable import line
from .runs import as_csv as csv_of


def print_metrics(job: Job, name: str | None, *, as_csv: bool, as_json: bool) -> None:
    """All points, or one line for each metric. Raises click.UsageError for both forms at once."""
    if as_csv and as_json:
        raise click.UsageError("--csv and --json: leave one of them out.")
    history = job.metric_history(name)
    if as_json:
        click.echo(json.dumps([_plain(point) for point in history], indent=2, allow_nan=False))
        return
    if as_csv:
        click.echo(csv_of([_plain(point) for point in history]), nl=False)
    elif history:
        _print_last(history)
    if not history:
        which = "metrics" if name is None else f"metric {line(name)!r}"
        click.echo(f"Job {job.id} has reported no {which}.", err=True)
    if history.thinned:
        click.echo(f"Thinned: {len(history)} of {history.reported} points are kept.", err=True)


def _plain(point: dict[str, Any]) -> dict[str, Any]:
    """As JSON and CSV can say it."""
    value = point["value"]
    told = value if math.isfinite(value) else str(value)
    return {
        **point,
        "name": line(point["name"]),
        "time": point["time"].isoformat(timespec="milliseconds"),
        "value": told,
    }


def _print_last(history: MetricHistory) -> None:
    form = "{:<24} {:>7} {:>10} {:>12} {:>12} {:>12}"
    click.echo(click.style(form.format("METRIC", "ATTEMPT", "STEP", "LAST", "LOWEST", "HIGHEST"), bold=True))
    for (attempt, name), points in groupby(history, key=lambda point: (point["attempt"], point["name"])):
        told = list(points)
        finite = [point["value"] for point in told if math.isfinite(point["value"])] or [math.nan]
        values = (f"{value:.6g}" for value in (told[-1]["value"], min(finite), max(finite)))
        click.echo(form.format(line(name), attempt, told[-1]["step"], *values))
