"""Every check of the ID token, each with a token that fails just that one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from aifactory_hub.auth.id_token import IdTokenError, UnknownKey, verify_id_token

from ..support.oidc_provider import make_key, public_jwk

# Tokens are made when a test begins: they are good for a minute, and it may be one of the last of many.
KEY, OTHER = make_key(), make_key()
KEYS = [public_jwk(KEY, "first")]
ISSUER, CLIENT, NONCE = "https://idp.example", "hub", "the-nonce"


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    all_claims = {"iss": ISSUER, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 60, "nonce": NONCE, **changed}
    return {name: value for name, value in all_claims.items() if value is not None}


def signed(key: Any = KEY, algorithm: str = "RS256", kid: str | None = "first", **changed: Any) -> str:
    headers = {"kid": kid} if kid else {}
    return jwt.encode(claims(**changed), key, algorithm, headers=headers)


def check(token: str, keys: list[dict[str, Any]] = KEYS, nonce: str | None = NONCE) -> dict[str, Any]:
    return verify_id_token(token, keys, issuer=ISSUER, client_id=CLIENT, nonce=nonce)


@pytest.mark.parametrize(
    "make",
    [
        lambda: signed(),
        lambda: signed(kid=None),
        lambda: signed(aud=[CLIENT]),
        lambda: signed(aud=[CLIENT, "other"], azp=CLIENT),
        lambda: signed(iat=int(time.time()) + 20),
    ],
    ids=["plain", "no key id and one key", "audience list", "several audiences, ours asked", "clock 20 s ahead"],
)
def test_an_honest_token_passes(make: Callable[[], str]) -> None:
    assert check(make())["sub"] == "1"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: signed(OTHER), "Signature verification failed"),
        (lambda: signed(iss="https://evil.example"), "issuer"),
        (lambda: signed(aud="other"), "Audience"),
        (lambda: signed(aud=[CLIENT, "other"]), "azp"),
        (lambda: signed(azp="other"), "another client"),
        (lambda: signed(nonce="other"), "nonce"),
        (lambda: signed(nonce=None), "nonce"),
        (lambda: signed(exp=int(time.time()) - 120), "expired"),
        (lambda: signed(iat=int(time.time()) + 3600), "not yet valid"),
        (lambda: signed(exp=None), "exp"),
        (lambda: signed(iat=None), "iat"),
        (lambda: signed(iss=None), "iss"),
        (lambda: signed(sub=None), "sub"),
        (lambda: signed(sub=""), "no subject"),
        (lambda: jwt.encode(claims(), "", "none", headers={"kid": "first"}), "not allowed"),
        (lambda: jwt.encode(claims(), "s" * 40, "HS256", headers={"kid": "first"}), "not allowed"),
        (lambda: signed(algorithm="RS512"), "not one for RS512"),
        (lambda: "not.a.token", "can't be read"),
    ],
    ids=[
        "signed by another key", "wrong issuer", "wrong audience", "several audiences", "wrong azp", "wrong nonce",
        "no nonce", "expired", "from the future", "no exp", "no iat", "no iss", "no sub", "empty sub", "alg none",
        "alg HS256", "algorithm not the key's", "rubbish",
    ],
)  # fmt: skip
def test_a_token_that_fails_one_check_is_refused(make: Callable[[], str], said: str) -> None:
    token = make()
    with pytest.raises(IdTokenError, match=said) as refused:
        check(token)
    assert token not in str(refused.value)


def test_an_unknown_key_is_told_apart_because_the_provider_may_have_rotated() -> None:
    with pytest.raises(UnknownKey):
        check(signed(OTHER, kid="second"))


def test_without_a_key_id_two_keys_are_one_too_many() -> None:
    with pytest.raises(IdTokenError, match="which of"):
        check(signed(kid=None), [*KEYS, public_jwk(OTHER, "second")])


def test_a_shared_secret_published_as_a_key_does_not_verify() -> None:
    with pytest.raises(IdTokenError):
        check(signed(), [{"kty": "oct", "kid": "first", "k": "c2VjcmV0"}])


def test_a_key_for_encryption_is_no_signing_key() -> None:
    with pytest.raises(UnknownKey):
        check(signed(), [{**KEYS[0], "use": "enc"}])


def test_a_refreshed_token_need_not_carry_a_nonce() -> None:
    assert check(signed(nonce=None), nonce=None)["sub"] == "1"
