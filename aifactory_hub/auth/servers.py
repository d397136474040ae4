"""Servers of users, as the authenticator sees them: which team one is in, and how to stop it."""

from __future__ import annotations

from typing import Any

from ..domain.server_ends import ENDED, ServerEnd


async def stop_server(app: Any, user: Any, server: str, end: ServerEnd | None = None) -> None:
    """Stop a server as the hub's own API does. ``end`` is what its owner is told, until they start it again."""
    await app.proxy.delete_user(user, server)
    if end is None:
        await user.stop(server)
        return
    stored, record = user.spawners[server].orm_spawner, getattr(user.spawners[server], "record", None)
    if record is not None:
        record.end = end
    await user.stop(server)
    # Also for spawners that remember nothing of this themselves.
    stored.state = {**(stored.state or {}), ENDED: end.to_state()}
    app.db.commit()


def server_tenant(spawner: Any) -> str | None:
    """The team that a server is bound to: what its spawner has stored before it created anything."""
    state = spawner.orm_spawner.state or {} if spawner.orm_spawner is not None else {}
    bound = state.get("aifactory")
    return bound.get("tenant") if isinstance(bound, dict) else None
