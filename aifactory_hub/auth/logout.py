"""The end of a session, from this side (RP-initiated) and from the provider's (back-channel)."""

from __future__ import annotations

import time
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.utils import url_path_join
from oauthenticator.oauth2 import OAuthLogoutHandler

from . import revocation
from .id_token import IdTokenError, verify_logout_token
from .memberships import KEY, StoredSession, read_kept
from .provider import ProviderUnreachable
from .public_address import outside_origin

# A logout token is a few hundred bytes.
_LARGEST_TOKEN = 16_384
# Ids of tokens that were used. Each is forgotten when its token has expired; more at a time are an attack.
_MOST_TOKENS = 10_000


class LogoutHandler(OAuthLogoutHandler):
    """Signs out here, then at the provider: else the next "Sign in" would need no password."""

    async def default_handle_logout(self) -> None:
        """Remember what the provider has to be told before the person is forgotten."""
        self._id_token = ""
        user = self.current_user
        if user:
            state = await user.get_auth_state() or {}
            self._id_token = str(state.get("id_token") or "")
            if kept := read_kept(state):
                # From now on a session that the provider has ended is no sign of a closed account.
                await user.save_auth_state({**state, KEY: replace(kept, signed_out=True).to_auth_state()})
        await super().default_handle_logout()

    async def render_logout_page(self) -> None:
        """A form that sends itself: the ID token names a person, so it is not for an address or a log."""
        address = None if self.authenticator.logout_redirect_url else await self._end_session()
        if address is None or not self._id_token:
            await super().render_logout_page()
            return
        back = url_path_join(outside_origin(self), self.hub.base_url, "login")
        self.set_header("Cache-Control", "no-store")
        self.finish(
            await self.render_template(
                "aifactory_logout.html",
                address=address,
                fields={
                    "id_token_hint": self._id_token,
                    "client_id": self.authenticator.client_id,
                    "post_logout_redirect_uri": back,
                },
            )
        )

    async def _end_session(self) -> str | None:
        try:
            found: str | None = (await self.authenticator.provider.endpoints()).end_session
        except ProviderUnreachable:
            return None
        return found


class BackChannelLogout(BaseHandler):
    """The provider says that a session is over (OpenID Connect Back-Channel Logout). Only its signature counts."""

    def check_xsrf_cookie(self) -> None:
        """Nothing of a browser is asked for or trusted here."""

    async def post(self) -> None:
        """200 when all of the person's browser sessions are over, 400 for a token that proves nothing."""
        self.set_header("Cache-Control", "no-store")
        token = self.get_body_argument("logout_token", "")
        try:
            claims = await self._claims(token)
        except IdTokenError as error:
            self.log.warning("A logout token was refused: %s", error)
            self._answer(HTTPStatus.BAD_REQUEST, str(error))
            return
        except ProviderUnreachable as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
            return
        for user, kept in await self._people(claims):
            revocation.end_browser_sessions(user)
            state = await user.get_auth_state() or {}
            await user.save_auth_state({**state, KEY: replace(kept, signed_out=True).to_auth_state()})
            self.log.info("%s was signed out by the identity provider", user.name)
        self.set_status(HTTPStatus.OK)
        self.finish()

    async def _claims(self, token: str) -> dict[str, Any]:
        authenticator = self.authenticator
        if not token or len(token) > _LARGEST_TOKEN:
            raise IdTokenError("there is no logout token, or it is too long")
        claims: dict[str, Any] = await authenticator.provider.check(
            lambda keys: verify_logout_token(
                token, keys, issuer=authenticator.issuer, client_id=authenticator.client_id
            )
        )
        if not authenticator.logout_tokens.first_time(claims["jti"], claims["exp"], time.time()):
            raise IdTokenError("the logout token was used before")
        return claims

    async def _people(self, claims: dict[str, Any]) -> list[tuple[Any, StoredSession]]:
        """The users whose sessions end. One that is not the latest may be another browser's, so all of a user's end."""
        found = []
        for user in list(self.app.users.values()):
            kept = read_kept(await user.get_auth_state())
            if kept is None:
                continue
            about = kept.subject == claims["sub"] if claims.get("sub") else kept.session == claims["sid"]
            if about:
                found.append((user, kept))
        return found

    def _answer(self, status: HTTPStatus, text: str) -> None:
        self.set_status(status)
        self.finish({"error": "invalid_request", "error_description": text})


class LogoutTokens:
    """The ids of the logout tokens that were used, so that none is used twice."""

    def __init__(self) -> None:
        self._used: dict[str, float] = {}

    def first_time(self, jti: str, expires: float, now: float) -> bool:
        """Whether this id is new. ``expires`` and ``now`` in epoch seconds; a token is good a little longer."""
        self._used = {seen: until for seen, until in self._used.items() if until > now}
        if jti in self._used or len(self._used) >= _MOST_TOKENS:
            return False
        self._used[jti] = expires + 120
        return True
