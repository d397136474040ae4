"""Displays one job in a notebook: a card that updates itself."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from html import escape as html_escape
from typing import TYPE_CHECKING, Any

from .durations import spoken
from .errors import ClientError
from .live_display import LONGEST, Shown, show_live
from .prices import price_words
from .printable import line
from .runs import metric_words

if TYPE_CHECKING:
    from .job import Job
    from .job_schedules import Schedule

# A card is drawn again at most this often, in seconds: a job that reports each step is no film.
_CALM = 1.0
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
        lines.append(f"<div>{escape(' · '.join(metric_words(job)))}</div>")
    if job.reason:
        lines.append(f"<div>{escape(job.reason)}</div>")
    if note:
        lines.append(f'<div style="color:{QUIET}"><em>{escape(note)}</em></div>')
    style = "border-left:3px solid " + _COLOURS.get(job.state, QUIET) + ";padding:.2em .8em;line-height:1.5"
    return f'<div style="{style}">{"".join(lines)}</div>'


def html_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. ``heads`` are escaped here; the cells of ``rows`` are HTML already."""
    head = "".join(f'<th scope="col" style="text-align:left">{escape(name)}</th>' for name in heads)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>" for cells in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def schedules_html(schedules: Iterable[Schedule]) -> str:
    """Schedules as a table."""
    return html_table(("Schedule", "Name", "When", "Next", "Last"), map(_schedule_cells, schedules))


def _schedule_cells(one: Schedule) -> list[str]:
    when = f"{one.cron} ({one.time_zone})"
    told = (one.name, when, one.next or "paused", one.problem or one.last_state or "")
    return [f"<code>{escape(one.id)}</code>", *map(escape, told)]


def show(job: Job, *, display: Callable[..., Any] | None = None, every: float = _CALM) -> threading.Thread | None:
    """Show the job and, in a notebook, keep the card up to date until the job has ended. The thread that does so."""
    follow = None if job.final else partial(_follow, job, every)
    return show_live(_shown(job), follow, name=f"card of {job.id}", display=display)


def _follow(job: Job, every: float, handle: Any) -> None:
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
                handle.update(_shown(copy))
            if time.monotonic() > give_up:
                handle.update(_shown(copy, "not followed any more"))
                return
        copy.refresh()
        handle.update(_shown(copy))
    except ClientError as error:
        with contextlib.suppress(Exception):
            handle.update(_shown(copy, f"not up to date any more: {error}"))


def _shown(job: Job, note: str = "") -> Shown:
    return Shown(job_html(job, note), repr(job))


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
