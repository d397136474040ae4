"""Displays one job in a notebook: a card that updates itself."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from html import escape as html_escape
from typing import TYPE_CHECKING, Any

from .durations import spoken
from .errors import ClientError
from .notices import in_notebook
from .prices import price_words
from .printable import line

if TYPE_CHECKING:
    from .job import Job
    from .job_schedules import Schedule

# A card is drawn again at most this often, in seconds: a job that reports each step is no film.
_CALM = 1.0
# A card or table is followed no longer than this, in seconds: the notebook may stay open for weeks.
LONGEST = 24 * 3600.0
# A mark besides the colour, so that nobody has to see colours to read it.
_MARKS = {"SUCCEEDED": "✔", "FAILED": "✘", "CANCELLED": "■", "RUNNING": "▶", "SUSPENDED": "⏸"}
_COLOURS = {
    "SUCCEEDED": "var(--jp-success-color1, #2e7d32)",
    "FAILED": "var(--jp-error-color1, #c62828)",
    "RUNNING": "var(--jp-brand-color1, #1565c0)",
}
QUIET = "var(--jp-ui-font-color2, #616161)"


def escape(text: str) -> str:
    """What others wrote, for HTML: neither tags nor what reorders or hides text."""
    return html_escape(line(text))


def job_html(job: Job, note: str = "") -> str:
    """One job as a card. Whatever people wrote is escaped."""
    facts = [fact for fact in (_cost(job), _waiting(job), _time(job)) if fact]
    if job.simulated:
        facts.append("simulated GPUs")
    lines = [
        f'<div style="display:flex;gap:.6em;align-items:baseline">{state_html(job)}'
        f"<strong>{escape(job.name)}</strong>"
        f'<code style="color:{QUIET}">{escape(job.id)}</code></div>',
        f'<div style="color:{QUIET}">{escape(" · ".join([job.tenant, job.profile, *facts]))}</div>',
    ]
    if job.progress is not None:
        lines.append(_bar(job))
    if job.metrics:
        told = " · ".join(f"{name} {value:.6g}" for name, value in job.metrics.items())
        lines.append(f"<div>{escape(told)}</div>")
    if job.reason:
        lines.append(f"<div>{escape(job.reason)}</div>")
    if note:
        lines.append(f'<div style="color:{QUIET}"><em>{escape(note)}</em></div>')
    style = "border-left:3px solid " + _COLOURS.get(job.state, QUIET) + ";padding:.2em .8em;line-height:1.5"
    return f'<div style="{style}">{"".join(lines)}</div>'


def schedules_html(schedules: Iterable[Schedule]) -> str:
    """Schedules as a table."""
    names = ("Schedule", "Name", "When", "Next", "Last")
    heads = "".join(f'<th style="text-align:left">{head}</th>' for head in names)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(map(_schedule_row, schedules))}</tbody></table>"


def _schedule_row(one: Schedule) -> str:
    when = f"{one.cron} ({one.time_zone})"
    told = (one.name, when, one.next or "paused", one.problem or one.last_state or "")
    cells = [f"<code>{escape(one.id)}</code>", *map(escape, told)]
    return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"


def show(job: Job, *, display: Callable[..., Any] | None = None, every: float = _CALM) -> threading.Thread | None:
    """Show the job and, in a notebook, keep the card up to date until the job has ended. The thread that does so."""
    if display is None:
        from IPython.display import display as shown

        display = shown
    if job.final or not in_notebook():
        display(_raw(job))
        return None
    handle = display(_raw(job), display_id=True)
    if handle is None:
        return None
    thread = threading.Thread(target=_follow, args=(job, handle, every), name=f"card of {job.id}", daemon=True)
    thread.start()
    return thread


def _follow(job: Job, handle: Any, every: float) -> None:
    """Follow a copy of the job, so that the person's own object does not change between two lines of their code."""
    copy = type(job)(job._session, job.data)
    give_up, drawn = time.monotonic() + LONGEST, 0.0
    try:
        for event in copy._session.events(f"/jobs/{copy.id}/events"):
            if event.name == "job":
                copy._data = event.data
            if event.name == "end" or copy.final:
                break
            if event.name and time.monotonic() - drawn >= every:
                drawn = time.monotonic()
                handle.update(_Raw(copy, ""))
            if time.monotonic() > give_up:
                handle.update(_Raw(copy, "not followed any more"))
                return
        copy.refresh()
        handle.update(_Raw(copy, ""))
    except ClientError as error:
        with contextlib.suppress(Exception):
            handle.update(_Raw(copy, f"not up to date any more: {error}"))


class _Raw:
    """What is displayed: both forms at one moment, without the hook that shows a job."""

    def __init__(self, job: Job, note: str) -> None:
        self._html = job_html(job, note)
        self._text = repr(job)

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._text


def _raw(job: Job) -> _Raw:
    return _Raw(job, "")


def state_html(job: Job) -> str:
    """Its state, with a mark and a colour."""
    colour, mark = _COLOURS.get(job.state, QUIET), _MARKS.get(job.state, "…")
    return f'<span style="color:{colour}">{mark} {escape(job.state)}</span>'


def more_words(job: Job) -> str:
    """How far it is, why it is as it is, and how long it ran, in one line."""
    return " · ".join(part for part in (_progress(job), job.reason or _waiting(job), _time(job)) if part)


def _bar(job: Job) -> str:
    done = f"{job.progress or 0:.0f}"
    left = "" if job.eta is None else f", about {spoken(job.eta)} left"
    return (
        f'<div><progress max="100" value="{done}" aria-label="progress" style="width:16em;vertical-align:middle">'
        f"</progress> {done}%{left}</div>"
    )


def _progress(job: Job) -> str:
    return "" if job.progress is None or job.final else f"{job.progress:.0f}%"


def _waiting(job: Job) -> str:
    if job.position is None:
        return ""
    words = (job.expected_wait or {}).get("words")
    return f"{job.position} ahead in the queue" + (f", {words}" if words else "")


def _cost(job: Job) -> str:
    cost = job.cost or {}
    if cost.get("per_hour") is None:
        return ""
    # Of one that has ended nothing more will come.
    so_far = price_words(cost["so_far"], cost)
    return f"cost {so_far}" if job.final else f"{so_far} so far, {price_words(cost['at_most'], cost)} at most"


def _time(job: Job) -> str:
    """How long it has run, for one that did."""
    from datetime import datetime

    times = job.data.get("times") or {}
    if not times.get("running"):
        return ""
    end = datetime.fromisoformat(times["finished"]).timestamp() if times.get("finished") else job._session.now()
    return f"ran {spoken(max(0.0, end - datetime.fromisoformat(times['running']).timestamp()))}"
