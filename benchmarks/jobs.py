"""Jobs: how fast one is taken in, and how fast a long list answers.

Ours alone so far: jupyter-scheduler and dask-gateway are to come beside it. The service is the real one over HTTP with
a real database file; the hub that is asked whose token it is, and the cluster, are in this process's memory.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.store import JobFilter, JobRecord, Jobs, migrate, open_engine
from aifactory_hub.store.jobs import row_values
from aifactory_hub.store.models import JobRow
from tests.support.fake_hub import FakeHub, scopes_for
from tests.support.job_service import running_service
from tests.support.postgres import NoPostgres, running_postgres

from .frame import Report, percentile, summary

JOBS = 100_000
_TENANTS, _OWNERS = 20, 50
_LISTS = 200
_SUBMITS = {1: 200, 50: 1000}


def main() -> None:
    """Measure and report."""
    report = Report(
        "jobs",
        f"Acknowledged submissions a second, and the time of a page of 50 from {JOBS} jobs",
        simulated=["the cluster and the hub are in the service's process; requests come from the same machine"],
        packages=("sqlalchemy", "tornado", "psycopg", "pydantic"),
    )
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as engines:
        for kind, engine in engines:
            lists(report, kind, engine)
    for clients, count in _SUBMITS.items():
        asyncio.run(submits(report, clients, count))
    report.finish()


@contextmanager
def databases(folder: Path) -> Iterator[list[tuple[str, Engine]]]:
    """An empty one of each kind that this machine has."""
    with ExitStack() as ending:
        found = [("SQLite", open_engine(f"sqlite:///{folder}/jobs.sqlite"))]
        try:
            server = ending.enter_context(running_postgres())
            found.append(("PostgreSQL", open_engine(server.new_database())))
        except NoPostgres as error:
            print(f"without PostgreSQL: {error}")
        for _, engine in found:
            ending.callback(engine.dispose)
            migrate(engine)
        yield found


def lists(report: Report, kind: str, engine: Engine) -> None:
    """A page of 50 in each way that people ask for one, from the top and from the middle."""
    _fill(engine)
    jobs = Jobs(engine)
    tenants = [f"t{n}" for n in range(_TENANTS)]
    middle = jobs.newest(["t0"], limit=1000)[-1]
    ways: dict[str, dict[str, Any]] = {
        "one team": {"tenants": ["t0"]},
        "one team, from the middle": {"tenants": ["t0"], "before": middle},
        "one team, one's own": {"tenants": ["t0"], "where": JobFilter(owner="u3")},
        "one team, running": {"tenants": ["t0"], "where": JobFilter(states=(JobState.RUNNING,))},
        "one team, a text that is rare": {"tenants": ["t0"], "where": JobFilter(text="needle")},
        f"{_TENANTS} teams": {"tenants": tenants},
    }
    for way, asked in ways.items():
        times = []
        for _ in range(_LISTS):
            began = time.perf_counter()
            jobs.newest(limit=50, **asked)
            times.append((time.perf_counter() - began) * 1000)
        report.rows.append({"what": f"list, {kind}, {way} (ms)", **summary(times), "goal": "p95 <= 50"})
        report.raw[f"list {kind} {way}"] = times


async def submits(report: Report, clients: int, count: int) -> None:
    """From the request to the answer, which comes when the database has it on disk."""
    hub = FakeHub()
    hub.start()
    hub.add("ada", "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with running_service(Path(folder), hub=hub, reconciling=False) as service, service.http("ada") as http:

            async def client(number: int) -> None:
                for n in range(count // clients):
                    began = time.perf_counter()
                    body = {"command": "python train.py", "profile": "cpu-small", "key": f"{number}-{n}"}
                    answer = await http.post("/jobs", json=body)
                    assert answer.status_code == 201, answer.text
                    times.append((time.perf_counter() - began) * 1000)

            began = time.perf_counter()
            await asyncio.gather(*(client(n) for n in range(clients)))
            rate = len(times) / (time.perf_counter() - began)
    await hub.stop()
    row = {"what": f"submit, SQLite, {clients} clients (ms)", **summary(times), "p99": round(percentile(times, 99), 1)}
    report.rows.append({**row, "a second": round(rate, 1), "goal": "500 a second, p99 <= 50"})
    report.raw[f"submit {clients}"] = times


def _fill(engine: Engine) -> None:
    """Jobs of many tenants and owners, nearly all ended; one in ten thousand has the rare text."""
    rows = []
    for n in range(JOBS):
        record = JobRecord(
            id=f"j{n:012x}",
            tenant=f"t{n % _TENANTS}",
            owner=f"u{n // _TENANTS % _OWNERS}",
            name="needle" if n % 10_000 == 0 else "train",
            command="python train.py --learning-rate 0.001",
            profile="mig-1g.10gb",
            key=f"k{n}",
            request_digest="d" * 64,
            submitted_at=1.7e9 + n,
            state=JobState.RUNNING if n % 100 == 0 else JobState.SUCCEEDED,
            finished_at=1.7e9 + n,
            cleaned_at=None if n % 100 == 0 else 1.7e9 + n,
        )
        rows.append({**row_values(record), "journaled": 1})
    with engine.begin() as connection:
        for start in range(0, JOBS, 2000):
            connection.execute(insert(JobRow), rows[start : start + 2000])


if __name__ == "__main__":
    main()
