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

from .id_token import IdTokenError
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
        except IdTokenError as error:
            self.log.warning("Sign-in refused: %s", error)
            self.authenticator.sign_ins.note_refusal(str(error), time.time())
            raise ProblemPage(HTTPStatus.FORBIDDEN, f"You could not be signed in: {error}.") from error
        except HTTPClientError as error:
            message = f"The identity provider did not accept this sign-in (it answered {error.code})."
            raise ProblemPage(HTTPStatus.BAD_REQUEST, message) from error

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
