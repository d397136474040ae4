"""What the hub saw of pods, for the job service: it asks for what it missed while it was away."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from tornado import web

from ..constants import SCOPE_MEMBERSHIPS


class UsageFacts(APIHandler):
    """For the job service's token."""

    async def get(self) -> None:
        """The facts after the number ``after``, in order. 404 with a hub whose spawner watches no cluster."""
        if SCOPE_MEMBERSHIPS not in self.expanded_scopes:
            raise web.HTTPError(HTTPStatus.FORBIDDEN, "This is for the job service.")
        look: Any = getattr(self.settings["spawner_class"], "usage_facts", None)
        after = self.get_query_argument("after", "0")
        if not after.isdecimal() or len(after) > 18:
            raise web.HTTPError(HTTPStatus.BAD_REQUEST, f"after has to be a number, and is {after[:20]!r}")
        answer = None if look is None else await look(int(after))
        if answer is None:
            raise web.HTTPError(HTTPStatus.NOT_FOUND, "This hub's spawner watches no cluster.")
        self.set_header("Cache-Control", "no-store")
        self.write(answer)
