"""The service as a process of its own on the real cluster, killed and started again while a job runs."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from aifactory_hub.client import Job, submit
from aifactory_hub.client.session import Account, Session
from aifactory_hub.clusters import KubeApi

from ..support.real_cluster import as_admin, running_cluster
from ..support.service_process import ServiceProcess, service_on_cluster

pytestmark = pytest.mark.cluster

TRAIN = """\
import pathlib, pickle, time
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

x, y = load_digits(return_X_y=True)
a, b, c, d = train_test_split(x, y, random_state=0)
model = LogisticRegression(max_iter=200).fit(a, c)
print(f"accuracy {model.score(b, d):.3f}", flush=True)
pathlib.Path("model.pkl").write_bytes(pickle.dumps(model))
time.sleep(float(pathlib.Path("pause").read_text()))
print("end", flush=True)
"""


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    async with service_on_cluster(running_cluster(), tmp_path) as process:
        yield process
        process.print_logs()


@pytest.fixture
def session(service: ServiceProcess) -> Iterator[Session]:
    session = Session(Account(service.url, "ada-token", tenant="nlp"))
    yield session
    session.close()


def folder_with(path: Path, pause: float) -> Path:
    work = path / "notebook"
    work.mkdir()
    (work / "train.py").write_text(TRAIN)
    (work / "pause").write_text(str(pause))
    return work


async def test_a_training_job_runs_in_the_tenants_vcluster(
    service: ServiceProcess, session: Session, tmp_path: Path
) -> None:
    work = folder_with(tmp_path, 0)
    began = time.monotonic()
    job = await asyncio.to_thread(submit, "python3 train.py", profile="mig-1g.10gb", files=work, session=session)
    taken = time.monotonic() - began
    state = await asyncio.to_thread(job.wait, 120, poll=0.1)
    print(f"submit {taken:.2f} s, end after {time.monotonic() - began:.2f} s, {job.data['times']}")
    assert state == "SUCCEEDED", (job, await asyncio.to_thread(job.logs))
    assert "accuracy 0.9" in await asyncio.to_thread(job.logs)
    artifacts = await asyncio.to_thread(lambda: job.artifacts)
    assert list(artifacts) == ["model.pkl"]
    assert len(await asyncio.to_thread(artifacts["model.pkl"].read)) == artifacts["model.pkl"].size > 1000
    await _nothing_left(job)
    assert service.stop(signal.SIGTERM) == 0


async def test_a_killed_service_finds_its_job_again_and_the_job_runs_once(
    service: ServiceProcess, session: Session, tmp_path: Path
) -> None:
    work = folder_with(tmp_path, 4)
    job = await asyncio.to_thread(submit, "python3 train.py", profile="mig-1g.10gb", files=work, session=session)
    await _until(job, "RUNNING")
    pods = await _pods(job)
    service.stop(signal.SIGKILL)
    # The job ends while nobody listens: its runner waits for the service with the results.
    await asyncio.sleep(6)
    await service.start()
    assert await asyncio.to_thread(job.wait, 120, poll=0.1) == "SUCCEEDED"
    assert (await asyncio.to_thread(job.logs)).endswith("end\n")
    assert "model.pkl" in await asyncio.to_thread(lambda: job.artifacts)
    assert len(pods) == 1
    await _nothing_left(job)


async def test_a_service_killed_at_any_moment_after_submit_makes_one_run(
    service: ServiceProcess, session: Session, tmp_path: Path
) -> None:
    work = folder_with(tmp_path, 1)
    for delay in (0.0, 0.05, 0.15, 0.3):
        job = await asyncio.to_thread(submit, "python3 train.py", profile="mig-1g.10gb", files=work, session=session)
        await asyncio.sleep(delay)
        service.stop(signal.SIGKILL)
        await service.start()
        seen: set[str] = set()
        async with asyncio.timeout(120):
            while not (await asyncio.to_thread(job.refresh)).final:
                seen |= await _pods(job)
                await asyncio.sleep(0.2)
        assert (job.state, len(seen)) == ("SUCCEEDED", 1), job
        await _nothing_left(job)


async def test_a_cancelled_job_leaves_nothing_and_keeps_its_log(
    service: ServiceProcess, session: Session, tmp_path: Path
) -> None:
    work = folder_with(tmp_path, 60)
    job = await asyncio.to_thread(submit, "python3 train.py", profile="mig-1g.10gb", files=work, session=session)
    async with asyncio.timeout(60):
        while "accuracy" not in await asyncio.to_thread(job.logs):
            await asyncio.sleep(0.2)
    began = time.monotonic()
    await asyncio.to_thread(job.cancel)
    assert await asyncio.to_thread(job.wait, 60, poll=0.1) == "CANCELLED"
    print(f"cancelled after {time.monotonic() - began:.2f} s")
    await _nothing_left(job)
    print(f"nothing left after {time.monotonic() - began:.2f} s")
    assert "accuracy" in await asyncio.to_thread(job.logs)


async def _until(job: Job, state: str) -> None:
    async with asyncio.timeout(60):
        while (await asyncio.to_thread(job.refresh)).state != state:
            assert not job.final, job
            await asyncio.sleep(0.1)


async def _pods(job: Job) -> set[str]:
    """Uids of the job's pods on the host."""
    async with as_admin() as admin:
        found = await admin.get("/api/v1/namespaces/vc-nlp/pods")
    return {p["metadata"]["uid"] for p in found["items"] if p["metadata"]["name"].startswith(f"job-{job.id}-")}


async def _ticket(admin: KubeApi, job: Job) -> bool:
    found = await admin.get("/apis/batch/v1/namespaces/vc-nlp/jobs")
    return any(t["metadata"]["name"] == f"job-{job.id}" for t in found["items"])


async def _nothing_left(job: Job) -> None:
    """Waits until neither pod nor ticket is there."""
    async with as_admin() as admin, asyncio.timeout(60):
        while await _ticket(admin, job):
            await asyncio.sleep(0.1)
    assert not await _pods(job)
