"""Jobs in the demo's database: read, and given what no run of the demo has."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

from .lab import Demo


def give_steps(demo: Demo, job: str) -> None:
    """As service/controller/steps.py records them."""
    begun = {
        "name": "load",
        "state": "SUCCEEDED",
        "reason": None,
        "started": ago(60),
        "finished": ago(48),
        "pod": "a",
    }
    train = {**begun, "name": "train", "state": "RUNNING", "started": ago(48), "finished": None}
    later = {**train, "name": "evaluate", "state": "PENDING", "reason": "no node has room", "started": None}
    with closing(job_database(demo)) as service, service:
        service.execute("UPDATE attempts SET steps = ? WHERE job_id = ?", (json.dumps([begun, train, later]), job))


def job_database(demo: Demo) -> sqlite3.Connection:
    """To be closed by the caller."""
    return sqlite3.connect(demo.folder / "service.sqlite", timeout=30)


def state_of(demo: Demo, job: str) -> str:
    """The state of a job."""
    with closing(job_database(demo)) as service:
        ((state,),) = service.execute("SELECT state FROM jobs WHERE id = ?", (job,)).fetchall()
    return str(state)


def ago(seconds: float) -> str:
    """A time before now, as the database has it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
