"""The two ends of a sign-in: to the identity provider, and back."""

from __future__ import annotations

import time
from http import HTTPStatus
from secrets import token_urlsafe
from typing import Any

from oauthenticator.oauth2 import (
    OAuthCallbackHandler,
    OAuthLoginHandler,
    _deserialize_state,
    _serialize_state,
)
from tornado.httpclient import HTTPClientError

from ..domain.accounts import Subject
from .accounts import OtherPerson
from .id_token import IdTokenError
from .memberships import read_kept
from .pages import ProblemPage
from .provider import ProviderUnreachable


class LoginHandler(OAuthLoginHandler):
    """Sends the browser to the provider, with a nonce that is kept in the signed state cookie."""

    _nonce = ""

    async def get(self) -> None:
        try:
            await self.authenticator.discover()
        except ProviderUnreachable as error:
            raise _unreachable_page(error) from error
        super().get()

    def set_state_cookie(self, state_cookie_value: str) -> None:
        self._nonce = token_urlsafe(24)
        state = {**_deserialize_state(state_cookie_value), "nonce": self._nonce}
        super().set_state_cookie(_serialize_state(state))

    def authorize_redirect(self, *args: Any, **kwargs: Any) -> None:
        kwargs["extra_params"] = {**(kwargs.get("extra_params") or {}), "nonce": self._nonce}
        super().authorize_redirect(*args, **kwargs)


class CallbackHandler(OAuthCallbackHandler):
    """Takes the browser back, and says in words what went wrong."""

    async def get(self) -> None:
        try:
            await super().get()
        except ProviderUnreachable as error:
            raise _unreachable_page(error) from error
        except ProblemPage as error:
            self.authenticator.sign_ins.note_refusal(error.jupyterhub_message, time.time())
            raise
        except OtherPerson as error:
            raise self._other_person(error) from error
        except IdTokenError as error:
            self.log.warning("Sign-in refused: %s", error)
            self.authenticator.sign_ins.note_refusal(str(error), time.time())
            raise ProblemPage(HTTPStatus.FORBIDDEN, f"You could not be signed in: {error}.") from error
        except HTTPClientError as error:
            message = f"The identity provider did not accept this sign-in (it answered {error.code})."
            raise ProblemPage(HTTPStatus.BAD_REQUEST, message) from error

    async def auth_to_user(self, authenticated: Any, user: Any = None) -> Any:
        """As upstream, for a person who passed every check: their account is bound, then written."""
        kept = read_kept(authenticated["auth_state"])
        assert kept is not None  # update_auth_model has put it there
        self.authenticator.accounts.bind(authenticated["name"], Subject(kept.issuer, kept.subject))
        user = await super().auth_to_user(authenticated, user)
        # Servers that run in a team which this sign-in says was left are looked at now.
        if self.authenticator.poller is not None:
            self.authenticator.poller.soon(user.name)
        return user

    def _other_person(self, error: OtherPerson) -> ProblemPage:
        """Log who was refused, so that an administrator can hand the account over; the page names nobody."""
        name, person = error.decision.name, error.person
        why = f"account {name} is another person's ({error.decision.outcome.value})"
        self.log.warning("Sign-in refused: %s. Refused: subject %r of %s", why, person.subject, person.issuer)
        self.authenticator.sign_ins.note_refusal(f"{why}; refused: subject {person.subject}", time.time(), name)
        return ProblemPage(HTTPStatus.FORBIDDEN, str(error))

    def check_arguments(self) -> None:
        super().check_arguments()
        issuer = self.get_argument("iss", None)
        # RFC 9207: an answer of another provider must not be taken for this one's.
        if issuer is not None and issuer != self.authenticator.issuer:
            raise ProblemPage(HTTPStatus.BAD_REQUEST, "The answer comes from another identity provider.")

    def sent_nonce(self) -> str:
        """The nonce of this browser's sign-in; "" when there is none."""
        return str(_deserialize_state(self.get_state_cookie()).get("nonce") or "")


def _unreachable_page(error: ProviderUnreachable) -> ProblemPage:
    return ProblemPage(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"Nobody can be signed in now: {error}. Running servers are not affected. Try again in a minute.",
    )
