"""A service whose database holds thousands of jobs, for what has to stay quick with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import insert

from aifactory_hub.domain.job_spec import JobSpec
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.store import JobRecord
from aifactory_hub.store.jobs import row_values
from aifactory_hub.store.models import JobRow

from ..lab.conftest import HUB_TOKEN
from .fake_hub import FakeHub, scopes_for
from .job_service import RunningService, running_service

# How many names the jobs have, one after the other.
NAMES = 97


@asynccontextmanager
async def many_jobs(folder: Path, count: int) -> AsyncIterator[RunningService]:
    """A service with ``count`` jobs of ada's, named train-0 to train-96 in turn; the newest says that it runs."""
    hub = FakeHub()
    hub.start()
    hub.add(HUB_TOKEN, "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    try:
        async with running_service(folder, hub=hub, reconciling=False) as service:
            rows = [{**row_values(_job(n, last=n == count - 1)), "journaled": 1} for n in range(count)]
            with service.context.jobs.db.begin() as connection:
                connection.execute(insert(JobRow), rows)
            yield service
    finally:
        await hub.stop()


def _job(number: int, *, last: bool) -> JobRecord:
    at = 1.7e9 + number
    ended = JobRecord(
        id=f"j{number:012x}",
        tenant="nlp",
        owner="ada",
        key=f"k{number}",
        request_digest="d" * 64,
        submitted_at=at,
        spec=JobSpec(f"train-{number % NAMES}", "python train.py --learning-rate 0.001", "mig-1g.10gb"),
        state=JobState.SUCCEEDED,
        finished_at=at + 60,
        cleaned_at=at + 60,
    )
    return replace(ended, state=JobState.RUNNING, finished_at=None, cleaned_at=None) if last else ended
