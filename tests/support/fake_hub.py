"""A hub that knows a few tokens: answers GET /hub/api/user as JupyterHub does, and can be made to fail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from aifactory_hub import constants

# The tenants of make_registry, and the roles from low to high.
EVERY_TENANT = ("nlp", "vision")
RANKS = ("viewer", "member", "admin")
ACCESS = f"access:services!service={constants.SERVICE_NAME}"


def scopes_for(*tenants: str, names: Sequence[str] = constants.JOB_SCOPES, access: bool = True) -> list[str]:
    """What a notebook's token may do for these tenants."""
    granted = [f"{name}!group=tenant-{tenant}" for tenant in tenants for name in names]
    return [*granted, *([ACCESS] if access else [])]


@dataclass
class FakeHub:
    """``status`` other than 200 is what it answers to everybody; ``asked`` counts questions.

    A code of OAuth is the name of the token that it gives.
    ``memberships`` says what the authenticator resolved; of whom it says nothing, the tokens tell.
    ``administrators`` are those of the hub itself, ``addresses`` where mail to people goes.
    """

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 200
    memberships_status: int = 200
    memberships: dict[str, dict[str, Any]] = field(default_factory=dict)
    administrators: set[str] = field(default_factory=set)
    addresses: dict[str, str] = field(default_factory=dict)
    watched: set[str] = field(default_factory=set)
    asked: int = 0
    url: str = ""
    # The secret and the address to come back to that it knows of the service.
    oauth_client: tuple[str, str] = ("service-token", "/services/aifactory/oauth_callback")
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

        class Memberships(RequestHandler):
            def post(self) -> None:
                if hub.status != 200 or hub.memberships_status != 200:
                    self.set_status(hub.memberships_status if hub.status == 200 else hub.status)
                    return
                asked = json.loads(self.request.body)
                hub.watched.update(asked["users"] if asked.get("watch") else ())
                self.write({"memberships": {name: hub.membership(name) for name in asked["users"]}})

        class People(RequestHandler):
            def post(self) -> None:
                if hub.status != 200 or hub.memberships_status != 200:
                    self.set_status(hub.memberships_status if hub.status == 200 else hub.status)
                    return
                tenant = json.loads(self.request.body)["tenant"]
                known = {name: hub.membership(name) for name in hub.names()}
                people = {
                    name: {"role": one["tenants"].get(tenant), "approves": one.get("approves", [])}
                    for name, one in known.items()
                }
                self.write({"people": people})

        class Token(RequestHandler):
            def post(self) -> None:
                code = self.get_body_argument("code")
                secret, redirect = self.get_body_argument("client_secret"), self.get_body_argument("redirect_uri")
                known = code in hub.models and (secret, redirect) == hub.oauth_client
                self.set_status(200 if known and hub.status == 200 else 400 if hub.status == 200 else hub.status)
                self.write({"access_token": code} if known else {"error": "invalid_grant"})

        socket, port = bind_unused_port()
        routes = [
            ("/hub/api/user", User),
            ("/hub/aifactory/api/memberships", Memberships),
            ("/hub/aifactory/api/people", People),
            ("/hub/api/oauth2/token", Token),
        ]
        self._server = HTTPServer(Application(routes))
        self._server.add_socket(socket)
        self.url = f"http://127.0.0.1:{port}/hub/api"

    def names(self) -> set[str]:
        """Everybody that a test or a token named."""
        return {*self.memberships, *(model["name"] for model in self.models.values())}

    def membership(self, name: str) -> dict[str, Any]:
        """Who is where: what a test said, else what the scopes and groups of the person's tokens amount to."""
        if name in self.memberships:
            return {"mail": self.addresses.get(name), **self.memberships[name]}
        tenants: dict[str, str] = {}
        for model in (model for model in self.models.values() if model["name"] == name):
            for scope in model["scopes"]:
                base, _, group = scope.partition("!group=tenant-")
                for tenant in [group] if group else EVERY_TENANT if base in constants.JOB_SCOPES else ():
                    role = "viewer" if base == constants.SCOPE_READ else "member"
                    tenants[tenant] = max(role, tenants.get(tenant, role), key=RANKS.index)
            for group in model["groups"]:
                if group.endswith("-admin"):
                    tenants[group.removeprefix("tenant-").removesuffix("-admin")] = "admin"
        admin = name in self.administrators
        mail = self.addresses.get(name)
        return {"standing": "known", "tenants": tenants, "resolved_at": 0, "admin": admin, "mail": mail}

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
