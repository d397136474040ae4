"""Jobs beside each other: their parameters and last metrics as the columns of a table. Pure."""

from __future__ import annotations

import csv
import io
import json
import math
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .errors import ClientError

if TYPE_CHECKING:
    from .job import Job

# The columns that every job has; parameters and metrics come after them.
_FIXED: Mapping[str, Callable[[Job], Any]] = {
    "id": lambda job: job.id,
    "name": lambda job: job.name,
    "state": lambda job: job.state,
    "profile": lambda job: job.profile,
    "owner": lambda job: job.owner,
    "submitted": lambda job: (job.data.get("times") or {}).get("submitted"),
}
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def parameters_of(job: Job) -> dict[str, Any]:
    """What it was given: the values of its sweep, its notebook's parameters, its template's."""
    return {
        **(job.data.get("parameters") or {}),
        **_of_notebook(str(job.data.get("command") or "")),
        **(job.data.get("sweep_parameters") or {}),
    }


def _of_notebook(command: str) -> dict[str, Any]:
    if " -m aifactory_hub.runner.notebook " not in command or " --parameters " not in command:
        return {}
    try:
        words = shlex.split(command)
        found = json.loads(words[words.index("--parameters") + 1])
    except (ValueError, IndexError):
        return {}
    return found if isinstance(found, dict) else {}


def names(jobs: Iterable[Job], of: Callable[[Job], Mapping[str, Any]]) -> list[str]:
    """Each name that one of the jobs has, in the order in which they are met."""
    return list(dict.fromkeys(name for job in jobs for name in of(job)))


def rows(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """A dictionary for each job, all with the same keys; None for what a job does not have.

    A metric that is called as a parameter or another column has `` (metric)`` after its name.
    """
    parameters, metrics = names(jobs, parameters_of), names(jobs, lambda job: job.metrics)
    taken = {*_FIXED, *parameters}
    return [
        {
            **{name: of(job) for name, of in _FIXED.items()},
            **{_apart(name, _FIXED, "parameter"): parameters_of(job).get(name) for name in parameters},
            **{_apart(name, taken, "metric"): job.metrics.get(name) for name in metrics},
        }
        for job in jobs
    ]


def _apart(name: str, taken: Iterable[str], kind: str) -> str:
    return f"{name} ({kind})" if name in taken else name


def metric_words(job: Job) -> list[str]:
    """Each metric with its last value, such as ``loss 0.0523``."""
    return [f"{name} {value:.6g}" for name, value in job.metrics.items()]


def value_of(job: Job, name: str) -> Any:
    """The job's metric of this name, or its parameter, or its own; None when it has none."""
    for found in (job.metrics, parameters_of(job)):
        if name in found:
            return found[name]
    return _FIXED[name](job) if name in _FIXED else None


def ordered(jobs: Sequence[Job], by: str, *, descending: bool = False) -> list[Job]:
    """By a metric, a parameter or a column. Those without a value come last, before them those that are no number.

    Raises ClientError when no job has it.
    """
    known = [*names(jobs, lambda job: job.metrics), *names(jobs, parameters_of), *_FIXED]
    if by not in known:
        raise ClientError(f"None of the {len(jobs)} jobs has {by!r}. There are: {', '.join(dict.fromkeys(known))}.")
    ranked = [job for job in jobs if _rank(value_of(job, by)) == 0]
    ranked.sort(key=lambda job: _key(value_of(job, by)), reverse=descending)
    rest = sorted((job for job in jobs if _rank(value_of(job, by))), key=lambda job: _rank(value_of(job, by)))
    return [*ranked, *rest]


def _rank(value: Any) -> int:
    if value is None:
        return 2
    return int(isinstance(value, float) and math.isnan(value))


def _key(value: Any) -> tuple[int, float, str]:
    return (0, float(value), "") if isinstance(value, int | float) else (1, 0.0, str(value))


def best(jobs: Sequence[Job], metric: str, *, lowest: bool) -> Job:
    """The job whose last value of the metric is the highest, or the lowest. Raises ClientError when none has one."""
    with_it = [job for job in jobs if math.isfinite(job.metrics.get(metric, math.nan))]
    if not with_it:
        known = ", ".join(names(jobs, lambda job: job.metrics)) or "none"
        raise ClientError(f"None of the {len(jobs)} jobs has a number as {metric!r}. Metrics that they have: {known}.")
    choose = min if lowest else max
    return choose(with_it, key=lambda job: job.metrics[metric])


def without(jobs: Sequence[Job], name: str) -> list[Job]:
    """Those that have no such number: none was reported, or it is NaN."""
    return [job for job in jobs if _rank(value_of(job, name))]


def as_csv(found: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the same keys as CSV. Text that a spreadsheet would run as a formula gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if found:
        writer.writerow([_cell(name) for name in found[0]])
        writer.writerows([_cell(value) for value in row.values()] for row in found)
    return out.getvalue()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
