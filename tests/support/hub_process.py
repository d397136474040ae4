"""A real JupyterHub process without a proxy and without a cluster: enough to sign in and to look at pages."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from .ports import free_port

SERVICE_TOKEN = "0123456789abcdef0123456789abcdef"
CLIENT_SECRET = "secret-of-the-hub"

CONFIG = """
import aifactory_hub
from jupyterhub.proxy import Proxy

class NoProxy(Proxy):
    should_start = False
    async def add_route(self, routespec, target, data):
        pass
    async def delete_route(self, routespec):
        pass
    async def get_all_routes(self):
        return {}

c.JupyterHub.proxy_class = NoProxy
c.AIFactoryAuthenticator.auth_refresh_age = 1
aifactory_hub.configure(c)
"""

TENANTS = """
apiVersion: aifactory-hub.io/v1
hub: test
cluster: {{name: host, gpu_models: [h100-80gb], carved: {{mig-1g.10gb: 2}}, simulated: true}}
identity: {{issuer: "{issuer}", client_id: hub, username_claim: name}}
addresses: {{hub_api: "http://10.0.0.1:8081/hub/api", service: "http://10.0.0.1/services/aifactory/"}}
notebook: {{image: "registry.invalid/notebook:1"}}
jobs: {{image: "registry.invalid/notebook:1"}}
tenants:
  nlp:
    display_name: Language
    vcluster: {{namespace: vc-nlp, name: nlp}}
    groups:
      - {{group: teams/nlp, role: member}}
      - {{group: teams/nlp/admins, role: admin}}
    profiles: [mig-1g.10gb]
    quota: {{mig-1g.10gb: 1}}
"""


@dataclass
class HubProcess:
    """``url`` reaches the hub itself."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return (self.folder / "hub.log").read_text(errors="replace")

    def user(self, name: str) -> dict[str, object] | None:
        """A user as the service sees her; None when the hub knows none of that name."""
        head = {"Authorization": f"token {SERVICE_TOKEN}"}
        answer = httpx.get(f"{self.url}/hub/api/users/{name}", headers=head, trust_env=False)
        return None if answer.status_code == 404 else dict(answer.raise_for_status().json())


def environment(tenants: Path, **changed: str | None) -> dict[str, str]:
    """The whole environment of a hub, so that nothing of the test's own leaks in. None leaves a variable out."""
    needed = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "AIFACTORY_HUB_TENANTS": str(tenants),
        "AIFACTORY_HUB_CLIENT_SECRET": CLIENT_SECRET,
        "AIFACTORY_HUB_SERVICE_TOKEN": SERVICE_TOKEN,
        "AIFACTORY_HUB_SERVICE_BIND": "127.0.0.1:9",
        "JUPYTERHUB_CRYPT_KEY": "00" * 32,
        **changed,
    }
    return {name: value for name, value in needed.items() if value is not None}


def hub_command(folder: Path, port: int, config: str = CONFIG) -> list[str]:
    (folder / "jupyterhub_config.py").write_text(config)
    return [
        sys.executable, "-m", "jupyterhub", "-f", str(folder / "jupyterhub_config.py"),
        f"--JupyterHub.bind_url=http://127.0.0.1:{free_port()}", f"--JupyterHub.hub_bind_url=http://127.0.0.1:{port}",
        f"--JupyterHub.db_url=sqlite:///{folder}/hub.sqlite",
        f"--JupyterHub.cookie_secret_file={folder}/cookie_secret",
    ]  # fmt: skip


@contextmanager
def hub_process(folder: Path, tenants_text: str, config: str = CONFIG, **settings: str) -> Iterator[HubProcess]:
    """A hub that is up, stopped at the end. Raises RuntimeError with its log if it does not come up."""
    tenants, port = folder / "tenants.yaml", free_port()
    tenants.write_text(tenants_text)
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen(
            hub_command(folder, port, config), cwd=folder, env=environment(tenants, **settings), stdout=log, stderr=log
        )
    hub = HubProcess(f"http://127.0.0.1:{port}", folder, process)
    try:
        _wait_up(hub)
        yield hub
    finally:
        process.terminate()
        process.wait(60)


def _wait_up(hub: HubProcess) -> None:
    deadline = time.monotonic() + 180  # a busy machine
    while time.monotonic() < deadline and hub.process.poll() is None:
        try:
            if httpx.get(f"{hub.url}/hub/api/", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the hub did not come up:\n{hub.log}")
