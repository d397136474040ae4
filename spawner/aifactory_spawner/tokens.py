"""The token that a server gets."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm

from aifactory_hub.auth.roles import keep_tenant


def narrow_token(db: Any, token: str, tenant: str) -> None:
    """Take the rights in other tenants from a server's token: the hub made it before the choice was known.

    Raises RuntimeError when the hub knows no such token.
    """
    found = orm.APIToken.find(db, token)
    if found is None:
        raise RuntimeError("the hub does not know the server's own token, so it can't be narrowed")
    found.update_scopes(keep_tenant(found.scopes, tenant))
    db.commit()
