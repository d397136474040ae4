"""The ID token: proof of who signed in, checked in full. No I/O here; the keys are an argument."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

# Asymmetric only: with HS256 everybody who knows the client secret, and with "none" anybody, could sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
# Seconds that the two clocks may differ.
LEEWAY = 60

Json = Mapping[str, Any]


class IdTokenError(Exception):
    """The ID token does not prove what it must. The text says which check failed, never the token itself."""


class OtherSubject(IdTokenError):
    """The answer is about somebody else than it was asked about."""


class UnknownKey(IdTokenError):
    """Signed with a key that is not among those known: perhaps the provider has rotated its keys."""


def verify_id_token(
    token: str, keys: Sequence[Json], *, issuer: str, client_id: str, nonce: str | None = None
) -> dict[str, Any]:
    """The claims of a token that passed every check of OpenID Connect Core 3.1.3.7. Raises IdTokenError.

    ``nonce`` None means that none was sent (a refreshed token).
    """
    required = ["iss", "sub", "aud", "exp", "iat"]
    claims = _verified(token, keys, issuer=issuer, audience=client_id, required=required)
    _check_claims(claims, client_id, nonce)
    return claims


BACK_CHANNEL = "http://schemas.openid.net/event/backchannel-logout"


def verify_logout_token(token: str, keys: Sequence[Json], *, issuer: str, client_id: str) -> dict[str, Any]:
    """The claims of a logout token that passed every check of OpenID Connect Back-Channel Logout 2.6.

    Raises IdTokenError. Whether its ``jti`` was seen before is the caller's to know.
    """
    claims = _verified(token, keys, issuer=issuer, audience=client_id, required=["iss", "aud", "iat", "exp", "jti"])
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(BACK_CHANNEL), Mapping):
        raise IdTokenError("the logout token is about another event")
    if "nonce" in claims:
        raise IdTokenError("the logout token has a nonce, so it is an ID token")
    if not isinstance(claims["jti"], str) or not claims["jti"]:
        raise IdTokenError("the logout token has no id of its own (jti)")
    if not any(isinstance(claims.get(name), str) and claims[name] for name in ("sub", "sid")):
        raise IdTokenError("the logout token names neither a subject (sub) nor a session (sid)")
    return claims


def verify_userinfo(token: str, keys: Sequence[Json], *, issuer: str, client_id: str) -> dict[str, Any]:
    """The claims of a userinfo answer that is a JWT (OpenID Connect Core 5.3.2). Raises IdTokenError."""
    try:
        return _verified(token, keys, issuer=issuer, audience=client_id, required=["iss", "sub", "aud"])
    except IdTokenError as error:
        raise type(error)(str(error).replace("the ID token", "the signed userinfo answer")) from error


def verify_access_token(token: str, keys: Sequence[Json], *, issuer: str, client_id: str) -> dict[str, Any]:
    """The claims of an access token that is a JWT and was issued to this client. Raises IdTokenError.

    It is for another audience by design, so it is its client that has to be ours: ``azp``, ``client_id`` or ``cid``.
    """
    try:
        claims = _verified(token, keys, issuer=issuer, audience=None, required=["iss", "sub", "exp"])
    except IdTokenError as error:
        raise type(error)(str(error).replace("the ID token", "the access token")) from error
    audience = claims.get("aud")
    named = {claims.get(name) for name in ("azp", "client_id", "cid")} - {None}
    ours = named == {client_id} or (not named and client_id in (audience if isinstance(audience, list) else [audience]))
    if not ours:
        raise IdTokenError("the access token was not issued to this client (azp)")
    return claims


def _verified(
    token: str, keys: Sequence[Json], *, issuer: str, audience: str | None, required: list[str]
) -> dict[str, Any]:
    header = _header(token)
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise IdTokenError(f"the ID token is signed with {algorithm!r}, which is not allowed")
    key = _key(keys, header.get("kid"), algorithm)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY,
            options={"require": required, "verify_aud": audience is not None},
        )
    except jwt.PyJWTError as error:
        raise IdTokenError(f"the ID token is not valid: {error}") from error
    return claims


def _header(token: str) -> dict[str, Any]:
    try:
        return dict(jwt.get_unverified_header(token))
    except jwt.PyJWTError as error:
        raise IdTokenError(f"the ID token can't be read: {error}") from error


def _key(keys: Sequence[Json], kid: Any, algorithm: str) -> jwt.PyJWK:
    """The key that the token names; without a name, the only one there is."""
    signing = [key for key in keys if key.get("use", "sig") == "sig"]
    fitting = [key for key in signing if key.get("kid") == kid] if kid is not None else signing
    if not fitting:
        raise UnknownKey("the ID token is signed with a key that the identity provider does not publish")
    if len(fitting) > 1:
        raise IdTokenError("the ID token does not say which of the identity provider's keys signed it")
    if fitting[0].get("kty") == "oct" or fitting[0].get("alg", algorithm) != algorithm:
        raise IdTokenError(f"the key that the ID token names is not one for {algorithm}")
    try:
        # The algorithm is bound to the key, so that a key is never used with another family's.
        return jwt.PyJWK(dict(fitting[0]), algorithm)
    except jwt.PyJWTError as error:
        raise IdTokenError(f"the identity provider's key can't be used with {algorithm}: {error}") from error


def _check_claims(claims: Json, client_id: str, nonce: str | None) -> None:
    audience, party = claims["aud"], claims.get("azp")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise IdTokenError("the ID token is for several clients and does not say which one asked (azp)")
    if party is not None and party != client_id:
        raise IdTokenError("the ID token was issued to another client (azp)")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise IdTokenError("the ID token names no subject (sub)")
    if nonce is not None and not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise IdTokenError("the ID token does not belong to this sign-in (nonce)")
