"""A person at a browser, for the check: forms, cookies, redirects and a kernel, all through the public address."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

_SILENT = {"script", "style"}


@dataclass
class Page(HTMLParser):
    """What a page says and what can be sent from it."""

    url: str
    status: int
    words: list[str] = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)
    _silent: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    @classmethod
    def of(cls, answer: httpx.Response) -> Page:
        """Read an answer."""
        page = cls(str(answer.url), answer.status_code)
        page.feed(answer.text)
        return page

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, name: str) -> list[str]:
        """All values that the page's fields of that name offer."""
        return [value for field_name, value in self.fields if field_name == name]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        given = dict(attrs)
        if tag in ("input", "button") and given.get("name"):
            self.fields.append((str(given["name"]), given.get("value") or ""))

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)


class Visitor:
    """One account with one browser."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        # No proxy from the environment: everything is on this machine.
        self._browser = httpx.Client(follow_redirects=True, timeout=30, trust_env=False)

    def sign_in(self) -> tuple[Page, Page]:
        """To the provider and back: its page with the people, and the hub's page after it."""
        answer = self._browser.get(f"{self.address}/hub/oauth_login")
        choice = Page.of(answer)
        data = {"request": choice.values("request")[0], "person": self.name}
        return choice, Page.of(self._browser.post(urljoin(choice.url, ""), data=data))

    def menu(self, server: str = "") -> Page:
        """The spawn page."""
        return Page.of(self._browser.get(self._spawn_url(server)))

    def start(self, profile: str, tenant: str = "nlp", server: str = "") -> Page | None:
        """Send the spawn form. None when the hub took it, else the page that came back."""
        token = self.menu(server).values("_xsrf")[0]
        data = {"tenant": tenant, "profile": profile}
        answer = self._browser.post(self._spawn_url(server), params={"_xsrf": token}, data=data)
        taken = "/spawn-pending/" in str(answer.url) or f"/user/{self.name}/" in str(answer.url)
        return None if taken else Page.of(answer)

    def progress(self) -> list[dict[str, Any]]:
        """What the start tells, until it is ready or has failed."""
        url = f"{self.address}/hub/api/users/{self.name}/server/progress"
        events: list[dict[str, Any]] = []
        with self._browser.stream("GET", url, params={"_xsrf": self._xsrf("/hub/")}, timeout=90) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    events.append(json.loads(line.removeprefix("data:")))
                    if events[-1].get("ready") or events[-1].get("failed"):
                        break
        # Opening the server signs the browser in there.
        self.notebook("lab")
        return events

    def stop(self) -> None:
        """Stop the default server and wait until the hub knows that it is gone."""
        url = f"{self.address}/hub/api/users/{self.name}/server"
        headers = {"X-XSRFToken": self._xsrf("/hub/")}
        # 202: it is on its way.
        while (answer := self._browser.delete(url, headers=headers)).status_code == httpx.codes.ACCEPTED:
            time.sleep(0.2)
        answer.raise_for_status()

    def notebook(self, path: str) -> httpx.Response:
        """A page or an API of this person's server."""
        return self._browser.get(f"{self.address}/user/{self.name}/{path}")

    def run(self, code: str, timeout: float = 90) -> str:
        """What ``code`` prints in a new kernel. Raises RuntimeError with the traceback if it raises."""
        answer = self._browser.post(
            f"{self.address}/user/{self.name}/api/kernels",
            headers={"X-XSRFToken": self._xsrf(f"/user/{self.name}/")},
            json={"name": "python3"},
        )
        answer.raise_for_status()
        url = f"{self.address}/user/{self.name}/api/kernels/{answer.json()['id']}/channels"
        request = httpx.Request("GET", url)
        self._browser.cookies.set_cookie_header(request)
        return asyncio.run(_execute(url, request.headers.get("Cookie", ""), code, timeout))

    def close(self) -> None:
        """Let go of connections."""
        self._browser.close()

    def _spawn_url(self, server: str) -> str:
        return f"{self.address}/hub/spawn/{self.name}" + (f"/{server}" if server else "")

    def _xsrf(self, path: str) -> str:
        found = [c.value for c in self._browser.cookies.jar if c.name == "_xsrf" and path.startswith(c.path)]
        return found[-1] or ""


async def _execute(url: str, cookies: str, code: str, timeout: float) -> str:
    request = HTTPRequest(url.replace("http", "ws", 1), headers={"Cookie": cookies}, request_timeout=20)
    socket = await websocket_connect(request)
    printed: list[str] = []
    message_id = uuid.uuid4().hex
    await socket.write_message(_execute_request(message_id, code))
    try:
        async with asyncio.timeout(timeout):
            while (raw := await socket.read_message()) is not None:
                message = json.loads(raw)
                kind, content = message["msg_type"], message["content"]
                if message["parent_header"].get("msg_id") != message_id:
                    continue
                if kind == "stream":
                    printed.append(content["text"])
                elif kind == "error":
                    raise RuntimeError("\n".join([*printed, *content["traceback"]]))
                elif kind == "status" and content["execution_state"] == "idle":
                    return "".join(printed)
        raise RuntimeError(f"the kernel's websocket closed. Printed so far: {''.join(printed)}")
    finally:
        socket.close()


def _execute_request(message_id: str, code: str) -> str:
    header = {"msg_id": message_id, "msg_type": "execute_request", "session": message_id, "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    message = {
        "header": {**header, "username": "", "date": ""},
        "parent_header": {},
        "metadata": {},
        "content": {**content, "user_expressions": {}, "stop_on_error": True},
        "channel": "shell",
    }
    return json.dumps(message)
