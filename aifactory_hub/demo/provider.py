"""A small OpenID Connect provider, whose only shortcut is that a person is chosen instead of proving who they are.

Source of the protocol: OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (``iss`` in the answer).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from tornado.web import Application, RequestHandler

from .people import DemoPerson
from .provider_page import people_page, problem_page

# Seconds.
CODE_LASTS = 60.0
TOKEN_LASTS = 3600.0
_KEY_ID = "demo"


class BadRequest(Exception):
    """The client asked for something that is not allowed: an OAuth error code and what is wrong."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class Grant:
    """A sign-in on its way. ``person`` is set once somebody was chosen. ``ends`` is on the provider's clock."""

    redirect_uri: str
    state: str
    nonce: str
    challenge: str
    ends: float
    person: DemoPerson | None = None


@dataclass
class DemoProvider:
    """All that the provider knows. Its key and its tokens end with the process."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uris: frozenset[str]
    people: Sequence[DemoPerson]
    clock: Callable[[], float] = time.time
    _key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    _waiting: dict[str, Grant] = field(default_factory=dict)
    _codes: dict[str, Grant] = field(default_factory=dict)
    _access: dict[str, tuple[DemoPerson, float]] = field(default_factory=dict)
    _refresh: dict[str, DemoPerson] = field(default_factory=dict)

    def begin(self, asked: dict[str, str]) -> str:
        """Take an authorization request; the id under which it waits for a choice. Raises BadRequest."""
        if asked.get("client_id") != self.client_id or asked.get("redirect_uri") not in self.redirect_uris:
            raise BadRequest("invalid_request", "the client or its redirect_uri is not known here")
        if asked.get("response_type") != "code":
            raise BadRequest("unsupported_response_type", "response_type has to be code")
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            raise BadRequest("invalid_request", "PKCE with S256 is required")
        self._forget()
        request_id = secrets.token_urlsafe(24)
        self._waiting[request_id] = Grant(
            redirect_uri=asked["redirect_uri"],
            state=asked.get("state", ""),
            nonce=asked.get("nonce", ""),
            challenge=asked["code_challenge"],
            ends=self.clock() + TOKEN_LASTS,
        )
        return request_id

    def choose(self, request_id: str, name: str) -> str:
        """Somebody was chosen: the address to send the browser back to. Raises BadRequest."""
        person = next((person for person in self.people if person.name == name), None)
        grant = self._waiting.pop(request_id, None)
        if grant is None or person is None:
            raise BadRequest("invalid_request", "this sign-in was answered before, or is too old: begin it again")
        code = secrets.token_urlsafe(32)
        self._codes[code] = replace(grant, person=person, ends=self.clock() + CODE_LASTS)
        return f"{grant.redirect_uri}?{urlencode({'code': code, 'state': grant.state, 'iss': self.issuer})}"

    def token(self, given: dict[str, str]) -> dict[str, Any]:
        """The token endpoint's answer. Raises BadRequest."""
        known = hmac.compare_digest(given.get("client_secret", "").encode(), self.client_secret.encode())
        if given.get("client_id") != self.client_id or not known:
            raise BadRequest("invalid_client", "the client's id or secret is wrong")
        if given.get("grant_type") == "authorization_code":
            person, nonce = self._redeem(given)
        elif given.get("grant_type") == "refresh_token":
            found = self._refresh.pop(given.get("refresh_token", ""), None)
            if found is None:
                raise BadRequest("invalid_grant", "the refresh token is not known")
            person, nonce = found, ""
        else:
            raise BadRequest("unsupported_grant_type", "grant_type has to be authorization_code or refresh_token")
        return self._issue(person, nonce)

    def userinfo(self, access_token: str) -> dict[str, object] | None:
        """What is known of a token's person; None for a token that is not known or has ended."""
        person, ends = self._access.get(access_token, (None, 0.0))
        return person.claims() if person is not None and self.clock() < ends else None

    def discovery(self) -> dict[str, Any]:
        """The discovery document."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "profile", "email", "groups"],
            "authorization_response_iss_parameter_supported": True,
        }

    def keys(self) -> dict[str, Any]:
        """The public key, as a key set."""
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**key, "kid": _KEY_ID, "use": "sig", "alg": "RS256"}]}

    def _redeem(self, given: dict[str, str]) -> tuple[DemoPerson, str]:
        # Popped: a code works once.
        grant = self._codes.pop(given.get("code", ""), None)
        if grant is None or grant.person is None or self.clock() > grant.ends:
            raise BadRequest("invalid_grant", "the code is not known, was used, or is too old")
        if given.get("redirect_uri") != grant.redirect_uri:
            raise BadRequest("invalid_grant", "redirect_uri is not the one that the code was asked with")
        if not hmac.compare_digest(challenge_of(given.get("code_verifier", "")), grant.challenge):
            raise BadRequest("invalid_grant", "code_verifier does not fit the challenge")
        return grant.person, grant.nonce

    def _issue(self, person: DemoPerson, nonce: str) -> dict[str, Any]:
        now = self.clock()
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._access[access] = (person, now + TOKEN_LASTS)
        self._refresh[refresh] = person
        claims = {**person.claims(), "iss": self.issuer, "aud": self.client_id, "iat": int(now)}
        claims["exp"] = int(now + TOKEN_LASTS)
        if nonce:
            claims["nonce"] = nonce
        id_token = jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": _KEY_ID})
        return {
            "access_token": access,
            "refresh_token": refresh,
            "id_token": id_token,
            "token_type": "Bearer",
            "expires_in": int(TOKEN_LASTS),
        }

    def _forget(self) -> None:
        now = self.clock()
        self._waiting = {key: grant for key, grant in self._waiting.items() if grant.ends > now}
        self._codes = {key: grant for key, grant in self._codes.items() if grant.ends > now}
        self._access = {key: (person, ends) for key, (person, ends) in self._access.items() if ends > now}


def challenge_of(verifier: str) -> str:
    """PKCE's S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def make_provider_app(provider: DemoProvider) -> Application:
    """The provider's routes."""
    arguments = {"provider": provider}
    routes = [
        (r"/\.well-known/openid-configuration", _Discovery, arguments),
        (r"/keys", _Keys, arguments),
        (r"/authorize", _Authorize, arguments),
        (r"/token", _Token, arguments),
        (r"/userinfo", _UserInfo, arguments),
    ]
    return Application(routes)


class _Handler(RequestHandler):
    def initialize(self, provider: DemoProvider) -> None:
        self.provider = provider

    def set_default_headers(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")

    def problem(self, error: BadRequest) -> None:
        self.set_status(HTTPStatus.BAD_REQUEST)
        self.finish(problem_page(escape(error.description)))


class _Discovery(_Handler):
    def get(self) -> None:
        self.finish(self.provider.discovery())


class _Keys(_Handler):
    def get(self) -> None:
        self.finish(self.provider.keys())


class _Authorize(_Handler):
    def get(self) -> None:
        asked = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        try:
            self.finish(people_page(self.provider.begin(asked), self.provider.people))
        except BadRequest as error:
            self.problem(error)

    def post(self) -> None:
        # The request's id can't be guessed, so it also proves that the form was shown to this browser.
        request_id, name = self.get_body_argument("request", ""), self.get_body_argument("person", "")
        try:
            self.redirect(self.provider.choose(request_id, name), status=HTTPStatus.SEE_OTHER)
        except BadRequest as error:
            self.problem(error)


class _Token(_Handler):
    def post(self) -> None:
        given = {name: self.get_body_argument(name) for name in self.request.body_arguments}
        try:
            self.finish(self.provider.token({**given, **_basic(self.request.headers.get("Authorization", ""))}))
        except BadRequest as error:
            self.set_status(HTTPStatus.BAD_REQUEST)
            self.finish({"error": error.error, "error_description": error.description})


class _UserInfo(_Handler):
    def get(self) -> None:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        claims = self.provider.userinfo(token) if scheme.lower() == "bearer" else None
        if claims is None:
            self.set_status(HTTPStatus.UNAUTHORIZED)
            self.finish({"error": "invalid_token"})
        else:
            self.finish(claims)


def _basic(header: str) -> dict[str, str]:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        client_id, _, secret = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return {}
    return {"client_id": client_id, "client_secret": secret}
