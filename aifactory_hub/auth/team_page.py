"""The page of a team's admin: the servers in that team alone, which they may stop.

JupyterHub's own rights can't say that: a filter by group covers a member's servers in all their teams. So it is
decided here, by the team that each server is bound to and by what the provider last said of the admin.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.utils import url_path_join
from tornado import web

from ..domain.membership_policy import SessionStatus
from ..domain.tenants import Role
from .memberships import read_kept
from .servers import server_tenant, stop_server


@dataclass(frozen=True, slots=True)
class TeamServer:
    """A server in a team. ``since`` in epoch seconds, None while it starts."""

    user: str
    server: str
    profile: str
    since: float | None
    pending: str | None

    def to_json(self) -> dict[str, Any]:
        """As it is answered."""
        return {
            "user": self.user,
            "server": self.server,
            "profile": self.profile,
            "since": self.since,
            "pending": self.pending,
        }


class _ForTeamAdmins(BaseHandler):
    """Both kinds of handler, for browsers and for programs, decide here who may look."""

    async def admin_of(self, tenant: str) -> str:
        """The team's display name. Raises 404 for a team that one does not administer, whether it exists or not."""
        user = self.current_user
        if user is None or not hasattr(user, "get_auth_state"):
            raise web.HTTPError(HTTPStatus.FORBIDDEN, "Sign in first.")
        kept = read_kept(await user.get_auth_state())
        grace = self.authenticator.registry.identity.stale_grace
        known = kept is not None and kept.standing_at(time.time(), grace) is SessionStatus.KNOWN
        role = kept.tenants.get(tenant) if kept is not None and known else None
        team = self.authenticator.registry.tenants.get(tenant)
        if team is None or role is not Role.ADMIN or not self._whole_right():
            raise web.HTTPError(HTTPStatus.NOT_FOUND, f"There is no team {tenant!r} that you administer.")
        return str(team.display_name)

    def _whole_right(self) -> bool:
        """Whether this request may do all that the person may: a server's token may not, whatever its owner is."""
        return self.get_token() is None or self.has_scope(f"delete:servers!user={self.current_user.name}")

    def servers_of(self, tenant: str) -> Iterator[tuple[Any, TeamServer]]:
        """Those that run or start in the team, with their owners."""
        for user in list(self.app.users.values()):
            for name, spawner in list(user.spawners.items()):
                if spawner.active and server_tenant(spawner) == tenant:
                    bound = (spawner.orm_spawner.state or {}).get("aifactory") or {}
                    started = spawner.orm_spawner.started
                    since = started.replace(tzinfo=UTC).timestamp() if started else None
                    yield user, TeamServer(user.name, name, str(bound.get("profile", "")), since, spawner.pending)


class TeamServers(_ForTeamAdmins, APIHandler):
    """The servers of a team, as JSON."""

    async def get(self, tenant: str) -> None:
        """For an admin of the team."""
        await self.admin_of(tenant)
        self.set_header("Cache-Control", "no-store")
        self.write({"tenant": tenant, "servers": [server.to_json() for _, server in self.servers_of(tenant)]})


class TeamPage(_ForTeamAdmins):
    """The servers of a team, as a page with a button for each."""

    @web.authenticated
    async def get(self, tenant: str) -> None:
        """For an admin of the team."""
        title = await self.admin_of(tenant)
        servers = sorted((server for _, server in self.servers_of(tenant)), key=lambda s: (s.user, s.server))
        rows = [(server, when_text(server.since)) for server in servers]
        self.set_header("Cache-Control", "no-store")
        self.finish(await self.render_template("aifactory_team.html", tenant=tenant, title=title, rows=rows))


class _StopsServers(_ForTeamAdmins):
    async def stop(self, tenant: str, name: str, server: str) -> None:
        await self.admin_of(tenant)
        for user, found in self.servers_of(tenant):
            if (found.user, found.server) == (name, server):
                if found.pending is not None:
                    raise web.HTTPError(HTTPStatus.CONFLICT, f"The server is busy ({found.pending}): try again then.")
                self.log.warning("%s, an admin of team %s, stops a server of %s", self.current_user.name, tenant, name)
                await stop_server(self.app, user, server)
                return
        raise web.HTTPError(HTTPStatus.NOT_FOUND, "There is no such server in this team.")


class StopServer(_StopsServers):
    """Stops one server of the team, from the page."""

    @web.authenticated
    async def post(self, tenant: str, name: str, server: str) -> None:
        """Back to the page."""
        await self.stop(tenant, name, server)
        self.redirect(url_path_join(self.hub.base_url, "aifactory/team", tenant))


class StopServerApi(_StopsServers, APIHandler):
    """Stops one server of the team, for programs."""

    async def delete(self, tenant: str, name: str, server: str) -> None:
        """204 when it is stopped."""
        await self.stop(tenant, name, server)
        self.set_status(HTTPStatus.NO_CONTENT)


class SignInsPage(BaseHandler):
    """The last sign-ins and which rule led where, for the hub's administrators."""

    @web.authenticated
    async def get(self) -> None:
        """StoredSession in memory since the hub's start."""
        if not self.has_scope("admin:users"):
            raise web.HTTPError(HTTPStatus.FORBIDDEN, "This is for the hub's administrators.")
        rows = [(sign_in, when_text(sign_in.at)) for sign_in in self.authenticator.sign_ins.latest()]
        self.set_header("Cache-Control", "no-store")
        self.finish(await self.render_template("aifactory_sign_ins.html", rows=rows))


def when_text(at: float | None) -> str:
    """A moment for a page."""
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
