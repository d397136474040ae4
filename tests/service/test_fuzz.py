"""The REST API fuzzed from its own description: no 500, nothing that the description does not say, no crossing."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from aifactory_hub.service.payloads import Submission
from aifactory_hub.service.submissions import Taken

from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService, running_service

# The events never end; the rest of what is left out is the runners', whose tokens are tested in test_internal.
_LEFT_OUT = ("/events$", "/internal/")
_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
_SECONDS = 25


async def taken(service: RunningService, owner: str, tenant: str) -> str:
    submission = Submission(command="python train.py", profile="mig-1g.10gb", key="before")
    found = await service.context.submissions.submit(owner, tenant, submission)
    assert isinstance(found, Taken)
    return found.job.id


@pytest.mark.parametrize("token", ["ada", "reader"])
async def test_no_request_breaks_the_service_or_reaches_another_tenant(
    tmp_path: Path, hub: FakeHub, token: str
) -> None:
    async with running_service(tmp_path, hub=hub, reconciling=False) as service:
        theirs = await taken(service, "eve", "vision")
        mine = await taken(service, "ada", "nlp")
        before = service.context.jobs.get(theirs)
        said = await _fuzz(f"{service.url}api/v1/openapi.json", token)
        jobs = service.context.jobs
        assert jobs.get(theirs) == before, said
        assert [job.id for job in jobs.newest(["vision"], limit=9)] == [theirs], said
        assert service.context.scheduler.schedules.of(["vision"]) == []
        if token == "reader":
            assert [job.id for job in jobs.newest(["nlp"], limit=9)] == [mine], said
            left = jobs.get(mine)
            assert left is not None
            assert replace(left, revision=1) == replace(left, revision=1, cancel_asked_at=None, suspend_asked_at=None)


async def _fuzz(url: str, token: str) -> str:
    """Run schemathesis as its own process; what it said. Fails with that when it found something."""
    words = [sys.executable, "-m", "schemathesis.cli", "run", url, "-H", f"Authorization: token {token}"]
    words += ["--checks", _CHECKS, "--max-time", str(_SECONDS), "--seed", "7", "--workers", "1", "--no-color"]
    words += ["--suppress-health-check", "all", "--request-timeout", "30", "--max-failures", "3"]
    for path in _LEFT_OUT:
        words += ["--exclude-path-regex", path]
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    said = output.decode(errors="replace")
    assert process.returncode == 0, said[-6000:]
    return said
