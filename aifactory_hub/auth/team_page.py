"""The page of a team's admin: the servers in that team alone, which they may stop.

JupyterHub's own rights can't say that: a filter by group covers a member's servers in all their teams. So it is
decided here, by the team that each server is bound to and by what the provider last said of the admin.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.utils import url_path_join
from tornado import web
from tornado.httputil import url_concat

from ..domain.formatting import moment, stored_seconds
from ..domain.membership_policy import SessionStatus
from ..domain.server_ends import duration, stopped_by_admin
from ..domain.tenants import Role
from .memberships import read_kept
from .servers import server_tenant, stop_server

# Characters.
LONGEST_REASON = 500
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class TeamServer:
    """A server in a team. ``since`` and ``active`` in epoch seconds, None while it starts.

    ``active`` is when JupyterHub last heard of activity.
    """

    user: str
    server: str
    profile: str
    since: float | None
    active: float | None
    pending: str | None

    def to_json(self) -> dict[str, Any]:
        """As it is answered."""
        return {
            "user": self.user,
            "server": self.server,
            "profile": self.profile,
            "since": self.since,
            "active": self.active,
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
                    stored, profile = spawner.orm_spawner, str(bound.get("profile", ""))
                    since, active = stored_seconds(stored.started), stored_seconds(stored.last_activity)
                    yield user, TeamServer(user.name, name, profile, since, active, spawner.pending)


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
        rows = [(server, when_text(server.since), idle_text(server.active, time.time())) for server in servers]
        stopped = self.get_argument("stopped", "")[:_LONGEST_NAME]
        self.set_header("Cache-Control", "no-store")
        page = await self.render_template("aifactory_team.html", tenant=tenant, title=title, rows=rows, stopped=stopped)
        self.finish(page)


class _StopsServers(_ForTeamAdmins):
    def server_in(self, tenant: str, name: str, server: str) -> tuple[Any, TeamServer]:
        """The server and its owner. Raises 404 when there is no such one in the team, 409 when it is busy."""
        for user, found in self.servers_of(tenant):
            if (found.user, found.server) == (name, server):
                if found.pending is not None:
                    raise web.HTTPError(HTTPStatus.CONFLICT, f"The server is busy ({found.pending}): try again then.")
                return user, found
        raise web.HTTPError(HTTPStatus.NOT_FOUND, "There is no such server in this team.")

    async def stop(self, tenant: str, name: str, server: str) -> None:
        title = await self.admin_of(tenant)
        user, _ = self.server_in(tenant, name, server)
        word = " ".join(self.get_argument("reason", "").split())
        if len(word) > LONGEST_REASON:
            raise web.HTTPError(
                HTTPStatus.BAD_REQUEST, f"The reason has {len(word)} characters: at most {LONGEST_REASON} are possible."
            )
        admin = self.current_user.name
        self.log.warning("%s, an admin of team %s, stops a server of %s: %s", admin, tenant, name, word or "no reason")
        await stop_server(self.app, user, server, stopped_by_admin(title, admin, word, time.time()))


class StopServer(_StopsServers):
    """Stops one server of the team, from the page."""

    @web.authenticated
    async def get(self, tenant: str, name: str, server: str) -> None:
        """Asks whether to, and for a word to the person."""
        title = await self.admin_of(tenant)
        _, found = self.server_in(tenant, name, server)
        self.set_header("Cache-Control", "no-store")
        page = await self.render_template(
            "aifactory_stop.html",
            tenant=tenant,
            title=title,
            server=found,
            since=when_text(found.since),
            idle=idle_text(found.active, time.time()),
            longest=LONGEST_REASON,
        )
        self.finish(page)

    @web.authenticated
    async def post(self, tenant: str, name: str, server: str) -> None:
        """Back to the page of the team."""
        await self.stop(tenant, name, server)
        self.redirect(url_concat(url_path_join(self.hub.base_url, "aifactory/team", tenant), {"stopped": name}))


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


def idle_text(active: float | None, now: float) -> str:
    """How long ago JupyterHub last heard of activity, for a page."""
    return "" if active is None else f"{duration(now - active)} ago"


def when_text(at: float | None) -> str:
    """A moment for a page."""
    return "" if at is None else moment(at)
