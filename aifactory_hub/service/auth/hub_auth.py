"""Asks the hub who a token belongs to."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any, Protocol

from jupyterhub.services.auth import HubAuth
from tornado.web import HTTPError

from ... import constants
from ...domain.membership_policy import SessionStatus
from ..errors import ServiceError, forbidden, not_signed_in, unavailable
from ..shared_tasks import has_failed, retrieve_exception
from .memberships import HubMembers, not_known
from .permissions import Caller

# An answer serves reading for this long, in seconds, and so does a token that was revoked. Changes are asked afresh.
CACHE_MAX_AGE = 10.0
# For changes the hub is asked afresh, by one token once in so many seconds.
SHARED = 0.5
_MOST_ASKED = 10_000
_TIMEOUT = 10.0
_BEARER = re.compile(r"(?:token|bearer)\s+([\x21-\x7e]{1,512})", re.IGNORECASE)


class Gate(Protocol):
    """Turns a request's Authorization header into a caller, or raises ServiceError."""

    async def caller(self, authorization: str | None, *, fresh: bool) -> Caller:
        """``fresh`` asks the hub even if it was asked a moment ago."""

    def last_owner(self, authorization: str | None) -> str | None:
        """Whose token it was when the hub was last asked; None where it was not. It may have been revoked since."""


class HubGate:
    """The gate to the real hub: JupyterHub's own HubAuth for tokens, our endpoint for who belongs where."""

    def __init__(self, api_url: str, api_token: str) -> None:
        self._auth = HubAuth(
            api_url=api_url,
            api_token=api_token,
            access_scopes={f"access:services!service={constants.SERVICE_NAME}"},
        )
        self.members = HubMembers(api_url, api_token)
        # By token: the last question, and who the last good answer named, each with when it was asked.
        self._asked: dict[str, tuple[float, asyncio.Task[Caller]]] = {}
        self._known: dict[str, tuple[float, Caller]] = {}

    async def caller(self, authorization: str | None, *, fresh: bool) -> Caller:
        """See Gate. A hub that does not answer is 503, never a refusal: nothing is known about the token.

        Many requests of one token at once, such as a sweep's or a hundred streams', share one question to the hub.
        """
        token = bearer(authorization)
        now = time.monotonic()
        known = self._known.get(token)
        if not fresh and known is not None and now - known[0] <= CACHE_MAX_AGE:
            return known[1]
        asked = self._asked.get(token)
        if asked is None or now - asked[0] > SHARED or has_failed(asked[1]):
            if len(self._asked) >= _MOST_ASKED:
                self._asked.clear()
            asked = self._asked[token] = (now, asyncio.create_task(self._ask(token, now)))
            asked[1].add_done_callback(retrieve_exception)
        # Shielded, because others wait for the same answer.
        return await asyncio.shield(asked[1])

    def last_owner(self, authorization: str | None) -> str | None:
        """See Gate."""
        match = _BEARER.fullmatch((authorization or "").strip())
        known = None if match is None else self._known.get(match[1])
        return None if known is None else known[1].name

    async def _ask(self, token: str, now: float) -> Caller:
        """The hub's answer, which is remembered unless it refuses. A hub that does not answer changes nothing."""
        try:
            caller = await self._caller(token)
        except ServiceError as error:
            if error.status != 503:
                self._known.pop(token, None)
            raise
        if len(self._known) >= _MOST_ASKED:
            self._known.clear()
        self._known[token] = (now, caller)
        return caller

    async def _caller(self, token: str) -> Caller:
        model = await self._model(token)
        if model is None:
            raise not_signed_in("The hub does not know this token. It may have been revoked.")
        if not self._auth.check_scopes(self._auth.access_scopes, model):
            raise forbidden("This token is not for this service.")
        if model.get("kind") != "user":
            raise forbidden("This service is for people: a service's token can't be used here.")
        # After the token: the hub has asked the provider again for that, if it is time to.
        membership = (await self.members.of([model["name"]]))[model["name"]]
        if membership.standing is not SessionStatus.KNOWN:
            raise not_known(membership.standing)
        return Caller(
            model["name"], frozenset(model["scopes"]), membership.tenants, membership.admin, membership.approves
        )

    async def close(self) -> None:
        """Let go of connections. JupyterHub 6 keeps a client for each event loop; earlier ones keep none of ours."""
        await self.members.close()
        try:
            from jupyterhub.httpclient import JupyterHubHTTPClient
        except ImportError:
            return
        await JupyterHubHTTPClient.loop_instance().close()

    async def _model(self, token: str) -> dict[str, Any] | None:
        asked = self._auth.user_for_token(token, use_cache=False, sync=False)
        try:
            async with asyncio.timeout(_TIMEOUT):
                model: dict[str, Any] | None = await asked
                return model
        except (HTTPError, TimeoutError) as error:
            message = "The hub does not answer now, so your token can't be checked. Try again in a moment."
            raise unavailable("hub-unavailable", message) from error


def bearer(authorization: str | None) -> str:
    """The token of an Authorization header. Raises ServiceError (401) when there is none."""
    match = _BEARER.fullmatch((authorization or "").strip())
    if match is None:
        raise not_signed_in("Send your hub token: Authorization: Bearer <token>.")
    return match[1]
