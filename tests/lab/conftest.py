"""A real Jupyter server with the extension, as the hub would start it, against the real service in this process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import RunningService, running_service
from ..support.local_runs import LocalRuns
from ..support.ports import free_port

LOGIN = "the-person's-login-of-this-server"
HUB_TOKEN = "ada-token"
CHECKOUT = Path(__file__).resolve().parents[2]
_STARTED_WITHIN = 120.0


@dataclass
class JupyterServer:
    """``client`` is signed in as the person in the browser is; ``stranger`` is not."""

    url: str
    root: Path
    log: Path
    client: httpx.AsyncClient
    stranger: httpx.AsyncClient
    process: Any = field(repr=False)


@asynccontextmanager
async def running_jupyter(folder: Path, environment: dict[str, str], *arguments: str) -> AsyncIterator[JupyterServer]:
    """A Jupyter server that finds the extension in its configuration, as an installed wheel puts it there."""
    port = free_port()
    root, log = folder / "home", folder / "jupyter.log"
    root.mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "AIFACTORY"))}
    inside = {
        **kept,
        "JUPYTER_CONFIG_PATH": str(CHECKOUT / "labextension/jupyter-config"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        **environment,
    }
    words = (
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
        *(f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}"),
        *(f"--IdentityProvider.token={LOGIN}", "--ServerApp.base_url=/user/ada/", *arguments),
    )
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*words, env=inside, stdout=output, stderr=output, cwd=folder)
    url = f"http://127.0.0.1:{port}/user/ada"
    signed_in = {"Authorization": f"token {LOGIN}"}
    async with (
        httpx.AsyncClient(headers=signed_in, timeout=30, trust_env=False) as client,
        httpx.AsyncClient(timeout=30, trust_env=False) as stranger,
    ):
        try:
            await _answers(client, url, process, log)
            yield JupyterServer(url, root, log, client, stranger, process)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _answers(client: httpx.AsyncClient, url: str, process: Any, log: Path) -> None:
    async with asyncio.timeout(_STARTED_WITHIN):
        while True:
            assert process.returncode is None, await asyncio.to_thread(log.read_text)
            try:
                if (await client.get(f"{url}/api/status")).status_code == 200:
                    return
            except httpx.RequestError:
                pass
            await asyncio.sleep(0.1)


def account(url: str) -> dict[str, str]:
    """What the hub puts into a server's environment."""
    return {
        "JUPYTERHUB_API_TOKEN": HUB_TOKEN,
        "JUPYTERHUB_USER": "ada",
        "AIFACTORY_SERVICE_URL": url,
        "AIFACTORY_TENANT": "nlp",
        "AIFACTORY_PROFILE": "mig-1g.10gb",
    }


@asynccontextmanager
async def running_hub_side(folder: Path) -> AsyncIterator[RunningService]:
    """The service, with a hub that knows ada of nlp and eve of vision; jobs run as processes."""
    hub = FakeHub()
    hub.start()
    hub.add(HUB_TOKEN, "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    hub.add("eve-token", "eve", scopes_for("vision"), groups=["tenant-vision"])
    runs = LocalRuns(folder / "node")
    try:
        async with running_service(folder / "service", hub=hub, engine=runs.engine) as service:
            yield service
    finally:
        runs.close()
        await hub.stop()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def jupyter(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[JupyterServer]:
    """One server for all tests: it takes seconds to start."""
    folder = tmp_path_factory.mktemp("lab")
    async with (
        running_hub_side(folder) as service,
        running_jupyter(folder / "jupyter", account(service.url)) as running,
    ):
        yield running
