"""What is about to happen to a server, for the server itself to say where its owner works."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope
from tornado import web

from ..domain.server_ends import NOTICE, Notice


class ServerNotice(APIHandler):
    """For whoever may reach the server: its own token may."""

    @needs_scope("access:servers")
    async def get(self, user_name: str, server_name: str = "") -> None:
        """``notice`` is null as long as nothing is about to happen."""
        user = self.find_user(user_name)
        stored = None if user is None else user.orm_user.orm_spawners.get(server_name)
        if stored is None:
            raise web.HTTPError(404, f"{user_name} has no server {server_name!r}.")
        self.set_header("Cache-Control", "no-store")
        spawner = user.spawners.get(server_name)
        self.write({"notice": notice_answer(stored.state, getattr(spawner, "aifactory_budget_notice", None))})


def notice_answer(state: Any, by_budget: Notice | None) -> dict[str, str] | None:
    """Why and when, by the server's state in the hub's database and by what a budget says; the first of the two.

    ``why`` goes on from "it is stopped at that time".
    """
    quota = Notice.from_state((state or {}).get(NOTICE))
    known = [
        (notice.until, f"{because}: {notice.why}")
        for notice, because in ((quota, "to give its quota back"), (by_budget, "by a budget"))
        if notice is not None
    ]
    if not known:
        return None
    until, why = min(known)
    return {"why": why, "until": datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds")}
