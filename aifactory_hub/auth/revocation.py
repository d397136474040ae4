"""Revokes what a session of a user gave: the browser sessions, or every token."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm

# The client under which the hub files the tokens of servers and those that people make for themselves.
_HUB_CLIENT = "jupyterhub"


def end_browser_sessions(user: Any) -> None:
    """Sign all browsers of the user out, at the hub and at servers. Tokens of servers and the user's own stay."""
    for token in list(user.orm_user.api_tokens):
        if token.session_id is not None or token.client_id != _HUB_CLIENT:
            user.db.delete(token)
    _forget_cookies(user)


def end_everything(user: Any) -> None:
    """As ``end_browser_sessions``, and delete every token of the user."""
    for token in list(user.orm_user.api_tokens):
        user.db.delete(token)
    _forget_cookies(user)


def _forget_cookies(user: Any) -> None:
    for code in user.db.query(orm.OAuthCode).filter(orm.OAuthCode.user_id == user.orm_user.id):
        user.db.delete(code)
    # The hub knows a browser by this.
    user.orm_user.cookie_id = orm.new_token()
    user.db.commit()
