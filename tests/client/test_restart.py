"""The service is killed and started again under a waiting client and a running job."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aifactory_hub.admission.in_process import InProcessAdmission
from aifactory_hub.client import submit
from aifactory_hub.client.session import Account, Session

from ..support.fake_hub import FakeHub
from ..support.job_service import make_registry, running_service
from ..support.local_runs import LocalRuns


async def test_a_job_that_ends_while_the_service_is_away_succeeds_with_its_files(
    hub: FakeHub, runs: LocalRuns, tmp_path: Path
) -> None:
    admission = InProcessAdmission(make_registry().tenants)
    folder = tmp_path / "service"
    async with running_service(folder, hub=hub, admission=admission, engine=runs.engine) as first:
        port = int(first.url.split(":")[2].split("/")[0])
        session = Session(Account(first.url.rstrip("/"), "ada-token"))
        command = "echo begin; sleep 1; echo end; echo data > result.txt"
        job = await asyncio.to_thread(submit, command, profile="mig-1g.10gb", files=None, session=session)
        async with asyncio.timeout(20):
            while (await asyncio.to_thread(job.refresh)).state != "RUNNING":
                await asyncio.sleep(0.05)
        waiting = asyncio.create_task(asyncio.to_thread(job.wait, 60, progress=False, poll=0.05))
    await asyncio.sleep(2.5)
    assert not waiting.done()
    async with running_service(folder, hub=hub, admission=admission, engine=runs.engine, port=port):
        assert await waiting == "SUCCEEDED"
        assert await asyncio.to_thread(job.logs) == "begin\nend\n"
        artifacts = await asyncio.to_thread(lambda: job.artifacts)
        assert await asyncio.to_thread(artifacts["result.txt"].read) == b"data\n"
        session.close()
    assert len(runs.engine.created) == 1
