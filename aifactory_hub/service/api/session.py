"""Whose token a request comes with: the one in its header, or the one of the browser's session."""

from __future__ import annotations

from collections.abc import Mapping

from tornado.web import RequestHandler

from ..auth.browser_session import COOKIE, MOST_DAYS, PROOF_PARAMETER, Asking, proof_of, refusal
from ..errors import forbidden

_BEARER = "Bearer "


class SessionHandler(RequestHandler):
    """Reads the session's cookie. The rights of a session are those of the hub's token in it, as for any token."""

    def authorization(self) -> str | None:
        """The header, or the session as one. Raises ServiceError (403) where the session can't be used."""
        token = None if "Authorization" in self.request.headers else self.session_token()
        if token is not None:
            why = refusal(self.asking(), self.proof_for(token))
            if why is not None:
                raise forbidden(why)
        return self.sent_authorization()

    def sent_authorization(self) -> str | None:
        """As ``authorization``, whoever made the browser send it: nothing may be given away for it."""
        header = self.request.headers.get("Authorization")
        token = self.session_token() if header is None else None
        return header if token is None else _BEARER + token

    def session_token(self) -> str | None:
        """The hub's token of the browser's session; None without one."""
        token = self.get_signed_cookie(COOKIE, max_age_days=MOST_DAYS)
        return None if token is None else token.decode("ascii", "replace")

    @property
    def in_browser(self) -> bool:
        """Whether the request comes with the session of a browser: of a person who signed in at this service."""
        return "Authorization" not in self.request.headers and self.session_token() is not None

    def proof_for(self, token: str) -> str:
        """What the page of this session proves itself with."""
        key: bytes = self.settings["proof_key"]
        return proof_of(key, token)

    def asking(self) -> Asking:
        """What the browser says of this request."""
        request = self.request
        given = request.query_arguments.get(PROOF_PARAMETER, [b""])[-1].decode("ascii", "replace")
        return Asking.of(request.method or "", request.host, request.headers, given or None)

    def asked_arguments(self) -> Mapping[str, list[bytes]]:
        """The URL's parameters that are the caller's."""
        return {name: values for name, values in self.request.query_arguments.items() if name != PROOF_PARAMETER}
