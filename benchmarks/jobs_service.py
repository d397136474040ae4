"""The service and a hub for the benchmark of jobs, each a process of its own so that its CPU time can be read."""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert

from aifactory_hub.admission.kueue import KueueAdmission
from aifactory_hub.clusters import KubeApi
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.domain.attempts import Attempt
from aifactory_hub.domain.job_spec import JobSpec
from aifactory_hub.domain.jobs import JobRun, JobState
from aifactory_hub.engines.memory import MemoryEngine
from aifactory_hub.service.executors import let_the_event_loop_go_first
from aifactory_hub.service.gc_tuning import leave_out_what_is_there
from aifactory_hub.store import JobRecord
from aifactory_hub.store.attempts import attempt_values
from aifactory_hub.store.jobs import row_values
from aifactory_hub.store.models import AttemptRow, JobRow
from tests.support.fake_hub import FakeHub, scopes_for
from tests.support.job_service import Folder, make_registry, running_service

from .jobs_tickets import HUB, listed

OWNERS = 50
_AT_ONCE = 2000
_SPEC = JobSpec("train", "python train.py --learning-rate 0.001", "mig-1g.10gb")
_TENANTS = ("nlp", "vision")
# As the product is set, in seconds.
_TICK, _QUIET, _UNHEARD = 1.0, 1800.0, 30.0


class AllRun(MemoryEngine):
    """A cluster on which whatever is asked for runs."""

    async def get(self, tenant: str, run_id: str) -> JobRun:
        """It runs."""
        return JobRun(True, uid=run_id, state=JobState.RUNNING)


def running_job(number: int) -> JobRecord:
    """A job that runs, with nothing to be done for it."""
    return JobRecord(
        id=f"j{number:012x}",
        tenant=_TENANTS[number % len(_TENANTS)],
        owner=f"u{number % OWNERS}",
        key=f"k{number}",
        request_digest="d" * 64,
        submitted_at=1.7e9 + number,
        spec=_SPEC,
        state=JobState.RUNNING,
        attempts=(Attempt(1, run_intended_at=1.7e9, run_created_at=1.7e9),),
    )


def fill(db: Engine, many: int, tenants: Sequence[str]) -> None:
    """Jobs of many owners, nearly all ended; one in ten thousand has a rare text."""
    rows = []
    for n in range(many):
        runs = n % 100 == 0
        record = JobRecord(
            id=f"j{n:012x}",
            tenant=tenants[n % len(tenants)],
            owner=f"u{n // len(tenants) % OWNERS}",
            key=f"k{n}",
            request_digest="d" * 64,
            submitted_at=1.7e9 + n,
            spec=replace(_SPEC, name="needle") if n % 10_000 == 0 else _SPEC,
            state=JobState.RUNNING if runs else JobState.SUCCEEDED,
            finished_at=None if runs else 1.7e9 + n,
            cleaned_at=None if runs else 1.7e9 + n,
        )
        rows.append(record)
    _insert(db, rows)


def fill_running(db: Engine, many: int) -> None:
    """Jobs that run."""
    _insert(db, [running_job(n) for n in range(many)])


def _insert(db: Engine, jobs: Sequence[JobRecord]) -> None:
    with db.begin() as connection:
        for start in range(0, len(jobs), _AT_ONCE):
            some = jobs[start : start + _AT_ONCE]
            connection.execute(insert(JobRow), [{**row_values(job), "journaled": 1} for job in some])
            begun = [{**attempt_values(attempt), "job_id": job.id} for job in some for attempt in job.attempts]
            if begun:
                connection.execute(insert(AttemptRow), begun)


async def main(options: argparse.Namespace) -> None:
    """Say where the service is, then serve until told to end."""
    hub = FakeHub()
    hub.start()
    hub.add("ada", "ada", scopes_for(*_TENANTS), groups=[f"tenant-{name}" for name in _TENANTS])
    async with AsyncExitStack() as stack:
        alive = {} if options.live is None else await _live(options.live, stack)
        serving = running_service(options.folder, hub=hub, reconciling=options.live is not None, **alive)
        service = await stack.enter_async_context(serving)
        leave_out_what_is_there()  # as the product's own process does
        let_the_event_loop_go_first()
        print(json.dumps({"url": service.url}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    await hub.stop()


async def _live(many: int, stack: AsyncExitStack) -> dict[str, Any]:
    """The parts with which jobs that run are followed: their tickets are Kueue's, listed and watched over HTTP."""
    url = stack.enter_context(listed([running_job(number) for number in range(many)]))
    host = KubeApi(Credential(url))
    stack.push_async_callback(host.close)
    admission = KueueAdmission(host, make_registry().tenants, HUB)
    return {"admission": admission, "engine": AllRun(), "tick": _TICK, "quiet": _QUIET, "unheard": _UNHEARD}


def prepare(options: argparse.Namespace) -> None:
    """Fill the database, in a process of its own: what that takes is not the service's memory."""
    jobs = Folder(options.folder).jobs()
    fill(jobs.db, options.jobs, _TENANTS)
    fill_running(jobs.db, options.live or 0)
    jobs.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=0, help="how many are there, nearly all of them ended")
    parser.add_argument("--live", type=int, help="how many run; without it none is taken forward")
    parsed = parser.parse_args()
    if parsed.jobs or parsed.live:
        filling = multiprocessing.get_context("spawn").Process(target=prepare, args=(parsed,))
        filling.start()
        filling.join()
    asyncio.run(main(parsed))
