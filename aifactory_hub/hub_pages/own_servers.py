"""Stop a server, or delete one that is stopped: each asks first. Plain forms, so that they work without JavaScript."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.scopes import needs_scope
from jupyterhub.utils import maybe_future, url_escape_path, url_path_join
from tornado import web
from tornado.httputil import url_concat

from ..domain.idle_words import size_without_gpu


class _OwnServer(BaseHandler):
    def server(self, user_name: str, server_name: str) -> tuple[Any, Any]:
        """The user and the spawner. Raises 404 when there is no such server, 409 when it is busy."""
        user = self.find_user(user_name)
        if user is None or server_name not in user.orm_user.orm_spawners:
            raise web.HTTPError(HTTPStatus.NOT_FOUND, f"{user_name} has no server {server_name!r}.")
        spawner = user.spawners[server_name]
        if spawner.pending is not None:
            message = f"The server is busy ({spawner.pending}): go to Home, and try again when it is done."
            raise web.HTTPError(HTTPStatus.CONFLICT, message)
        return user, spawner

    async def ask(self, template: str, user_name: str, server_name: str) -> None:
        """The page with the question."""
        user, spawner = self.server(user_name, server_name)
        self.set_header("Cache-Control", "no-store")
        title = getattr(spawner, "display_name", "") or server_name
        self.finish(await self.render_template(template, owner=user, server=server_name, title=title))

    def home(self) -> None:
        """Back to Home."""
        self.redirect(url_path_join(self.hub.base_url, "home"))


class StopOwnServer(_OwnServer):
    """Stops a server of one's own, or of whom one may stop servers."""

    @web.authenticated
    @needs_scope("delete:servers")
    async def get(self, user_name: str, server_name: str = "") -> None:
        """Asks whether to."""
        await self.ask("aifactory_stop_own.html", user_name, server_name)

    @web.authenticated
    @needs_scope("delete:servers")
    async def post(self, user_name: str, server_name: str = "") -> None:
        """Back to Home, where it stops or has stopped. One that does not run is left as it is."""
        user, spawner = self.server(user_name, server_name)
        if spawner.active:
            await self.stop_single_user(user, server_name)
        self.home()


class MoveOwnServer(_OwnServer):
    """Stops a server, and leads to its start with a size without a GPU chosen. Its home and files stay."""

    @web.authenticated
    @needs_scope("delete:servers")
    async def get(self, user_name: str, server_name: str = "") -> None:
        """Asks whether to."""
        await self.ask("aifactory_move_own.html", user_name, server_name)

    @web.authenticated
    @needs_scope("delete:servers")
    async def post(self, user_name: str, server_name: str = "") -> None:
        """To the start page; 409 where the team's menu has no such size. One that does not run is left as it is."""
        user, spawner = self.server(user_name, server_name)
        registry, bound = self.authenticator.registry, (spawner.orm_spawner.state or {}).get("aifactory") or {}
        team = registry.tenants.get(str(bound.get("tenant", "")))
        size = None if team is None else size_without_gpu(team.profiles, registry.catalogue)
        if team is None or size is None:
            raise web.HTTPError(HTTPStatus.CONFLICT, "There is no size without a GPU to move this server to.")
        if spawner.active:
            await self.stop_single_user(user, server_name)
        page = url_path_join(self.hub.base_url, "spawn", user.escaped_name, url_escape_path(server_name))
        self.redirect(url_concat(page, {"tenant": team.name, "profile": size}))


class DeleteOwnServer(_OwnServer):
    """Forgets a named server that is stopped."""

    def server(self, user_name: str, server_name: str) -> tuple[Any, Any]:
        """Raises 409 for a server that runs, besides."""
        user, spawner = super().server(user_name, server_name)
        if spawner.active:
            raise web.HTTPError(HTTPStatus.CONFLICT, f"The server {server_name} runs: stop it first.")
        return user, spawner

    @web.authenticated
    @needs_scope("delete:servers")
    async def get(self, user_name: str, server_name: str) -> None:
        """Asks whether to."""
        await self.ask("aifactory_delete_own.html", user_name, server_name)

    @web.authenticated
    @needs_scope("delete:servers")
    async def post(self, user_name: str, server_name: str) -> None:
        """Back to Home, which no longer lists it. Files in the home volume stay."""
        user, spawner = self.server(user_name, server_name)
        # As JupyterHub's own API does it.
        await maybe_future(user._delete_spawner(spawner))
        self.db.delete(spawner.orm_spawner)
        user.spawners.pop(server_name, None)
        self.db.commit()
        self.home()
