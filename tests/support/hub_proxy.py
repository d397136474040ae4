"""JupyterHub's own proxy in front of a service, with the timeouts of a load balancer before it."""

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

from aifactory_hub.demo.proxy import install

from .job_service import PREFIX
from .ports import free_port

_TIMEOUT = 30.0


@dataclass
class HubProxy:
    """``url`` is the service's address through it, also after it was stopped and started again."""

    service: str
    port: int
    api: int
    silence: float
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    def start(self) -> None:
        """Answer."""
        ports = [f"--port={self.port}", "--ip=127.0.0.1", f"--api-port={self.api}", "--api-ip=127.0.0.1"]
        timeout = [f"--{name}={self.silence * 1000:.0f}" for name in ("timeout", "proxy-timeout")]
        argv = [*install(Path(sys.prefix) / "proxy"), *ports, *timeout, "--log-level=error"]
        self._process = subprocess.Popen(argv, env={"PATH": os.environ["PATH"], "CONFIGPROXY_AUTH_TOKEN": "secret"})
        _route(f"http://127.0.0.1:{self.api}/api/routes{PREFIX.rstrip('/')}", self.service.removesuffix(PREFIX))

    def stop(self) -> None:
        """Cut every connection, and refuse new ones."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def hub_proxy(service: str, *, silence: float) -> Iterator[HubProxy]:
    """A proxy to the service at ``service`` that cuts a connection on which nothing came for ``silence`` seconds."""
    proxy = HubProxy(service, free_port(), free_port(), silence)
    try:
        proxy.start()
        yield proxy
    finally:
        proxy.stop()


def _route(url: str, target: str) -> None:
    give_up = time.monotonic() + _TIMEOUT
    while True:
        try:
            headers = {"Authorization": "token secret"}
            httpx.post(url, json={"target": target}, headers=headers, trust_env=False).raise_for_status()
            return
        except httpx.TransportError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)
