"""Stops an idle server for the job service: no other server, and with the reason for its owner."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from tornado import web

from ..constants import SCOPE_STOP_IDLE
from ..domain.formatting import stored_seconds
from ..domain.idle_ladder import IdleAction
from ..domain.server_ends import stopped_idle
from .servers import server_tenant, stop_server

_LONGEST = 500


class IdleStop(APIHandler):
    """For the job service's token, which has no right to stop servers by JupyterHub's own API."""

    async def post(self) -> None:
        """``{"user", "server", "tenant", "idle_since", "why"}``; 204 when it is stopped.

        404 for a server that does not run in this team. 409 for one that is busy, where tenants.yaml does not say that
        idle servers are stopped, and for one that started after ``idle_since`` (seconds since 1970) or not as long ago
        as idleness takes: then it is another one than was judged.
        """
        if SCOPE_STOP_IDLE not in self.expanded_scopes:
            raise web.HTTPError(HTTPStatus.FORBIDDEN, "This is for the job service.")
        user_name, server, tenant, why = (self._text(name) for name in ("user", "server", "tenant", "why"))
        user = self.find_user(user_name)
        spawner = user.spawners[server] if user is not None and server in user.spawners else None
        if spawner is None or not spawner.active or server_tenant(spawner) != tenant:
            raise web.HTTPError(HTTPStatus.NOT_FOUND, f"No server {server!r} of {user_name} runs in team {tenant!r}.")
        if spawner.pending is not None:
            raise web.HTTPError(HTTPStatus.CONFLICT, f"The server is busy ({spawner.pending}).")
        rules = self.authenticator.registry.idle.rules
        if rules.action is not IdleAction.STOP:
            raise web.HTTPError(HTTPStatus.CONFLICT, f"idle.action is {rules.action.value} here: nothing is stopped.")
        started = stored_seconds(spawner.orm_spawner.started)
        if started is None or started > min(self._since(), time.time() - rules.after):
            raise web.HTTPError(HTTPStatus.CONFLICT, "The server started after idle_since: it is another one.")
        self.log.warning("the idle server %r of %s in team %s is stopped", server, user_name, tenant)
        await stop_server(self.app, user, server, stopped_idle(why, time.time()))
        self.set_status(HTTPStatus.NO_CONTENT)

    def _body(self) -> dict[str, Any]:
        body = self.get_json_body()
        return body if isinstance(body, dict) else {}

    def _text(self, name: str) -> str:
        value = self._body().get(name)
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise web.HTTPError(HTTPStatus.BAD_REQUEST, f"{name} has to be a text of at most {_LONGEST} characters")
        return value

    def _since(self) -> float:
        value = self._body().get("idle_since")
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise web.HTTPError(HTTPStatus.BAD_REQUEST, "idle_since has to be seconds since 1970")
        return float(value)
