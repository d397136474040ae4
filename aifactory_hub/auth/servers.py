"""Servers of users, as the authenticator sees them: which team one is in, and how to stop it."""

from __future__ import annotations

from typing import Any


async def stop_server(app: Any, user: Any, server: str) -> None:
    """Stop a server as the hub's own API does."""
    await app.proxy.delete_user(user, server)
    await user.stop(server)


def server_tenant(spawner: Any) -> str | None:
    """The team that a server is bound to: what its spawner has stored before it created anything."""
    state = spawner.orm_spawner.state or {} if spawner.orm_spawner is not None else {}
    bound = state.get("aifactory")
    return bound.get("tenant") if isinstance(bound, dict) else None
