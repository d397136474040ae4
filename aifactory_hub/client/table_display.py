"""Displays several jobs in a notebook: a table that updates itself until all of them have ended."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .errors import ClientError
from .job_display import QUIET, escape, html_table, more_words, state_html
from .live_display import LONGEST, Shown, show_live
from .runs import names, parameters_of, without

if TYPE_CHECKING:
    from .job_list import JobTable

# Seconds between questions, at first and after a while. One question is for up to 200 jobs.
_FIRST, _SLOWEST = 1.0, 5.0
# Columns of each kind that are shown unless they were named.
_MOST_COLUMNS = 8


def table_html(jobs: JobTable, note: str = "") -> str:
    """Jobs as a table. Whatever people wrote is escaped."""
    given = names(jobs, parameters_of)
    reported = list(jobs.shown_metrics or names(jobs, lambda job: job.metrics))
    parameters, metrics = given[:_MOST_COLUMNS], reported if jobs.shown_metrics else reported[:_MOST_COLUMNS]
    heads = ["State", "Job", "Name", *parameters, *metrics, "Profile", "More"]
    notes = [note, _hidden(given, parameters), _hidden(reported, metrics), _missing(jobs)]
    told = "".join(f'<div style="color:{QUIET}"><em>{escape(text)}</em></div>' for text in notes if text)
    return html_table(heads, (_cells(job, parameters, metrics) for job in jobs)) + told


def _cells(job: Any, parameters: Sequence[str], metrics: Sequence[str]) -> list[str]:
    given, reported = parameters_of(job), job.metrics
    values = [*(given.get(name) for name in parameters), *(reported.get(name) for name in metrics)]
    about = [state_html(job), f"<code>{escape(job.id)}</code>", escape(job.name)]
    return [*about, *map(_value, values), escape(job.profile), escape(more_words(job))]


def _value(value: Any) -> str:
    if value is None:
        return "–"  # noqa: RUF001 - a dash, as tables have it
    return escape(f"{value:.6g}" if isinstance(value, float) else str(value))


def _hidden(every: Sequence[str], shown: Sequence[str]) -> str:
    left = [name for name in every if name not in shown]
    return f"Not shown: {', '.join(left)}. Name metrics with table(metrics=[...])." if left else ""


def _missing(jobs: JobTable) -> str:
    """Of a table that is sorted: how many jobs have nothing to be sorted by."""
    if not jobs.sorted_by or not (left := without(jobs, jobs.sorted_by)):
        return ""
    return f"{len(left)} of {len(jobs)} jobs have no {jobs.sorted_by}: they come last."


def show_table(
    jobs: JobTable, *, display: Callable[..., Any] | None = None, first: float = _FIRST
) -> threading.Thread | None:
    """Show the table and, in a notebook, keep it up to date until all have ended. The thread that does so."""
    follow = None if all(job.final for job in jobs) else partial(_follow, jobs.copy(), first)
    return show_live(_shown(jobs), follow, name="table of jobs", display=display)


def _shown(jobs: JobTable, note: str = "") -> Shown:
    return Shown(table_html(jobs, note), repr(jobs))


def _follow(jobs: JobTable, pause: float, handle: Any) -> None:
    """Follow copies of the jobs, so that the person's own objects do not change between two lines of their code."""
    give_up = time.monotonic() + LONGEST
    told = None
    try:
        while True:
            jobs.refresh()
            now = table_html(jobs)
            if now != told:
                handle.update(_shown(jobs))
                told = now
            if all(job.final for job in jobs):
                return
            if time.monotonic() > give_up:
                handle.update(_shown(jobs, "not followed any more"))
                return
            time.sleep(pause)
            pause = min(pause * 1.1, _SLOWEST)
    except ClientError as error:
        with contextlib.suppress(Exception):
            handle.update(_shown(jobs, f"not up to date any more: {error}"))
