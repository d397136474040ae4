"""A retry is refused as a new submission of the same would be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_hub.service.request_types import Submission
from aifactory_hub.service.submissions import SubmitResult

from ..support.job_service import make_registry
from ..support.tenants import SMALL, make_tenant
from .world import MIG, World

HOOK = "http://hooks.internal/jobs"
ASKED: dict[str, Any] = {"command": "python train.py", "profile": MIG, "notify": [HOOK]}


def registry(*, hosts: tuple[str, ...] = ("hooks.internal",), **tenant: Any) -> Any:
    known = make_registry(tenants={"nlp": make_tenant("nlp", **{"quota": {SMALL: 2}, **tenant})})
    return replace(known, jobs=replace(known.jobs, webhook_hosts=hosts))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, registry=registry())
    yield world
    world.close()


async def ended(world: World) -> str:
    """A job that was submitted while it might be, and is over."""
    job_id = await world.submit(notify=[HOOK])
    world.service.jobs.ask_cancel(job_id, by="ada", now=2.0)
    assert (await world.state(job_id))[0] == "CANCELLED"
    return job_id


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        pytest.param(registry(profiles=("cpu-small",)), RefusalReason.PROFILE_NOT_ALLOWED, id="off the menu"),
        pytest.param(registry(quota={SMALL: 0}), RefusalReason.NEVER_FITS, id="more than the team can hold"),
        pytest.param(registry(hosts=()), RefusalReason.BAD_FIELD, id="a webhook that is not allowed any more"),
    ],
)
async def test_what_may_not_be_submitted_any_more_is_not_tried_again(
    world: World, now: Any, reason: RefusalReason
) -> None:
    job = world.job(await ended(world))
    before = await world.service.submissions.retry(job, "before")
    assert isinstance(before, SubmitResult)
    world.registry = now
    submissions = world.restart().submissions
    refused = await submissions.retry(job, "after")
    assert isinstance(refused, Refusal)
    assert refused.reason is reason
    assert refused == await submissions.submit("ada", "nlp", Submission(**ASKED, key="new"))
    # A client that asks again for what was taken meets it.
    again = await submissions.retry(job, "before")
    assert isinstance(again, SubmitResult)
    assert (again.job.id, again.new) == (before.job.id, False)
    assert len(world.service.jobs.newest(["nlp"], limit=9)) == 2
