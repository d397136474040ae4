"""Renews sessions: asks the provider again who a user is, and applies the answer to groups, tokens and servers."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Protocol
from weakref import WeakValueDictionary

from tornado import web
from tornado.httpclient import HTTPClientError

from ..domain.membership_policy import SessionStatus, refused_session
from ..registry import Registry
from . import revocation
from .id_token import IdTokenError, OtherSubject
from .memberships import KEY, StoredSession, read_kept
from .pages import ProblemPage
from .provider import ProviderUnreachable
from .token_response import STAYS, VERIFIED, VERIFIED_BEFORE

log = logging.getLogger(__name__)

# The account that this task asks about; None while somebody signs in.
_ASKED_ABOUT: ContextVar[str | None] = ContextVar("renewal", default=None)


@dataclass(frozen=True, slots=True)
class _NoAnswer:
    """Nothing was learnt. ``why`` is for the log."""

    why: str


class _Refused(Exception):
    """The provider does not renew the session."""


class _SignedInMeanwhile(Exception):
    """What was asked is about a session that a new sign-in has replaced."""


class OAuthSession(Protocol):
    """The part of the authenticator that a renewal uses, most of it oauthenticator's own."""

    @property
    def registry(self) -> Registry: ...

    @property
    def user_auth_state_key(self) -> str: ...

    def build_refresh_token_request_params(self, refresh_token: str) -> dict[str, Any]:
        """The form of a request for a new token."""

    def build_auth_state_dict(self, token_info: Mapping[str, Any], user_info: Mapping[str, Any]) -> dict[str, Any]:
        """The auth state of a token and a user."""

    async def get_token_info(self, handler: Any, params: Mapping[str, Any]) -> dict[str, Any]:
        """Request a token."""

    async def auth_model_of(self, token_info: Mapping[str, Any]) -> dict[str, Any]:
        """The auth model of whoever a token is for."""

    async def check_allowed(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """Whether a user may use the hub."""


class Renewal:
    """Asks about each user once at a time: a refresh token that rotates works only once.

    ``teams_changed`` is called with the name of a user whose teams are others than before.
    """

    def __init__(self, authenticator: OAuthSession, teams_changed: Callable[[str], None]) -> None:
        self._authenticator = authenticator
        self._teams_changed = teams_changed
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._answered: dict[str, float] = {}

    def answered(self, name: str) -> None:
        """Something is known about this person now, whatever it is."""
        self._answered[name] = time.monotonic()

    def answered_at(self, name: str) -> float:
        """When the provider last answered about the user, on the monotonic clock; -inf if it never did."""
        return self._answered.get(name, -math.inf)

    @property
    def account(self) -> str | None:
        """The account that this task asks about again; None when somebody signs in."""
        return _ASKED_ABOUT.get()

    async def renew(self, user: Any) -> Any:
        """As JupyterHub wants it of ``refresh_user``: the new auth model, True to go on, False to sign in again.

        What was learnt is saved before the next one is let in, with the hub groups that follow from it.
        """
        came = time.time()
        turn = self._turns.setdefault(user.name, asyncio.Lock())
        async with turn:
            state = await user.get_auth_state() or {}
            before = read_kept(state)
            if before is None or not state.get("access_token"):
                self.answered(user.name)  # there is nothing to ask with until the next sign-in
                return False
            if before.resolved_at >= came:
                return before.standing is SessionStatus.KNOWN  # somebody else asked while this one waited
            try:
                with _asking(user.name):
                    return await self._learn(user, state, before)
            except _SignedInMeanwhile:
                log.info("%s has signed in during the renewal: the new session counts", user.name)
                self.answered(user.name)
                return True

    async def _learn(self, user: Any, state: dict[str, Any], before: StoredSession) -> Any:
        try:
            answer = await self._ask(user, state, before)
        except _Refused:
            return await self._closed(user, state, before)
        except OtherSubject as error:
            log.warning("%s: %s", user.name, error)
            return await self._close(user, state, before, SessionStatus.SIGNED_OUT)
        if isinstance(answer, _NoAnswer):
            fresh = (
                before.standing_at(time.time(), self._authenticator.registry.identity.stale_grace)
                is SessionStatus.KNOWN
            )
            log.warning("%s keeps their teams: %s. %s", user.name, "yes" if fresh else "no, too long ago", answer.why)
            return fresh
        now: StoredSession | None = read_kept(answer["auth_state"])
        assert now is not None  # update_auth_model has put it there
        before = await _same_session(user, before)
        now = replace(now, session=now.session or before.session, signed_out=before.signed_out)
        answer["auth_state"][KEY] = now.to_auth_state()
        user.sync_groups(answer["groups"])
        await user.save_auth_state(answer["auth_state"])
        self._learnt(user.name, now, before)
        return answer if await self._still_allowed(user, answer) else False

    async def _ask(self, user: Any, state: dict[str, Any], before: StoredSession) -> dict[str, Any] | _NoAnswer:
        """The new auth model. Raises _Refused when the provider says no, OtherSubject when it answers amiss."""
        try:
            token_info = await self._new_token(user, state, before)
            return await self._authenticator.auth_model_of(token_info)
        except OtherSubject:
            raise
        except (ProviderUnreachable, ProblemPage, IdTokenError) as error:
            return _NoAnswer(str(error))
        except HTTPClientError as error:
            if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise _Refused from error
            return _NoAnswer(f"the identity provider answered {error.code}")
        except web.HTTPError as error:
            return _NoAnswer(f"the identity provider's answer can't be used: {error.log_message}")

    async def _new_token(self, user: Any, state: dict[str, Any], before: StoredSession) -> Mapping[str, Any]:
        """A new token where there is a way to get one: userinfo may only repeat what an old one says."""
        old: dict[str, Any] = state["token_response"]
        if not state.get("refresh_token"):
            return {**old, VERIFIED_BEFORE: True}
        params = self._authenticator.build_refresh_token_request_params(state["refresh_token"])
        try:
            new = await self._authenticator.get_token_info(None, params)
        except HTTPClientError as error:
            if _error_code(error) == "invalid_grant":
                raise _Refused from error
            # For example invalid_client: that is the hub's fault, not the user's.
            raise ProviderUnreachable(f"the identity provider refuses this hub ({error.code})") from error
        except (ProviderUnreachable, IdTokenError):
            await self._doubt(user, state, before)
            raise
        new = {**{name: old[name] for name in STAYS if old.get(name)}, VERIFIED_BEFORE: not new.get(VERIFIED), **new}
        kept = replace(await _same_session(user, before), in_doubt=False)
        built = self._authenticator.build_auth_state_dict(new, state[self._authenticator.user_auth_state_key])
        # Before anything else can fail: the old refresh token may be worth nothing now.
        await user.save_auth_state({**state, **built, KEY: kept.to_auth_state()})
        return new

    async def _doubt(self, user: Any, state: dict[str, Any], before: StoredSession) -> None:
        """The answer is lost: the provider may have taken the refresh token, and given another that nobody has."""
        kept = await _same_session(user, before)
        if not kept.in_doubt:
            await user.save_auth_state({**state, KEY: replace(kept, in_doubt=True).to_auth_state()})

    async def _closed(self, user: Any, state: dict[str, Any], before: StoredSession) -> bool:
        before = await _same_session(user, before)
        if not state.get("refresh_token"):
            standing = SessionStatus.SIGNED_OUT  # an access token simply ends
        else:
            standing = refused_session(
                now=time.time(),
                announced_end=before.session_ends,
                signed_out=before.signed_out,
                in_doubt=before.in_doubt,
            )
        return await self._close(user, state, before, standing)

    async def _close(self, user: Any, state: Mapping[str, Any], before: StoredSession, standing: SessionStatus) -> bool:
        before = await _same_session(user, before)
        now = time.time()
        closed = replace(before, standing=standing, resolved_at=now)
        user.sync_groups([])
        if standing is SessionStatus.ENDED:
            closed = replace(closed, tenants={})
            revocation.end_everything(user)
        log.warning("%s has to sign in again: the session is over (%s)", user.name, standing.value)
        kept = {name: state[name] for name in (self._authenticator.user_auth_state_key,) if name in state}
        await user.save_auth_state({**kept, KEY: closed.to_auth_state()})
        self._learnt(user.name, closed, before)
        return False

    def _learnt(self, name: str, now: StoredSession, before: StoredSession) -> None:
        self.answered(name)
        if dict(now.tenants) != dict(before.tenants):
            self._teams_changed(name)

    async def _still_allowed(self, user: Any, model: dict[str, Any]) -> bool:
        try:
            return bool(await self._authenticator.check_allowed(user.name, model))
        except web.HTTPError:
            log.warning("%s is in no team any more", user.name)
            return False


@contextmanager
def _asking(name: str) -> Iterator[None]:
    token = _ASKED_ABOUT.set(name)
    try:
        yield
    finally:
        _ASKED_ABOUT.reset(token)


async def _same_session(user: Any, before: StoredSession) -> StoredSession:
    """What is kept now, a sign-out since then with it.

    Sign-ins take no turn here. Raises _SignedInMeanwhile rather than let an older answer undo one.
    """
    now = read_kept(await user.get_auth_state())
    if now is None:
        return before
    if now.resolved_at != before.resolved_at:
        raise _SignedInMeanwhile
    return now


def _error_code(error: HTTPClientError) -> str | None:
    """OAuth's error code in a refusal of the token endpoint."""
    try:
        body = json.loads(error.response.body) if error.response is not None else None
    except ValueError:
        return None
    found = body.get("error") if isinstance(body, dict) else None
    return found if isinstance(found, str) else None
