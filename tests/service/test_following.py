"""Following a job that says nothing for long, through the hub's real proxy; time runs thirty times as fast."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from tornado.testing import bind_unused_port

from aifactory_hub.client.job import Job
from aifactory_hub.client.session import Account, Session
from aifactory_hub.demo.proxy import install
from aifactory_hub.service.handlers import events

from ..support.fake_hub import FakeHub
from ..support.job_service import PREFIX, RunningService
from .test_events import piece, submitted

# A proxy that gives up on who is silent for a minute, and an hour of which a part is enough: it is the same again.
_SPEED = 30.0
_PROXY_WAITS = 60.0 / _SPEED
_SILENCE = 5 * _PROXY_WAITS
_ENVIRONMENT = Path(sys.executable).parents[1]


@dataclass
class Proxy:
    """configurable-http-proxy, in front of a service; ``port`` stays over restarts."""

    service: str
    port: int
    _api: int
    _token: str = field(default_factory=lambda: secrets.token_hex(16))
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    def start(self) -> None:
        """Answer, with the service's route."""
        argv = [*install(_ENVIRONMENT / "proxy"), f"--port={self.port}", "--ip=127.0.0.1", "--log-level=error"]
        waits = str(int(_PROXY_WAITS * 1000))
        argv += [f"--api-port={self._api}", "--api-ip=127.0.0.1", f"--timeout={waits}", f"--proxy-timeout={waits}"]
        environment = {**os.environ, "CONFIGPROXY_AUTH_TOKEN": self._token}
        self._process = subprocess.Popen(argv, env=environment)
        deadline = time.monotonic() + 30
        while True:
            try:
                self._route()
                return
            except httpx.TransportError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.1)

    def stop(self) -> None:
        """Cut every connection."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _route(self) -> None:
        path = f"http://127.0.0.1:{self._api}/api/routes{PREFIX.rstrip('/')}"
        target = {"target": self.service.removesuffix(PREFIX)}
        headers = {"Authorization": f"token {self._token}"}
        httpx.post(path, json=target, headers=headers, trust_env=False).raise_for_status()


def _free_port() -> int:
    socket, port = bind_unused_port()
    socket.close()
    return int(port)


@pytest.fixture
async def proxy(service: RunningService) -> AsyncIterator[Proxy]:
    proxy = Proxy(service.url, _free_port(), _free_port())
    await asyncio.to_thread(proxy.start)
    yield proxy
    await asyncio.to_thread(proxy.stop)


@pytest.fixture
def notebook(proxy: Proxy) -> Iterator[Session]:
    session = Session(Account(proxy.url.rstrip("/"), "ada"))
    yield session
    session.close()


async def running_job(service: RunningService) -> str:
    async with service.http("ada") as http:
        job_id = await submitted(http)
    await service.reconciler.settle()
    service.pipeline.start("nlp", job_id)
    await service.reconciler.settle()
    return job_id


def opened(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes each time that a stream is opened, with where the follower says that it was."""
    seen: list[str] = []
    get = events.JobEvents.get

    async def noted(self: events.JobEvents, job_id: str) -> None:
        seen.append(self.request.headers.get("Last-Event-ID", ""))
        await get(self, job_id)

    monkeypatch.setattr(events.JobEvents, "get", noted)
    return seen


async def test_a_silent_hour_breaks_no_stream(
    service: RunningService, hub: FakeHub, notebook: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE", events.KEEP_ALIVE / _SPEED)
    monkeypatch.setattr(events, "_LOOK_AGAIN", events._LOOK_AGAIN / _SPEED)
    monkeypatch.setattr(events, "_CHECK_TOKEN", events._CHECK_TOKEN / _SPEED)
    seen = opened(hub, monkeypatch)
    job_id = await running_job(service)
    job = Job(notebook, await asyncio.to_thread(notebook.get, f"/jobs/{job_id}"))
    following = asyncio.create_task(asyncio.to_thread(job.logs, True))
    await piece(service, job_id, 0, b"epoch 1\n")
    asked = hub.asked
    await asyncio.sleep(_SILENCE)
    assert not following.done()
    assert hub.asked > asked  # whether her token is still good
    await piece(service, job_id, 8, b"epoch 2\n")
    service.pipeline.end("nlp", job_id, 0)
    await service.reconciler.settle()
    async with asyncio.timeout(60):
        assert await following == "epoch 1\nepoch 2\n"
    assert seen == [""]


async def test_without_the_comments_the_proxy_would_cut_it_and_nothing_would_be_lost(
    service: RunningService, hub: FakeHub, notebook: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE", 3600.0)
    seen = opened(hub, monkeypatch)
    job_id = await running_job(service)
    job = Job(notebook, await asyncio.to_thread(notebook.get, f"/jobs/{job_id}"))
    following = asyncio.create_task(asyncio.to_thread(job.logs, True))
    await piece(service, job_id, 0, b"epoch 1\n")
    async with asyncio.timeout(60):
        while len(seen) < 2:
            await asyncio.sleep(0.1)
    await piece(service, job_id, 8, b"epoch 2\n")
    service.pipeline.end("nlp", job_id, 0)
    await service.reconciler.settle()
    async with asyncio.timeout(60):
        assert await following == "epoch 1\nepoch 2\n"
    assert seen[:2] == ["", "1.8"]


async def test_a_proxy_that_is_started_again_is_waited_for_and_nothing_is_heard_twice(
    service: RunningService, hub: FakeHub, proxy: Proxy, notebook: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = opened(hub, monkeypatch)
    job_id = await running_job(service)
    job = Job(notebook, await asyncio.to_thread(notebook.get, f"/jobs/{job_id}"))
    heard: list[str] = []

    def follow() -> None:
        heard.extend(job.follow())

    following = asyncio.create_task(asyncio.to_thread(follow))
    await piece(service, job_id, 0, b"epoch 1\n")
    async with asyncio.timeout(60):
        while not seen:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(proxy.stop)
    await piece(service, job_id, 8, b"while it was away\n")
    await asyncio.to_thread(proxy.start)
    service.pipeline.end("nlp", job_id, 0)
    await service.reconciler.settle()
    async with asyncio.timeout(60):
        await following
    assert "".join(heard) == "epoch 1\nwhile it was away\n"
    assert seen[-1] == "1.8"
