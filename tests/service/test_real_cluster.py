"""The service as a process of its own on the real cluster, killed and started again while a job runs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from aifactory_hub.client import Job, submit
from aifactory_hub.client.session import Account, Session
from aifactory_hub.clusters import KubeApi

from ..cluster.access import Access
from ..support.fake_hub import FakeHub, scopes_for
from ..support.real_cluster import as_admin, running_cluster

pytestmark = pytest.mark.cluster

HUB = "service-test"
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


@dataclass
class ServiceProcess:
    """The service, as ``aifactory-hub service`` runs it."""

    folder: Path
    environment: dict[str, str]
    url: str
    process: subprocess.Popen[bytes] | None = None
    starts: int = field(default=0)

    async def start(self) -> None:
        self._launch()
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(20):
            while True:
                try:
                    if (await client.get(f"{self.url}/api/v1/health")).status_code == 200:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.05)

    def _launch(self) -> None:
        self.starts += 1
        with (self.folder / f"service-{self.starts}.log").open("wb") as log:
            argv = [sys.executable, "-c", "from aifactory_hub.service import main; main()"]
            self.process = subprocess.Popen(argv, env=self.environment, cwd=self.folder, stderr=log)

    def print_logs(self) -> None:
        """Pytest shows them when the test fails."""
        for log in sorted(self.folder.glob("service-*.log")):
            print(log.name, log.read_text(), sep="\n")

    def stop(self, signum: int) -> int:
        assert self.process is not None
        self.process.send_signal(signum)
        return self.process.wait(20)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    found = running_cluster()
    hub = FakeHub()
    hub.start()
    hub.add("ada-token", "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    # The one port at which the tenants' NetworkPolicies let pods reach the service.
    port = 8000
    url = f"http://{found.bridge}:{port}/services/aifactory"
    (tmp_path / "tenants.yaml").write_text(_tenants(found, url))
    environment = {
        **os.environ,
        "AIFACTORY_HUB_TENANTS": str(tmp_path / "tenants.yaml"),
        "AIFACTORY_HUB_SERVICE_TOKEN": "service-token",
        "AIFACTORY_HUB_SERVICE_BIND": f"{found.bridge}:{port}",
        "JUPYTERHUB_API_URL": hub.url,
        "KUBECONFIG": str(found.hub_kubeconfig),
    }
    process = ServiceProcess(tmp_path, environment, url)
    await process.start()
    yield process
    if process.process is not None and process.process.poll() is None:
        process.stop(signal.SIGTERM)
    process.print_logs()
    await hub.stop()


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


def _tenants(found: Access, url: str) -> str:
    tenants = "".join(
        f"  {tenant.name}:\n"
        f"    display_name: {tenant.name}\n"
        f"    vcluster: {{namespace: {tenant.namespace}, name: {tenant.service}}}\n"
        f"    groups: [{{group: teams/{tenant.name}, role: member}}]\n"
        f"    profiles: [mig-1g.10gb]\n"
        f"    quota: {{mig-1g.10gb: 3}}\n"
        for tenant in found.tenants.values()
    )
    return f"""\
apiVersion: aifactory-hub.io/v1
hub: {HUB}
cluster: {{name: host, gpu_models: [h100-80gb], carved: {{mig-1g.10gb: 7}}, cohort: factory, simulated: true}}
identity: {{issuer: "{found.issuer}", client_id: {found.client_id}}}
addresses: {{hub_api: "http://hub.invalid/hub/api", service: "{url}/"}}
notebook: {{image: "{found.notebook_image}"}}
jobs: {{image: "{found.notebook_image}", deadline: 600}}
profiles: {{mig-1g.10gb: {{cpu: 100m, memory: 256Mi, cpu_limit: "1", memory_limit: 512Mi}}}}
tenants:
{tenants}"""
