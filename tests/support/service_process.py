"""The job service as a process of its own on the test cluster, with a hub that knows one person."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ..cluster.access import Access
from .fake_hub import FakeHub, scopes_for

HUB = "service-test"
# Her token, of the team nlp.
ADA = "ada-token"
# The one port at which the tenants' NetworkPolicies let pods reach the service.
_PORT = 8000


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


@asynccontextmanager
async def service_on_cluster(
    found: Access, folder: Path, engines: Sequence[str] = ("kubernetes-job",)
) -> AsyncIterator[ServiceProcess]:
    """It answers, and is stopped at the end."""
    hub = FakeHub()
    hub.start()
    hub.add(ADA, "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    url = f"http://{found.bridge}:{_PORT}/services/aifactory"
    (folder / "tenants.yaml").write_text(tenants_text(found, url, engines))
    environment = {
        **os.environ,
        "AIFACTORY_HUB_TENANTS": str(folder / "tenants.yaml"),
        "AIFACTORY_HUB_SERVICE_TOKEN": "service-token",
        "AIFACTORY_HUB_SERVICE_BIND": f"{found.bridge}:{_PORT}",
        "JUPYTERHUB_API_URL": hub.url,
        "KUBECONFIG": str(found.hub_kubeconfig),
    }
    process = ServiceProcess(folder, environment, url)
    try:
        await process.start()
        yield process
    finally:
        if process.process is not None and process.process.poll() is None:
            process.stop(signal.SIGTERM)
        await hub.stop()


def tenants_text(found: Access, url: str, engines: Sequence[str] = ("kubernetes-job",)) -> str:
    """A tenants.yaml of the cluster's own tenants."""
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
jobs: {{image: "{found.notebook_image}", deadline: 600, engines: [{", ".join(engines)}]}}
profiles: {{mig-1g.10gb: {{cpu: 100m, memory: 256Mi, cpu_limit: "1", memory_limit: 512Mi}}}}
tenants:
{tenants}"""
