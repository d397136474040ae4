"""Starts and stops the processes of one hub under test: proxy, hub, service. Nothing else is simulated."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from aifactory_hub.demo.proxy import install

ROOT = Path(__file__).resolve().parents[2]
# Where `make setup` has installed it: inside the cluster's network there is no registry to ask.
PROXY = Path(sys.prefix) / "proxy"
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Ports:
    """Where one hub under test listens; two hubs can live side by side on different ones."""

    public: int = 8000
    proxy_api: int = 8001
    hub: int = 8081
    service: int = 8091


@dataclass
class HubUnderTest:
    """A real JupyterHub with its proxy and service, in a folder of its own.

    ``address`` is the host's address on the cluster's bridge: pods reach the hub and the proxy there.
    """

    folder: Path
    tenants: Path
    client_secret: str
    kubeconfig: Path
    address: str = "10.88.0.1"
    ports: Ports = field(default_factory=Ports)
    config: Path = ROOT / "tests/e2e/jupyterhub_config.py"
    environment: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    proxy_token: str = field(default_factory=lambda: secrets.token_hex(16))
    service_token: str = field(default_factory=lambda: secrets.token_hex(16))
    crypt_key: str = field(default_factory=lambda: secrets.token_hex(32))

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.ports.public}"

    def start(self) -> None:
        """Start all three and wait until each answers. Raises RuntimeError with the last log lines if one doesn't."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start_proxy()
        self.start_hub()
        self.start_service()

    def start_proxy(self) -> None:
        argv = [
            *install(PROXY), "--ip", "0.0.0.0", "--port", str(self.ports.public),
            "--api-ip", "127.0.0.1", "--api-port", str(self.ports.proxy_api), "--error-target",
            f"http://{self.address}:{self.ports.hub}/hub/error",
        ]  # fmt: skip
        self._run("proxy", argv, {"CONFIGPROXY_AUTH_TOKEN": self.proxy_token})
        self._wait("proxy", f"http://127.0.0.1:{self.ports.proxy_api}/api/routes", any_status=True)

    def start_hub(self) -> None:
        argv = [
            str(BIN / "jupyterhub"), "-f", str(self.config),
            f"--JupyterHub.bind_url={self.url}", f"--JupyterHub.hub_bind_url=http://0.0.0.0:{self.ports.hub}",
            f"--JupyterHub.hub_connect_url=http://{self.address}:{self.ports.hub}",
            "--ConfigurableHTTPProxy.should_start=False",
            f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{self.ports.proxy_api}",
            f"--JupyterHub.db_url=sqlite:///{self.folder}/hub.sqlite",
            f"--JupyterHub.cookie_secret_file={self.folder}/cookie_secret",
        ]  # fmt: skip
        history = str(self.folder / "run-lengths.json")
        self._run("hub", argv, {"CONFIGPROXY_AUTH_TOKEN": self.proxy_token, "AIFACTORY_HUB_HISTORY": history})
        self._wait("hub", f"{self.url}/hub/api/")

    def start_service(self) -> None:
        argv = [str(BIN / "aifactory-hub"), "service"]
        environment = {
            "JUPYTERHUB_API_URL": f"http://{self.address}:{self.ports.hub}/hub/api",
            "JUPYTERHUB_API_TOKEN": self.service_token,
            "JUPYTERHUB_SERVICE_PREFIX": "/services/aifactory/",
            "AIFACTORY_HUB_SERVICE_DATABASE": f"sqlite:///{self.folder}/service.sqlite",
            "AIFACTORY_HUB_SERVICE_FILES": str(self.folder / "files"),
        }
        self._run("service", argv, environment)
        self._wait("service", f"http://127.0.0.1:{self.ports.service}/services/aifactory/api/v1/health")

    def routes(self) -> dict[str, Any]:
        """The proxy's routing table: path -> target."""
        answer = httpx.get(
            f"http://127.0.0.1:{self.ports.proxy_api}/api/routes",
            headers={"Authorization": f"token {self.proxy_token}"},
            timeout=10,
            trust_env=False,
        )
        answer.raise_for_status()
        return {path.rstrip("/") + "/": route for path, route in answer.json().items()}

    def kill(self, name: str) -> None:
        """kill -9, as a crash would."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)

    def stop(self) -> None:
        for name in ("service", "hub", "proxy"):
            process = self.running.pop(name, None)
            if process is None:
                continue
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)

    def log_tail(self, name: str, lines: int = 40) -> str:
        text = (self.folder / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _run(self, name: str, argv: list[str], extra: dict[str, str]) -> None:
        environment = os.environ | {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "AIFACTORY_HUB_TENANTS": str(self.tenants),
            "AIFACTORY_HUB_CLIENT_SECRET": self.client_secret,
            "AIFACTORY_HUB_SERVICE_TOKEN": self.service_token,
            "AIFACTORY_HUB_SERVICE_BIND": f"127.0.0.1:{self.ports.service}",
            "JUPYTERHUB_CRYPT_KEY": self.crypt_key,
            "KUBECONFIG": str(self.kubeconfig),
            **self.environment,
            **extra,
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                argv, cwd=self.folder, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def _wait(self, name: str, url: str, timeout: float = 180, any_status: bool = False) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.running[name].poll() is not None:
                break
            try:
                if any_status or httpx.get(url, timeout=2).status_code == httpx.codes.OK:
                    httpx.get(url, timeout=2)
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise RuntimeError(f"{name} did not come up. The end of its log:\n{self.log_tail(name)}")
