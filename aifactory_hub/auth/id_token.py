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


class UnknownKey(IdTokenError):
    """Signed with a key that is not among those known: perhaps the provider has rotated its keys."""


def verify_id_token(
    token: str, keys: Sequence[Json], *, issuer: str, client_id: str, nonce: str | None = None
) -> dict[str, Any]:
    """The claims of a token that passed every check of OpenID Connect Core 3.1.3.7. Raises IdTokenError.

    ``nonce`` None means that none was sent (a refreshed token).
    """
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
            audience=client_id,
            issuer=issuer,
            leeway=LEEWAY,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except jwt.PyJWTError as error:
        raise IdTokenError(f"the ID token is not valid: {error}") from error
    _check_claims(claims, client_id, nonce)
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
