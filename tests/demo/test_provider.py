"""The demo's identity provider: it gives out nothing to who has not followed the protocol."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from aifactory_hub.auth.id_token import verify_id_token
from aifactory_hub.demo.people import PEOPLE
from aifactory_hub.demo.provider import BadRequest, DemoProvider, challenge_of

ISSUER, CLIENT, SECRET, BACK = "http://127.0.0.1:9", "demo", "s3cret", "http://127.0.0.1:8/hub/oauth_callback"
VERIFIER = "v" * 43


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock) -> DemoProvider:
    return DemoProvider(ISSUER, CLIENT, SECRET, frozenset({BACK}), PEOPLE, clock)


def asked(**changes: str) -> dict[str, str]:
    return {
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "response_type": "code",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        "nonce": "n1",
        "state": "s1",
    } | changes


def given(code: str, **changes: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        "code": code,
    } | changes


def code_for(provider: DemoProvider, name: str = "ada") -> str:
    address = provider.choose(provider.begin(asked()), name)
    answer = parse_qs(urlsplit(address).query)
    assert (answer["state"], answer["iss"]) == (["s1"], [ISSUER])
    return answer["code"][0]


def test_a_sign_in_gives_a_signed_token_with_the_nonce_and_the_groups() -> None:
    provider = DemoProvider(ISSUER, CLIENT, SECRET, frozenset({BACK}), PEOPLE)
    tokens = provider.token(given(code_for(provider, "noor")))
    keys = provider.keys()["keys"]
    claims = verify_id_token(tokens["id_token"], keys, issuer=ISSUER, client_id=CLIENT, nonce="n1")
    assert claims["preferred_username"] == "noor"
    assert provider.userinfo(tokens["access_token"]) == PEOPLE[1].claims()
    refreshed = provider.token(given("", grant_type="refresh_token", refresh_token=tokens["refresh_token"]))
    assert provider.userinfo(refreshed["access_token"]) == PEOPLE[1].claims()


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "other"},
        {"redirect_uri": "http://evil.example/"},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_authorization_request_with_something_wrong_is_refused(
    provider: DemoProvider, changes: dict[str, str]
) -> None:
    with pytest.raises(BadRequest):
        provider.begin(asked(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"client_secret": "wrong"},
        {"client_id": "other"},
        {"code_verifier": "w" * 43},
        {"redirect_uri": "http://127.0.0.1:8/other"},
        {"code": "made-up"},
        {"grant_type": "password"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_token_request_with_something_wrong_is_refused(provider: DemoProvider, changes: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        provider.token(given(code_for(provider)) | changes)


def test_a_code_works_once_and_a_choice_can_be_made_once(provider: DemoProvider) -> None:
    request_id = provider.begin(asked())
    code = parse_qs(urlsplit(provider.choose(request_id, "ada")).query)["code"][0]
    with pytest.raises(BadRequest):
        provider.choose(request_id, "noor")
    provider.token(given(code))
    with pytest.raises(BadRequest):
        provider.token(given(code))


def test_codes_and_tokens_end_with_time(provider: DemoProvider, clock: Clock) -> None:
    late, tokens = code_for(provider), provider.token(given(code_for(provider)))
    clock.now += 61
    with pytest.raises(BadRequest):
        provider.token(given(late))
    clock.now += 3600
    assert provider.userinfo(tokens["access_token"]) is None


def test_somebody_who_is_not_there_cannot_be_chosen(provider: DemoProvider) -> None:
    with pytest.raises(BadRequest):
        provider.choose(provider.begin(asked()), "mallory")
