"""The button that calls off a start, from the queue or later."""

from __future__ import annotations

import asyncio

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.scopes import needs_scope
from jupyterhub.utils import url_escape_path, url_path_join
from tornado import web


class CancelStart(BaseHandler):
    """Ends a pending start; its ticket is given back. Plain form, so that it works without JavaScript."""

    @web.authenticated
    @needs_scope("delete:servers")
    async def post(self, user_name: str, server_name: str = "") -> None:
        """Back to the menu afterwards. A server that is not starting is left as it is."""
        user = self.find_user(user_name)
        if user is None or server_name not in user.spawners:
            raise web.HTTPError(404, f"{user_name} has no such server {server_name}")
        spawner = user.spawners[server_name]
        if spawner.pending == "spawn":
            # As JupyterHub's own API does it; the spawner cleans up in ``stop``.
            if spawner._spawn_future is not None:
                spawner._spawn_future.cancel()
                await asyncio.wait([spawner._spawn_future], timeout=1)
            if not spawner.pending:
                await self.stop_single_user(user, server_name)
        escaped = url_escape_path(server_name)
        self.redirect(url_path_join(self.hub.base_url, "spawn", user.escaped_name, escaped))
