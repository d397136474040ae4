"""A person at a browser: cookies, forms, redirects, a notebook's kernel. Everything goes through the public proxy."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin

import httpx
from bs4 import BeautifulSoup, Tag
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext


@dataclass(frozen=True)
class SpawnPage:
    """What the spawn page offers and says."""

    status: int
    url: str
    text: str
    tenants: frozenset[str]
    profiles: frozenset[str]
    xsrf: str


@dataclass
class Person:
    """One account of the identity provider, with one browser."""

    name: str
    email: str
    password: str
    hub: str
    browser: httpx.Client = field(
        default_factory=lambda: httpx.Client(follow_redirects=True, timeout=30, trust_env=False)
    )
    token: str | None = None

    def close(self) -> None:
        """Close her browser."""
        self.browser.close()

    def sign_in(self) -> httpx.Response:
        """Go to the hub, be sent to the identity provider, fill in its form, come back. Returns the last page."""
        page = self.browser.get(f"{self.hub}/hub/oauth_login")
        self.authorize_url = str(page.history[1].request.url) if len(page.history) > 1 else str(page.url)
        form = _form(page)
        fields = {"login": self.email, "password": self.password}
        return self.browser.post(urljoin(str(page.url), str(form.get("action") or "")), data=fields)

    def enter(self, context: BrowserContext) -> None:
        """Sign her in to a browser that shows pages, as she is in her own."""
        context.add_cookies(
            [{"name": c.name, "value": c.value or "", "url": f"{self.hub}{c.path}"} for c in self.browser.cookies.jar]
        )

    def spawn_page(self, server: str = "") -> SpawnPage:
        return _spawn_page(self.browser.get(self._spawn_url(server)))

    def spawn(self, tenant: str, profile: str, server: str = "") -> SpawnPage | None:
        """Send the spawn form. None when the hub took it, else the page that came back instead."""
        page = self.spawn_page(server)
        answer = self.browser.post(
            self._spawn_url(server), params={"_xsrf": page.xsrf}, data={"tenant": tenant, "profile": profile}
        )
        if "/spawn-pending/" in str(answer.url) or f"/user/{self.name}/" in str(answer.url):
            return None
        return _spawn_page(answer)

    def progress(self, server: str = "", timeout: float = 120) -> list[dict[str, Any]]:
        """The events of the spawn's progress page, until it is ready or failed."""
        url = f"{self.hub}/hub/api/users/{quote(self.name)}/{_server_path(server)}/progress"
        events: list[dict[str, Any]] = []
        params = {"_xsrf": self._xsrf("/hub/")}
        with self.browser.stream("GET", url, params=params, timeout=timeout) as stream:
            stream.raise_for_status()
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    events.append(json.loads(line.removeprefix("data:")))
                    if events[-1].get("ready") or events[-1].get("failed"):
                        break
        return events

    def make_token(self) -> str:
        """A token of her own, as the hub's token page makes it."""
        answer = self.browser.post(
            f"{self.hub}/hub/api/users/{quote(self.name)}/tokens",
            headers={"X-XSRFToken": self._xsrf("/hub/")},
            json={"note": "day", "expires_in": 3600},
        )
        answer.raise_for_status()
        self.token = str(answer.json()["token"])
        return self.token

    def servers(self) -> dict[str, Any]:
        """Her servers as the hub lists them."""
        answer = httpx.get(
            f"{self.hub}/hub/api/users/{quote(self.name)}",
            headers={"Authorization": f"token {self.token}"},
            timeout=10,
            trust_env=False,
        )
        answer.raise_for_status()
        return dict(answer.json()["servers"])

    def job_state(self, job_id: str) -> str:
        """A job's state as the service tells her."""
        answer = httpx.get(
            f"{self.hub}/services/aifactory/api/v1/jobs/{job_id}",
            headers={"Authorization": f"token {self.token}"},
            timeout=10,
            trust_env=False,
        )
        return str(answer.json()["state"]) if answer.status_code == httpx.codes.OK else f"HTTP {answer.status_code}"

    def stop(self, server: str = "") -> None:
        answer = self.browser.delete(
            f"{self.hub}/hub/api/users/{quote(self.name)}/{_server_path(server)}",
            headers={"X-XSRFToken": self._xsrf("/hub/")},
        )
        answer.raise_for_status()

    def notebook(self, path: str, server: str = "") -> httpx.Response:
        """GET a page or API of her notebook server."""
        return self.browser.get(self._notebook_url(path, server))

    def write_file(self, path: str, text: str, server: str = "") -> None:
        """Save a text file, as JupyterLab does."""
        answer = self.browser.put(
            self._notebook_url(f"api/contents/{path}", server),
            headers={"X-XSRFToken": self._xsrf(f"/user/{self.name}/")},
            json={"type": "file", "format": "text", "content": text},
        )
        answer.raise_for_status()

    def read_file(self, path: str, server: str = "") -> str:
        answer = self.notebook(f"api/contents/{path}", server)
        answer.raise_for_status()
        return str(answer.json()["content"])

    def start_kernel(self, server: str = "") -> Kernel:
        answer = self.browser.post(
            self._notebook_url("api/kernels", server),
            headers={"X-XSRFToken": self._xsrf(f"/user/{self.name}/")},
            json={"name": "python3"},
        )
        answer.raise_for_status()
        socket = self._notebook_url(f"api/kernels/{answer.json()['id']}/channels", server)
        return Kernel(socket.replace("http://", "ws://", 1), _cookie_header(self.browser, socket))

    def again(self, kernel: Kernel) -> Kernel:
        """The same kernel, spoken with under her cookies of now."""
        return Kernel(kernel.url, _cookie_header(self.browser, kernel.url.replace("ws://", "http://", 1)))

    def _spawn_url(self, server: str) -> str:
        return f"{self.hub}/hub/spawn/{quote(self.name)}" + (f"/{quote(server)}" if server else "")

    def _notebook_url(self, path: str, server: str) -> str:
        return f"{self.hub}/user/{quote(self.name)}/" + (f"{quote(server)}/" if server else "") + path

    def _xsrf(self, path: str) -> str:
        found = [c.value for c in self.browser.cookies.jar if c.name == "_xsrf" and path.startswith(c.path)]
        if not found or found[-1] is None:
            raise LookupError(f"the browser of {self.name} holds no _xsrf cookie for {path}")
        return found[-1]


@dataclass(frozen=True)
class Kernel:
    """A running kernel, reached by websocket through the proxy."""

    url: str
    cookies: str

    def run(self, code: str, timeout: float = 120) -> str:
        """What the code printed. Raises RuntimeError with the traceback if it raised."""
        return asyncio.run(self._run(code, timeout))

    async def _run(self, code: str, timeout: float) -> str:
        request = HTTPRequest(self.url, headers={"Cookie": self.cookies}, connect_timeout=20, request_timeout=20)
        socket = await websocket_connect(request)
        message_id = uuid.uuid4().hex
        await socket.write_message(json.dumps(_execute_request(message_id, code)))
        printed: list[str] = []
        deadline = time.monotonic() + timeout
        try:
            while True:
                raw = await asyncio.wait_for(socket.read_message(), max(0.1, deadline - time.monotonic()))
                if raw is None:
                    raise RuntimeError(f"the kernel's websocket closed. Printed so far: {''.join(printed)}")
                message = json.loads(raw)
                if message["parent_header"].get("msg_id") != message_id:
                    continue
                content = message["content"]
                if message["msg_type"] == "stream":
                    printed.append(content["text"])
                elif message["msg_type"] == "error":
                    raise RuntimeError("\n".join([*printed, *content["traceback"]]))
                elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                    return "".join(printed)
        finally:
            socket.close()


def _execute_request(message_id: str, code: str) -> dict[str, Any]:
    header = {"msg_id": message_id, "msg_type": "execute_request", "username": "", "session": message_id,
              "version": "5.3", "date": ""}  # fmt: skip
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {},
               "allow_stdin": False, "stop_on_error": True}  # fmt: skip
    return {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell",
            "buffers": []}  # fmt: skip


def _server_path(server: str) -> str:
    return f"servers/{quote(server)}" if server else "server"


def _form(page: httpx.Response) -> Tag:
    form = BeautifulSoup(page.text, "html.parser").find("form")
    if not isinstance(form, Tag):
        raise LookupError(f"no form on {page.url} (status {page.status_code}): {page.text[:500]}")
    return form


def _spawn_page(page: httpx.Response) -> SpawnPage:
    soup = BeautifulSoup(page.text, "html.parser")
    xsrf = soup.find("input", {"name": "_xsrf"})
    return SpawnPage(
        status=page.status_code,
        url=str(page.url),
        text=" ".join(soup.get_text(" ").split()),
        tenants=_values(soup, "tenant"),
        profiles=_values(soup, "profile"),
        xsrf=str(xsrf.get("value")) if isinstance(xsrf, Tag) else "",
    )


def _values(soup: BeautifulSoup, name: str) -> frozenset[str]:
    fields = soup.find_all(["input", "option"], {"name": name})
    return frozenset(str(field.get("value")) for field in fields if field.get("value"))


def _cookie_header(browser: httpx.Client, url: str) -> str:
    request = httpx.Request("GET", url)
    browser.cookies.set_cookie_header(request)
    return str(request.headers.get("Cookie", ""))
