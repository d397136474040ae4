"""Jobs: how fast one is taken in, and how fast a long list answers.

Ours alone so far: jupyter-scheduler and dask-gateway are to come beside it. The service is the real one over HTTP with
a real database file, in a process of its own with a hub that knows one token; the cluster is in its memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import Engine, insert

from aifactory_hub.admission.inprocess import InProcessAdmission
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.pipelines.memory import MemoryPipeline
from aifactory_hub.store import JobFilter, JobRecord, Jobs, migrate, open_engine
from aifactory_hub.store.jobs import row_values
from aifactory_hub.store.models import JobRow
from tests.support.job_service import Folder, make_context, make_registry
from tests.support.postgres import NoPostgres, running_postgres

from .frame import Report, percentile, summary

JOBS = 100_000
LIVE = 10_000
_TENANTS, _OWNERS = 20, 50
_LISTS = 60
_SUBMITS = {1: 100, 50: 500}


def main() -> None:
    """Measure and report: all, or the parts that the arguments name."""
    report = Report(
        "jobs",
        f"Acknowledged submissions a second, and the time of a page of 50 from {JOBS} jobs",
        simulated=["the cluster and the hub are in the service's process; requests come from the same machine"],
        packages=("sqlalchemy", "tornado", "psycopg", "pydantic"),
    )
    parts = sys.argv[1:] or ["lists", "submits", "reconciling"]
    if "reconciling" in parts:
        reconciling(report)
    if "submits" in parts:
        for clients, count in _SUBMITS.items():
            asyncio.run(submits(report, clients, count))
    if "lists" in parts:
        with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as engines:
            for kind, engine in engines:
                lists(report, kind, engine)
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
        report.raw[f"list {kind} {way}"] = [round(t, 2) for t in times]


async def submits(report: Report, clients: int, count: int) -> None:
    """From the request to the answer, which comes when the database has it on disk; the service is another process."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder, service_process(Path(folder)) as (url, process):
        connector = aiohttp.TCPConnector(limit=clients)
        headers = {"Authorization": "token ada"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as http:

            async def client(number: int, much: int) -> None:
                for n in range(much):
                    began = time.perf_counter()
                    body = {"command": "python train.py", "profile": "cpu-small", "key": f"{number}-{n}-{much}"}
                    async with http.post(f"{url}api/v1/jobs", json=body) as answer:
                        assert answer.status == 201, await answer.text()
                        await answer.read()
                    times.append((time.perf_counter() - began) * 1000)

            await asyncio.gather(*(client(n, 3) for n in range(clients)))  # warm
            times.clear()
            before, began = cpu_seconds(process.pid), time.perf_counter()
            await asyncio.gather(*(client(n, count // clients) for n in range(clients)))
            rate = len(times) / (time.perf_counter() - began)
            cpu = (cpu_seconds(process.pid) - before) / len(times) * 1000
    row = {"what": f"submit, SQLite, {clients} clients (ms)", **summary(times), "p99": round(percentile(times, 99), 1)}
    row |= {"a second": round(rate, 1), "CPU ms each": round(cpu, 2), "goal": "500 a second, p99 <= 50"}
    report.rows.append(row)
    report.raw[f"submit {clients}"] = [round(t, 2) for t in times]


@contextmanager
def service_process(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The service, and its address."""
    argv = [sys.executable, "-m", "benchmarks.jobs_service", str(folder)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"], process
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, in user and system time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def reconciling(report: Report) -> None:
    """What 10,000 jobs that only run cost: a pass in which nothing is due, one over all of them, and memory."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_reconciling(report, Path(folder)))


async def _reconciling(report: Report, folder: Path) -> None:
    registry = make_registry()
    pipeline, admission = MemoryPipeline(), InProcessAdmission(registry.tenants)
    context = make_context(Folder(folder), registry, admission, pipeline)
    rows = [{**row_values(_running(n)), "journaled": 1} for n in range(LIVE)]
    with context.jobs.engine.begin() as connection:
        connection.execute(insert(JobRow), rows)
    del rows
    reconciler = context.reconciler
    tracemalloc.start()
    await reconciler._compare()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    for agenda in reconciler._agendas.values():
        for job_id in agenda.jobs():
            agenda.put(job_id, float("inf"))
    idle, whole = [], []
    for _ in range(20):
        began = time.process_time()
        for tenant in reconciler._agendas:
            await reconciler._pass(tenant)
        idle.append((time.process_time() - began) * 1000)
    for _ in range(2):
        began = time.process_time()
        await asyncio.to_thread(context.jobs.live)
        whole.append((time.process_time() - began) * 1000)
    context.jobs.close()
    name = f"{LIVE} running jobs"
    report.rows.append({"what": f"a tick, {name}, nothing due (CPU ms)", **summary(idle)})
    report.rows.append({"what": f"reading all {LIVE}, as each tick did before (CPU ms)", **summary(whole)})
    report.rows.append({"what": f"memory of the agenda of {name} (MiB)", "n": 1, "p50": round(held / 2**20, 2)})


def _running(number: int) -> JobRecord:
    return JobRecord(
        id=f"j{number:012x}",
        tenant="nlp",
        owner=f"u{number % 50}",
        name="train",
        command="python train.py --learning-rate 0.001",
        profile="mig-1g.10gb",
        key=f"k{number}",
        request_digest="d" * 64,
        submitted_at=1.7e9 + number,
        state=JobState.RUNNING,
        run_intended_at=1.7e9,
        run_created_at=1.7e9,
    )


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
