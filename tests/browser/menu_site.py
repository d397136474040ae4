"""The spawn page in JupyterHub's own templates and style, with menus of our choice: no hub, no cluster, no waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from jupyterhub._data import DATA_FILES_PATH
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, HTTPError, RequestHandler, StaticFileHandler

from aifactory_hub.domain.formatting import iso, moment
from aifactory_hub.hub_pages import LOGO, TEMPLATES
from aifactory_spawner.options_form import Menu, numbers, render

_THEIRS = f"{DATA_FILES_PATH}/templates"


class _Page(RequestHandler):
    def initialize(self, menus: dict[str, Menu], pages: Environment) -> None:
        self.menus, self.pages = menus, pages

    def get(self, name: str) -> None:
        form = render(self.menus[name], xsrf="x", refresh_url=f"/hub/numbers/{name}")
        self.write(_page(self.pages, "spawn.html", spawner_options_form=form, url=f"/hub/spawn/{name}"))

    def post(self, name: str) -> None:
        self.write({key: self.get_body_arguments(key) for key in self.request.body_arguments})


class _Numbers(RequestHandler):
    def initialize(self, menus: dict[str, Menu]) -> None:
        self.menus = menus

    def get(self, name: str) -> None:
        # As the hub does it, also of who only reads.
        if self.request.headers.get("X-XSRFToken") != "x":
            raise HTTPError(403)
        self.write(numbers(self.menus[name]))


_FAILED = '{"progress": 100, "failed": true, "message": "Spawn failed: no such image"}'


class _Progress(RequestHandler):
    """The page of a start, and the events that it follows."""

    def initialize(self, events: list[str], pages: Environment) -> None:
        self.events, self.pages = events, pages

    async def get(self, what: str) -> None:
        if what == "page":
            followed = self.get_argument("follow", "events")
            self.write(_page(self.pages, "spawn_pending.html", progress_url=f"/hub/start/{followed}"))
            return
        self.set_header("Content-Type", "text/event-stream")
        for event in [*self.events, _FAILED] if what == "failed" else self.events:
            self.write(f"data: {event}\n\n")
            await self.flush()
        await asyncio.sleep(60)


class _Home(RequestHandler):
    """Home with the servers and loads that ``home_context`` was given."""

    def initialize(self, home: dict[str, Any], pages: Environment) -> None:
        self.home, self.pages = home, pages

    def get(self) -> None:
        self.write(_page(self.pages, "home.html", iso=iso, moment=moment, **self.home))


class _User:
    name = escaped_name = json_escaped_name = "ada"
    spawner = None

    @staticmethod
    def server_url(name: str) -> str:
        return f"/user/ada/{name}"


def _page(pages: Environment, template: str, **given: Any) -> str:
    def static_url(path: str, **_: Any) -> str:
        return f"/hub/static/{path}"

    known = {"base_url": "/hub/", "prefix": "/", "user": _User, "static_url": static_url, "no_spawner_check": True}
    return pages.get_template(template).render(**known, spawner=_Spawner, **given)


class _Spawner:
    name = ""


@contextmanager
def menu_site(
    menus: dict[str, Menu], events: list[str] | None = None, home: dict[str, Any] | None = None
) -> Iterator[str]:
    """The address of a server with a spawn page for each menu at /hub/spawn/<name>, in a thread of its own.

    ``home`` is what the template of Home gets. Changing ``menus`` or ``home`` changes what the page is told when it
    asks again.
    """
    ours = FileSystemLoader([str(TEMPLATES), _THEIRS])
    pages = Environment(
        loader=ChoiceLoader([PrefixLoader({"templates": FileSystemLoader(_THEIRS)}), ours]), autoescape=True
    )
    routes: list[Any] = [
        (r"/hub/spawn/(\w+)", _Page, {"menus": menus, "pages": pages}),
        (r"/hub/numbers/(\w+)", _Numbers, {"menus": menus}),
        (r"/hub/home", _Home, {"home": {} if home is None else home, "pages": pages}),
        (r"/hub/start/(\w+)", _Progress, {"events": events or [], "pages": pages}),
        (r"/hub/static/(.*)", StaticFileHandler, {"path": f"{DATA_FILES_PATH}/static"}),
        (r"/hub/components/(.*)", StaticFileHandler, {"path": f"{DATA_FILES_PATH}/static/components"}),
        (r"/hub/logo()", StaticFileHandler, {"path": str(LOGO)}),
    ]
    stop, address = _serve(Application(routes))
    try:
        yield address
    finally:
        stop()


def _serve(application: Application) -> tuple[Callable[[], None], str]:
    socket, port = bind_unused_port()
    ready, loops = threading.Event(), []

    async def live() -> None:
        server = HTTPServer(application)
        server.add_socket(socket)
        loops.append((asyncio.get_running_loop(), stopped := asyncio.Event()))
        ready.set()
        await stopped.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
    thread.start()
    ready.wait(10)

    def stop() -> None:
        loop, stopped = loops[0]
        loop.call_soon_threadsafe(stopped.set)
        thread.join(10)

    return stop, f"http://127.0.0.1:{port}"
