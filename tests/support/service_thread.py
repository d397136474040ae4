"""The whole service in a thread with a loop of its own, for tests that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .fake_hub import FakeHub, scopes_for
from .job_service import RunningService, running_service


@dataclass
class ServiceThread:
    """``url`` ends in a slash."""

    service: RunningService
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return self.service.url


@contextmanager
def service_in_a_thread(path: Path) -> Iterator[ServiceThread]:
    """ada is a member of nlp, eve of vision. Nothing takes jobs forward by itself."""
    ready, ending = threading.Event(), asyncio.Event()
    running: list[ServiceThread] = []
    failed: list[BaseException] = []

    async def serve() -> None:
        hub = FakeHub()
        hub.start()
        hub.add("ada", "ada", scopes_for("nlp"), groups=["tenant-nlp"])
        hub.add("eve", "eve", scopes_for("vision"), groups=["tenant-vision"])
        async with running_service(path, hub=hub, reconciling=False) as service:
            running.append(ServiceThread(service, asyncio.get_running_loop()))
            ready.set()
            await ending.wait()
        await hub.stop()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="service")
    thread.start()
    ready.wait(30)
    try:
        if failed or not running:
            raise RuntimeError(f"the service did not start: {failed}")
        yield running[0]
    finally:
        if running:
            running[0].loop.call_soon_threadsafe(ending.set)
        thread.join(30)
