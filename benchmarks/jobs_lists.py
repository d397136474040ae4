"""A page of 50 out of 100,000 jobs: over HTTP beside jupyter-scheduler's, and from each kind of database."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.store import JobFilter, Jobs, migrate, open_db
from tests.support.postgres import NoPostgres, running_postgres

from .frame import Report, summary
from .jobs_peers import jupyter_scheduler, ours
from .jobs_service import fill

JOBS = 100_000
TENANTS = ("nlp", "vision", *(f"t{n}" for n in range(18)))
_LISTS = 60


def measure(report: Report, scale: float, _before: Path | None) -> None:
    """Each of both; ``scale`` is of the number of jobs."""
    jobs = round(JOBS * scale)
    over_http(report, jobs)
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as engines:
        for kind, db in engines:
            from_database(report, kind, db, jobs)


def over_http(report: Report, jobs: int) -> None:
    """What a page waits for, in turns; both on SQLite."""
    with tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        folder = Path(text)
        running = {
            "ours": stack.enter_context(ours(folder / "ours", "--jobs", str(jobs))),
            "jupyter-scheduler": stack.enter_context(jupyter_scheduler(folder / "scheduler", jobs=jobs)),
        }
        http = stack.enter_context(httpx.Client(trust_env=False, timeout=60))
        asked = [(name, way, url) for name, one in running.items() for way, url in one.list_urls.items()]
        times: dict[str, list[float]] = {}
        for turn in range(_LISTS + 2):
            for name, way, url in asked:
                began = time.perf_counter()
                answer = http.get(url, headers=dict(running[name].headers))
                took = (time.perf_counter() - began) * 1000
                assert answer.status_code == 200 and len(answer.json()["jobs"]) == 50, answer.text[:500]
                if turn > 1:  # the first two are to warm up
                    times.setdefault(f"list over HTTP, {jobs} jobs, {name}, {way} (ms)", []).append(took)
    for what, found in times.items():
        goal = {"goal": "p95 <= 50"} if ", ours," in what else {}
        report.rows.append({"what": what, **summary(found), **goal})
        report.raw[what] = [round(t, 2) for t in found]


@contextmanager
def databases(folder: Path) -> Iterator[list[tuple[str, Engine]]]:
    """An empty one of each kind that this machine has."""
    with ExitStack() as ending:
        found = [("SQLite", open_db(f"sqlite:///{folder}/jobs.sqlite"))]
        try:
            server = ending.enter_context(running_postgres())
            found.append(("PostgreSQL", open_db(server.new_database())))
        except NoPostgres as error:
            print(f"without PostgreSQL: {error}")
        for _, db in found:
            ending.callback(db.dispose)
            migrate(db)
        yield found


def from_database(report: Report, kind: str, db: Engine, many: int) -> None:
    """A page of 50 in each way that people ask for one, from the top and from the middle."""
    fill(db, many, TENANTS)
    jobs = Jobs(db)
    middle = jobs.newest(["nlp"], limit=1000)[-1]
    ways: dict[str, dict[str, Any]] = {
        "one team": {"tenants": ["nlp"]},
        "one team, from the middle": {"tenants": ["nlp"], "before": middle},
        "one team, one's own": {"tenants": ["nlp"], "where": JobFilter(owner="u3")},
        "one team, running": {"tenants": ["nlp"], "where": JobFilter(states=(JobState.RUNNING,))},
        "one team, a text that is rare": {"tenants": ["nlp"], "where": JobFilter(text="needle")},
        f"{len(TENANTS)} teams": {"tenants": list(TENANTS)},
    }
    for way, asked in ways.items():
        times = []
        for _ in range(_LISTS):
            began = time.perf_counter()
            jobs.newest(limit=50, **asked)
            times.append((time.perf_counter() - began) * 1000)
        what = f"list, {kind}, {many} jobs, {way} (ms)"
        report.rows.append({"what": what, **summary(times), "goal": "p95 <= 50"})
        report.raw[what] = [round(t, 2) for t in times]
