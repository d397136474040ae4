"""The token that a server has for the hub's API."""

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


def reuse_token(user: Any, server: str, new: str, running: str, tenant: str) -> None:
    """Give the token of a notebook that runs the rights of the ``new`` one, which the notebook can't be given any more.

    Raises RuntimeError when the hub does not know the new token.
    """
    narrow_token(user.db, new, tenant)
    if orm.APIToken.find(user.db, running) is None:
        scopes = orm.APIToken.find(user.db, new).scopes
        user.new_api_token(running, generated=False, note=f"of the running server {server}", scopes=scopes)
