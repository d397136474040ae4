"""A hub that knows a few tokens: answers GET /hub/api/user as JupyterHub does, and can be made to fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from aifactory_hub import constants

ACCESS = f"access:services!service={constants.SERVICE_NAME}"


def scopes_for(*tenants: str, names: Sequence[str] = constants.JOB_SCOPES, access: bool = True) -> list[str]:
    """What a notebook's token may do for these tenants."""
    granted = [f"{name}!group=tenant-{tenant}" for tenant in tenants for name in names]
    return [*granted, *([ACCESS] if access else [])]


@dataclass
class FakeHub:
    """``status`` other than 200 is what it answers to everybody; ``asked`` counts questions."""

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 200
    asked: int = 0
    url: str = ""
    _server: HTTPServer | None = None

    def start(self) -> None:
        """Listen on a port of its own."""
        hub = self

        class User(RequestHandler):
            def get(self) -> None:
                hub.asked += 1
                token = self.request.headers.get("Authorization", "").removeprefix("token ")
                if hub.status != 200:
                    self.set_status(hub.status)
                    self.write({"message": "the hub is not well"})
                elif token not in hub.models:
                    self.set_status(403)
                    self.write({"status": 403, "message": "Missing or invalid credentials."})
                else:
                    self.write(hub.models[token])

        socket, port = bind_unused_port()
        self._server = HTTPServer(Application([("/hub/api/user", User)]))
        self._server.add_socket(socket)
        self.url = f"http://127.0.0.1:{port}/hub/api"

    async def stop(self) -> None:
        """Close the port."""
        if self._server is not None:
            self._server.stop()
            await self._server.close_all_connections()

    def add(
        self,
        token: str,
        name: str,
        scopes: Sequence[str],
        *,
        groups: Sequence[str] = (),
        kind: str = "user",
    ) -> str:
        """Let ``token`` be ``name``'s."""
        self.models[token] = {"name": name, "kind": kind, "scopes": list(scopes), "groups": list(groups)}
        return token
