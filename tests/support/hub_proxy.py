"""JupyterHub's own proxy in front of a service, with the patience of a load balancer before it."""

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
from tornado.testing import bind_unused_port

from aifactory_hub.demo.proxy import install

from .job_service import PREFIX

_PATIENCE = 30.0


@dataclass
class HubProxy:
    """``url`` is the service's address through it."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def hub_proxy(service: str, *, silence: float) -> Iterator[HubProxy]:
    """A proxy to the service at ``service`` that cuts a connection on which nothing came for ``silence`` seconds."""
    (first, port), (second, api) = bind_unused_port(), bind_unused_port()
    first.close()
    second.close()
    ports = [f"--port={port}", "--ip=127.0.0.1", f"--api-port={api}", "--api-ip=127.0.0.1"]
    patience = [f"--{name}={silence * 1000:.0f}" for name in ("timeout", "proxy-timeout")]
    argv = [*install(Path(sys.prefix) / "proxy"), *ports, *patience, "--log-level=error"]
    process = subprocess.Popen(argv, env={"PATH": os.environ["PATH"], "CONFIGPROXY_AUTH_TOKEN": "secret"})
    try:
        _route(f"http://127.0.0.1:{api}/api/routes{PREFIX.rstrip('/')}", service.removesuffix(PREFIX))
        yield HubProxy(f"http://127.0.0.1:{port}{PREFIX}", process)
    finally:
        process.kill()
        process.wait()


def _route(url: str, target: str) -> None:
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            headers = {"Authorization": "token secret"}
            httpx.post(url, json={"target": target}, headers=headers, trust_env=False).raise_for_status()
            return
        except httpx.TransportError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)
