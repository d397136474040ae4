"""The numbers of somebody's spawn page, for the page to refresh itself."""

from __future__ import annotations

from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope
from tornado import web


class MenuNumbers(APIHandler):
    """What the spawn page shows now, as JSON: of the teams of that person only."""

    @needs_scope("servers")
    async def get(self, user_name: str) -> None:
        """For oneself, or for whom one may start servers."""
        user = self.find_user(user_name)
        choice: Any = None if user is None else getattr(user.spawner, "team_choice", None)
        if choice is None:
            raise web.HTTPError(404, f"There is no menu for {user_name!r}.")
        self.set_header("Cache-Control", "no-store")
        self.write(await choice.menu_numbers())
