"""What the command line shows of one job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from .durations import spoken
from .job import Job
from .prices import price_words
from .printable import line
from .runs import metric_words

COLOURS = {"SUCCEEDED": "green", "FAILED": "red", "CANCELLED": "yellow", "RUNNING": "cyan", "SUSPENDED": "magenta"}

_MOST_SHOWN = 3


def facts(job: Job) -> Iterable[tuple[str, str]]:
    """What is known of a job, as names and values. What others wrote is made printable here."""
    state = click.style(line(job.state), fg=COLOURS.get(job.state))
    yield "job", line(job.id) + (" (simulated GPUs)" if job.simulated else "")
    yield "name", line(job.name)
    yield "state", state + (f": {line(job.reason)}" if job.reason else "")
    yield from ((name, line(value)) for name, value in _plain_facts(job))


def _attempt(attempt: Mapping[str, Any]) -> str:
    """In one line."""
    parts = [str(attempt["attempt"]), attempt["kind"] or "", _held(attempt["held_seconds"])]
    parts += [f"on {', '.join(attempt['nodes'])}"] if attempt["nodes"] else []
    parts += [f"exit code {attempt['exit_code']}"] if attempt["exit_code"] is not None else []
    return ", ".join(filter(None, parts)) + (f": {attempt['reason']}" if attempt["reason"] else "")


def _held(seconds: float | None) -> str:
    return f"{spoken(seconds)} with its devices" if seconds else ""


def _plain_facts(job: Job) -> Iterable[tuple[str, str]]:
    yield "team", f"{job.tenant}, {job.owner}"
    yield "profile", job.profile
    if job.position is not None:
        yield (
            "queue",
            f"{job.position} ahead in the queue, {(job.expected_wait or {}).get('words', 'not known for how long')}",
        )
    if job.progress is not None:
        yield "done", percent(job)
    if job.metrics:
        yield "metrics", ", ".join(metric_words(job))
    if job.cost is not None and job.cost["per_hour"] is not None:
        more = "" if job.final else f" so far, {price_words(job.cost['at_most'], job.cost)} at most"
        yield "cost", f"{price_words(job.cost['so_far'], job.cost)}{more}"
    if job.exit_code is not None:
        yield "exit code", str(job.exit_code)
    yield from (("attempt", _attempt(each)) for each in job.attempts if job.attempt > 1)
    for step in job.steps:
        yield "step", f"{step['name']} {step['state']}" + (f": {step['reason']}" if step["reason"] else "")
    if commit := _commit(job.provenance):
        yield "commit", commit
    if job.command:  # a workflow brings images of its own
        yield "image", job.image + (" (the notebook's own)" if job.data.get("own_image") else "")
    if job.data.get("template"):
        yield "template", str(job.data["template"])
        return
    yield "command", job.command.splitlines()[0][:200]


def _commit(told: Mapping[str, Any]) -> str:
    """The commit that it was submitted at, or whose files it has."""
    if not told.get("commit"):
        return ""
    where = told.get("git") or told.get("branch")
    words = [
        str(told["commit"])[:12],
        *([f"({where})"] if where else []),
        *(["with changes"] if told.get("dirty") else []),
    ]
    return " ".join(words)


def percent(job: Job) -> str:
    """How far it says that it is; empty where it has said nothing."""
    return "" if job.progress is None else f"{job.progress:.0f}%"


def last_values(job: Job) -> str:
    """The last value of its first metrics, in one line."""
    words = metric_words(job)
    return ", ".join(words[:_MOST_SHOWN]) + (", …" if len(words) > _MOST_SHOWN else "")
