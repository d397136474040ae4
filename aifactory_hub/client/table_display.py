"""Displays several jobs in a notebook: a table that updates itself until all of them have ended."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .errors import ClientError
from .job_display import LONGEST, QUIET, escape, more_words, state_html
from .notices import in_notebook
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
    body = "".join(_row(job, parameters, metrics) for job in jobs)
    notes = [note, _hidden(given, parameters), _hidden(reported, metrics), _missing(jobs)]
    told = "".join(f'<div style="color:{QUIET}"><em>{escape(text)}</em></div>' for text in notes if text)
    head = "".join(f'<th scope="col" style="text-align:left">{escape(name)}</th>' for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{told}"


def _row(job: Any, parameters: Sequence[str], metrics: Sequence[str]) -> str:
    given, reported = parameters_of(job), job.metrics
    values = [*(given.get(name) for name in parameters), *(reported.get(name) for name in metrics)]
    cells = [state_html(job), f"<code>{escape(job.id)}</code>", escape(job.name), *map(_value, values)]
    cells += [escape(job.profile), escape(more_words(job))]
    return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"


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


class _Raw:
    """What is displayed: both forms at one moment, without the hook that shows a table."""

    def __init__(self, jobs: JobTable, note: str = "") -> None:
        self._html = table_html(jobs, note)
        self._text = repr(jobs)

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._text


def show_table(
    jobs: JobTable, *, display: Callable[..., Any] | None = None, first: float = _FIRST
) -> threading.Thread | None:
    """Show the table and, in a notebook, keep it up to date until all have ended. The thread that does so."""
    if display is None:
        from IPython.display import display as shown

        display = shown
    if not in_notebook() or all(job.final for job in jobs):
        display(_Raw(jobs))
        return None
    handle = display(_Raw(jobs), display_id=True)
    if handle is None:
        return None
    thread = threading.Thread(target=_follow, args=(jobs.copy(), handle, first), name="table of jobs", daemon=True)
    thread.start()
    return thread


def _follow(jobs: JobTable, handle: Any, pause: float) -> None:
    """Follow copies of the jobs, so that the person's own objects do not change between two lines of their code."""
    give_up = time.monotonic() + LONGEST
    told = None
    try:
        while True:
            jobs.refresh()
            now = table_html(jobs)
            if now != told:
                handle.update(_Raw(jobs))
                told = now
            if all(job.final for job in jobs):
                return
            if time.monotonic() > give_up:
                handle.update(_Raw(jobs, "not followed any more"))
                return
            time.sleep(pause)
            pause = min(pause * 1.1, _SLOWEST)
    except ClientError as error:
        with contextlib.suppress(Exception):
            handle.update(_Raw(jobs, f"not up to date any more: {error}"))
