"""Kernels and terminals tell the Jupyter server, and it tells the open pages."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from aifactory_hub.lab.lab_socket import CALM, EVENT

from .conftest import LOGIN, JupyterServer

pytestmark = pytest.mark.asyncio(loop_scope="package")

# What a kernel of the server does, with the environment that the server gives to it.
SUBMIT = """
from aifactory_hub.client import submit
for n in range(COUNT):
    submit("true", files=None, idempotency_key=f"socket-{COUNT}-{n}")
"""


@asynccontextmanager
async def listening(jupyter: JupyterServer) -> AsyncIterator[WebSocketClientConnection]:
    """As a page of JupyterLab listens."""
    address = f"{jupyter.url.replace('http', 'ws', 1)}/api/events/subscribe"
    page = await websocket_connect(HTTPRequest(address, headers={"Authorization": f"token {LOGIN}"}))
    try:
        yield page
    finally:
        page.close()


async def in_a_terminal(jupyter: JupyterServer, program: str) -> None:
    """Run a program in a terminal of the server, with the environment that this gets."""
    made = await jupyter.client.post(f"{jupyter.url}/api/terminals")
    assert made.status_code == 200, made.text
    name = made.json()["name"]
    address = f"{jupyter.url.replace('http', 'ws', 1)}/terminals/websocket/{name}"
    terminal = await websocket_connect(HTTPRequest(address, headers={"Authorization": f"token {LOGIN}"}))
    (jupyter.root / "program.py").write_text(f"{program}\nprint('it is', 'done')\n")
    try:
        await shown(terminal, "$ ", "# ", "% ", "> ")  # the prompt of any shell
        await terminal.write_message(json.dumps(["stdin", f"{sys.executable} {jupyter.root}/program.py\r"]))
        await shown(terminal, "it is done")
    finally:
        terminal.close()
        await jupyter.client.delete(f"{jupyter.url}/api/terminals/{name}")


async def shown(terminal: WebSocketClientConnection, *words: str) -> None:
    """Wait until the terminal shows one of ``words``."""
    output = ""
    try:
        async with asyncio.timeout(90):
            while not any(word in output for word in words):
                message = await terminal.read_message()
                assert message is not None, f"the terminal ended after {output!r}"
                kind, *rest = json.loads(message)
                output += rest[0] if kind == "stdout" else ""
    except TimeoutError:
        raise AssertionError(f"the terminal shows none of {words} but {output!r}") from None


async def heard(page: WebSocketClientConnection, within: float) -> list[str]:
    events: list[str] = []
    try:
        async with asyncio.timeout(within):
            while (said := await page.read_message()) is not None:
                if (schema := json.loads(said).get("schema_id")) == EVENT:
                    events.append(schema)
    except TimeoutError:
        pass
    return events


async def test_a_job_of_a_terminal_is_told_to_the_page_at_once(jupyter: JupyterServer) -> None:
    async with listening(jupyter) as page:
        # Tests before this one submit too, and the last word of theirs may come a moment later.
        await heard(page, 2 * CALM)
        await in_a_terminal(jupyter, SUBMIT.replace("COUNT", "1"))
        assert await heard(page, 2.0) == [EVENT]


async def test_many_jobs_are_few_words(jupyter: JupyterServer) -> None:
    async with listening(jupyter) as page:
        await heard(page, 2 * CALM)
        began = time.monotonic()
        await in_a_terminal(jupyter, SUBMIT.replace("COUNT", "20"))
        took = time.monotonic() - began
        events = await heard(page, 2.0)
    assert 1 <= len(events) <= took + 2


async def test_the_socket_is_the_account_s_alone(jupyter: JupyterServer) -> None:
    (jupyter.root / "where.txt").unlink(missing_ok=True)
    program = f"import os; open('{jupyter.root}/where.txt', 'w').write(os.environ['AIFACTORY_LAB_SOCKET'])"
    await in_a_terminal(jupyter, program)
    path = (jupyter.root / "where.txt").read_text()
    assert Path(path).parent.stat().st_mode & 0o077 == 0
