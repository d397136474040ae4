"""An identity provider for tests, over real HTTP, that can be told to be wrong in every way that matters."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from tornado import httpserver, netutil, web

from .certificates import ServerTls

Json = dict[str, Any]
BACK_CHANNEL = "http://schemas.openid.net/event/backchannel-logout"


def make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_jwk(key: rsa.RSAPrivateKey, kid: str) -> Json:
    jwk: Json = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {**jwk, "kid": kid, "use": "sig", "alg": "RS256"}


@dataclass
class OidcProvider:
    """``account`` is who signs in next. The rest is what a hostile or broken provider does differently.

    ``change`` alters the ID token's claims, ``sign`` replaces its signing, ``token_answer`` and ``userinfo_answer``
    replace whole answers by (status, body).
    """

    client_id: str = "hub"
    client_secret: str = "secret-of-the-hub"
    account: Json = field(default_factory=lambda: {"sub": "1", "name": "ada", "groups": ["teams/nlp"]})
    change: Callable[[Json], Json] = lambda claims: claims
    sign: Callable[[Json, OidcProvider], str] | None = None
    token_answer: tuple[int, Any] | None = None
    userinfo_answer: tuple[int, Any] | None = None
    issuer_said: str | None = None
    callback_extra: dict[str, str] = field(default_factory=dict)
    # With refresh tokens, which then work once each, everybody's own account answers.
    refresh: bool = False
    refresh_lasts: int | None = None
    people: dict[str, Json] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    # Whose renewals are done, and the answer is lost; and whose were.
    loses_answers: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    # What an access token is and what a renewal brings, where groups are read from tokens.
    access_claims: Json | None = None
    renews_id_token: bool = True
    tls: ServerTls | None = None

    def __post_init__(self) -> None:
        self.key, self.kid = make_key(), "first"
        self.published = [public_jwk(self.key, self.kid)]
        self.asked: list[str] = []
        self.port = 0
        self._codes: dict[str, dict[str, Any]] = {}
        self._tokens: dict[str, str] = {}  # access and refresh tokens, each with whose it is
        self.signed_out: list[str] = []

    @property
    def issuer(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.port}"

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish it beside the old one."""
        self.key, self.kid = make_key(), f"key-{len(self.published)}"
        self.published.append(public_jwk(self.key, self.kid))

    def sane(self) -> None:
        """Back to an honest provider."""
        self.change, self.sign, self.token_answer = (lambda claims: claims), None, None
        self.userinfo_answer, self.issuer_said, self.callback_extra = None, None, {}
        self.account = {"sub": "1", "name": "ada", "groups": ["teams/nlp"]}
        self.refresh, self.refresh_lasts, self.disabled = False, None, set()
        self.loses_answers, self.access_claims, self.renews_id_token = set(), None, True

    def id_token(self, nonce: str | None, sub: str | None = None) -> str:
        now = int(time.time())
        claims: Json = {"iss": self.issuer, "aud": self.client_id, "sub": sub or self.account["sub"], "iat": now}
        claims["sid"] = f"session-of-{claims['sub']}"
        claims |= {"exp": now + 300} | ({"nonce": nonce} if nonce else {})
        changed = self.change(claims)
        if self.sign is not None:
            return self.sign(changed, self)
        return jwt.encode(changed, self.key, "RS256", headers={"kid": self.kid})

    def answer(self, path: str, query: dict[str, str], body: dict[str, str]) -> tuple[int, Any]:
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return 200, self._document()
        if path == "/keys":
            return 200, {"keys": self.published}
        if path == "/authorize":
            return self._authorize(query)
        if path == "/token":
            return self.token_answer or self._token(body)
        if path == "/userinfo":
            return self.userinfo_answer or (200, self.account)
        if path == "/logout":
            self.signed_out.append(body["id_token_hint"])
            return 200, "signed out at the provider"
        return 404, {}

    def _document(self) -> Json:
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "userinfo_endpoint": "userinfo"}
        document = {name: f"{self.issuer}/{path}" for name, path in ends.items()}
        document["end_session_endpoint"] = f"{self.issuer}/logout"
        return {**document, "jwks_uri": f"{self.issuer}/keys", "issuer": self.issuer_said or self.issuer}

    def _authorize(self, query: dict[str, str]) -> tuple[int, Any]:
        code = f"code-{len(self._codes)}"
        self._codes[code] = {**query, "sub": self.account["sub"]}
        self.people[self.account["sub"]] = self.account
        back = urlencode({"code": code, "state": query["state"], **self.callback_extra})
        return 302, f"{query['redirect_uri']}?{back}"

    def userinfo(self, authorization: str) -> tuple[int, Any]:
        """The userinfo answer to this Authorization header."""
        self.asked.append("/userinfo")
        if self.userinfo_answer is not None:
            return self.userinfo_answer
        if not self.refresh:
            return 200, self.account
        sub = self._tokens.get(authorization.removeprefix("Bearer "), "")
        return (200, self.people[sub]) if sub and sub not in self.disabled else (401, {"error": "invalid_token"})

    def _grant(self, sub: str, nonce: str | None) -> tuple[int, Any]:
        access, again = (f"{kind}-{secrets.token_hex(8)}" for kind in ("access", "refresh"))
        if self.access_claims is not None:
            now = int(time.time())
            claims = {"iss": self.issuer, "sub": sub, "azp": self.client_id, "exp": now + 300, "jti": again}
            access = jwt.encode(claims | self.access_claims, self.key, "RS256", headers={"kid": self.kid})
        self._tokens |= {access: sub, again: sub}
        answer = {"access_token": access, "refresh_token": again}
        if nonce is not None or self.renews_id_token:
            answer["id_token"] = self.id_token(nonce, sub)
        lasts = {} if self.refresh_lasts is None else {"refresh_expires_in": self.refresh_lasts}
        return 200, {**answer, **lasts, "token_type": "Bearer"}

    def logout_token(self, who: str, **changed: Any) -> str:
        """What the provider posts to the hub when a session is over."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 120, "sub": who}
        claims |= {"jti": secrets.token_hex(8), "events": {BACK_CHANNEL: {}}} | changed
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.key, "RS256", headers={"kid": self.kid, "typ": "logout+jwt"})

    def _token(self, body: dict[str, str]) -> tuple[int, Any]:
        if body.get("grant_type") == "refresh_token":
            sub = self._tokens.pop(body.get("refresh_token", ""), None)
            if body.get("client_secret") != self.client_secret:
                return 401, {"error": "invalid_client"}
            if sub is None or sub in self.disabled:
                return 400, {"error": "invalid_grant"}
            if sub in self.loses_answers:
                self.lost.add(sub)
                return 502, "lost on the way"
            return self._grant(sub, None)
        asked = self._codes.pop(body.get("code", ""), None)
        if asked is None or body.get("client_secret") != self.client_secret:
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(body["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        if self.refresh:
            return self._grant(asked["sub"], asked.get("nonce"))
        token = self.id_token(asked.get("nonce"))
        return 200, {"access_token": "an-access-token", "token_type": "Bearer", "id_token": token}


class _Handler(web.RequestHandler):
    provider: OidcProvider

    def initialize(self, provider: OidcProvider) -> None:
        self.provider = provider

    def get(self) -> None:
        query = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        body = {name: self.get_body_argument(name) for name in self.request.body_arguments}
        if self.request.path == "/userinfo":
            status, answer = self.provider.userinfo(self.request.headers.get("Authorization", ""))
        else:
            status, answer = self.provider.answer(self.request.path, query, body)
        if status == 302:
            self.redirect(answer)
            return
        self.set_status(status)
        if isinstance(answer, str) and answer.startswith("eyJ"):
            self.set_header("Content-Type", "application/jwt")
        self.finish(answer if isinstance(answer, (str, bytes)) else json.dumps(answer))

    post = get


@contextmanager
def oidc_provider(**settings: Any) -> Iterator[OidcProvider]:
    """A running provider, in a thread of its own."""
    provider = OidcProvider(**settings)
    started, ended = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        context = None if provider.tls is None else provider.tls.context
        server = httpserver.HTTPServer(web.Application([(".*", _Handler, {"provider": provider})]), ssl_options=context)
        sockets = netutil.bind_sockets(0, "127.0.0.1")
        provider.port = sockets[0].getsockname()[1]
        server.add_sockets(sockets)
        loops.append(asyncio.get_running_loop())
        started.set()
        await ended.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield provider
    finally:
        loops[0].call_soon_threadsafe(ended.set)
        thread.join(10)
