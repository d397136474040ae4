"""JupyterLab as the hub would start it, of any version, against the real job service; synchronous, for browsers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx

from ..lab.conftest import running_hub_side
from .job_service import RunningService
from .ports import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
LOGIN = "the-login-of-this-server"
_STARTED_WITHIN = 180.0
Opened = TypeVar("Opened")


@contextmanager
def in_thread(opening: AbstractAsyncContextManager[Opened]) -> Iterator[Opened]:
    """What lives in an event loop, in a thread that has one."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    found: list[Opened] = []
    end = asyncio.Event()

    async def live() -> None:
        async with opening as opened:
            found.append(opened)
            ready.set()
            await end.wait()

    def run() -> None:
        try:
            loop.run_until_complete(live())
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="event loop")
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


def hub_side(folder: Path) -> AbstractContextManager[RunningService]:
    """The service of team nlp; jobs run as processes."""
    return in_thread(running_hub_side(folder))


@dataclass(frozen=True)
class Lab:
    """``url`` signs in; ``log`` is what the server has printed."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]


@contextmanager
def running_lab(
    folder: Path,
    environment: Mapping[str, str],
    *,
    python: Path = Path(sys.executable),
    program: str = "jupyterlab",
    extension: bool = True,
) -> Iterator[Lab]:
    """``program`` of ``python``'s environment, with this checkout's extension or without. Its home is in ``folder``."""
    port = free_port()
    root, log = folder / "home", folder / "lab.log"
    root.mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "AIFACTORY"))}
    inside = {
        **kept,
        "HOME": str(root),
        **environment,
    }
    if extension:
        inside["JUPYTER_CONFIG_PATH"] = str(CHECKOUT / "labextension/jupyter-config")
        inside["JUPYTER_PATH"] = str(CHECKOUT / "labextension/built")
    words: tuple[str, ...] = (
        *(str(python), "-m", program, "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
        *(f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}"),
        f"--IdentityProvider.token={LOGIN}",
    )
    if program != "jupyter_server":
        words += ("--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None")
    with log.open("wb") as output:
        process = subprocess.Popen(words, env=inside, stdout=output, stderr=output, cwd=root)
    url = f"http://127.0.0.1:{port}"
    try:
        _answers(url, process, log)
        yield Lab(f"{url}/{'tree' if program == 'notebook' else 'lab'}?token={LOGIN}", log, process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _STARTED_WITHIN
    with httpx.Client(trust_env=False, timeout=30) as client:
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                if client.get(f"{url}/api", headers={"Authorization": f"token {LOGIN}"}).status_code == 200:
                    return
            except httpx.RequestError:
                pass
            time.sleep(0.1)
