"""Signing in to a real JupyterHub, at an identity provider that is honest, wrong, hostile or away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from ..support.hub_process import TENANTS, HubProcess, hub_process
from ..support.oidc_provider import OidcProvider, make_key, oidc_provider
from ..support.ports import free_port

NLP = ["teams/nlp"]


@dataclass
class Site:
    hub: HubProcess
    provider: OidcProvider

    def sign_in(self, browser: httpx.Client) -> httpx.Response:
        return browser.get(f"{self.hub.url}/hub/oauth_login?next=%2Fhub%2Fhome")


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=True, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with oidc_provider() as provider:
        folder = tmp_path_factory.mktemp("hub")
        with hub_process(folder, TENANTS.format(issuer=provider.issuer)) as hub:
            yield Site(hub, provider)


@pytest.fixture
def site(running: Site) -> Site:
    running.provider.sane()
    return running


def test_a_member_signs_in_and_only_the_tenants_groups_reach_the_hub(site: Site, browser: httpx.Client) -> None:
    site.provider.account = {"sub": "7", "name": "Ada", "groups": ["teams/nlp/admins", "secret-project"]}
    page = site.sign_in(browser)
    assert page.status_code == 200
    assert page.url.path == "/hub/home"
    assert site.hub.user("ada")["groups"] == ["tenant-nlp", "tenant-nlp-admin"]  # type: ignore[index]
    assert "secret-project" not in site.hub.log


def forged(claims: dict[str, Any], provider: OidcProvider) -> str:
    return jwt.encode(claims, make_key(), "RS256", headers={"kid": provider.kid})


def unsigned(claims: dict[str, Any], provider: OidcProvider) -> str:
    return jwt.encode(claims, "", "none", headers={"kid": provider.kid})


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"sign": forged}, 403, "Signature verification failed"),
        ({"sign": unsigned}, 403, "not allowed"),
        ({"change": lambda c: c | {"aud": "other"}}, 403, "Audience"),
        ({"change": lambda c: c | {"iss": "https://evil.example"}}, 403, "issuer"),
        ({"change": lambda c: c | {"nonce": "replayed"}}, 403, "nonce"),
        ({"change": lambda c: c | {"exp": 1}}, 403, "expired"),
        ({"userinfo_answer": (200, {"sub": "2", "name": "eve", "groups": NLP})}, 403, "somebody else"),
        ({"userinfo_answer": (200, {"name": "eve", "groups": NLP})}, 403, "names no subject"),
        ({"account": {"sub": "3", "name": "eve", "groups": "teams/nlp"}}, 403, "a list of group names was expected"),
        ({"account": {"sub": "3", "name": "eve", "groups": [{"name": "nlp"}]}}, 403, "a list with an object in it"),
        ({"account": {"sub": "3", "groups": NLP}}, 403, "which gives the user name, is missing"),
        ({"account": {"sub": "3", "name": "eve", "groups": []}}, 403, "You are signed in as eve"),
        ({"account": {"sub": "3", "name": "eve"}}, 403, "Ask your team"),
        ({"token_answer": (200, {"access_token": "a", "token_type": "Bearer"})}, 403, "sent no ID token"),
        ({"token_answer": (400, {"error": "invalid_grant"})}, 400, "did not accept this sign-in"),
        ({"token_answer": (502, "bad gateway")}, 503, "does not answer"),
        ({"userinfo_answer": (200, "<html>")}, 503, "answered nonsense"),
        ({"callback_extra": {"iss": "https://evil.example"}}, 400, "another identity provider"),
    ],
    ids=[
        "forged signature", "alg none", "other audience", "other issuer", "other nonce", "expired",
        "userinfo of somebody else", "userinfo without sub", "groups as text", "groups as objects", "no name",
        "no groups", "no groups claim", "no ID token", "code refused", "token endpoint down", "userinfo is no JSON",
        "answer of another provider",
    ],
)  # fmt: skip
def test_what_can_not_be_trusted_is_refused_with_a_page_that_says_why(
    site: Site, browser: httpx.Client, wrong: dict[str, Any], status: int, said: str
) -> None:
    site.provider.account = {"sub": "3", "name": "eve", "groups": NLP}
    for name, value in wrong.items():
        setattr(site.provider, name, value)
    page = site.sign_in(browser)
    assert page.status_code == status
    assert said in page.text.replace("&#x27;", "'").replace("&#39;", "'")
    assert "Sign in again" in page.text
    assert site.hub.user("eve") is None


def test_who_loses_her_last_team_is_out_at_the_next_refresh(site: Site, browser: httpx.Client) -> None:
    site.provider.account = {"sub": "8", "name": "bob", "groups": NLP}
    assert site.sign_in(browser).status_code == 200
    site.provider.account = {"sub": "8", "name": "bob", "groups": []}
    time.sleep(1.2)
    page = browser.get(f"{site.hub.url}/hub/home", follow_redirects=False)
    assert page.status_code == 302
    assert "/hub/login" in page.headers["location"]
    assert site.hub.user("bob")["groups"] == []  # type: ignore[index]


def test_a_provider_that_is_away_changes_nothing_for_who_is_signed_in(site: Site, browser: httpx.Client) -> None:
    site.provider.account = {"sub": "9", "name": "cyd", "groups": NLP}
    site.sign_in(browser)
    site.provider.userinfo_answer = (503, "")
    time.sleep(1.2)
    assert browser.get(f"{site.hub.url}/hub/home").status_code == 200
    assert site.hub.user("cyd")["groups"] == ["tenant-nlp"]  # type: ignore[index]


def test_a_name_that_another_account_has_now_needs_a_new_sign_in(site: Site, browser: httpx.Client) -> None:
    site.provider.account = {"sub": "10", "name": "dan", "groups": NLP}
    site.sign_in(browser)
    site.provider.account = {"sub": "11", "name": "dan", "groups": NLP}
    time.sleep(1.2)
    assert browser.get(f"{site.hub.url}/hub/home", follow_redirects=False).status_code == 302


def test_a_hub_whose_provider_is_away_starts_and_says_so(tmp_path: Path, browser: httpx.Client) -> None:
    text = TENANTS.format(issuer=f"http://127.0.0.1:{free_port()}")
    with hub_process(tmp_path, text) as hub:
        page = browser.get(f"{hub.url}/hub/oauth_login")
    assert page.status_code == 503
    assert "Nobody can be signed in now" in page.text
    assert "can&#x27;t be reached" in page.text or "can't be reached" in page.text


def signed_userinfo(provider: OidcProvider, key: Any = None, **changed: Any) -> str:
    claims = {"iss": provider.issuer, "aud": "hub", **provider.account, **changed}
    return jwt.encode(claims, key or provider.key, "RS256", headers={"kid": provider.kid})


def test_a_signed_userinfo_answer_is_verified(site: Site, browser: httpx.Client) -> None:
    site.provider.account = {"sub": "20", "name": "sig", "groups": NLP}
    site.provider.userinfo_answer = (200, signed_userinfo(site.provider))
    assert site.sign_in(browser).status_code == 200
    assert site.hub.user("sig") is not None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"key": make_key()}, "Signature verification failed"),
        ({"aud": "another"}, "Audience"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"sub": "21-2"}, "somebody else"),
    ],
    ids=["forged", "for another client", "of another issuer", "about somebody else"],
)
def test_a_signed_userinfo_answer_that_proves_nothing_is_refused_for_good(
    site: Site, browser: httpx.Client, changed: dict[str, Any], said: str
) -> None:
    site.provider.account = {"sub": "21", "name": "nosig", "groups": NLP}
    site.provider.userinfo_answer = (200, signed_userinfo(site.provider, **changed))
    page = site.sign_in(browser)
    assert page.status_code == 403
    assert said in page.text
    assert "Try again in a minute" not in page.text


def test_a_name_that_only_the_id_token_has_is_taken_from_it(site: Site, browser: httpx.Client) -> None:
    site.provider.account = {"sub": "22", "groups": NLP}
    site.provider.change = lambda claims: claims | {"name": "entra"}
    assert site.sign_in(browser).status_code == 200
    assert site.hub.user("entra") is not None


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ({"X-Forwarded-Proto": "https,http"}, "https"),
        ({"X-Forwarded-Proto": "https"}, "https"),
        ({"Forwarded": "for=1.2.3.4;proto=https, for=10.0.0.1;proto=http"}, "https"),
        ({"X-Forwarded-Proto": "http,https"}, "http"),
        ({}, "http"),
    ],
)
def test_the_redirect_address_has_the_scheme_that_the_browser_sees(
    site: Site, browser: httpx.Client, headers: dict[str, str], scheme: str
) -> None:
    asked = {"Host": "hub.example.org", **headers}
    answer = browser.get(f"{site.hub.url}/hub/oauth_login", headers=asked, follow_redirects=False)
    sent = httpx.URL(answer.headers["location"]).params["redirect_uri"]
    assert sent == f"{scheme}://hub.example.org/hub/oauth_callback"


def test_a_code_is_taken_from_a_browser_only(site: Site) -> None:
    """JupyterHub's API makes a token for whom the authenticator lets in: not past the checks of a sign-in."""
    answer = httpx.post(
        f"{site.hub.url}/hub/api/users/ada/tokens?code=code-0&state=x",
        json={"auth": {"code": "code-0"}},
        trust_env=False,
    )
    assert answer.status_code == 403, answer.text


def test_a_subject_that_can_not_be_kept_is_refused(site: Site, browser: httpx.Client) -> None:
    site.provider.account = {"sub": "bad\x00sub", "name": "nul", "groups": NLP}
    page = site.sign_in(browser)
    assert page.status_code == 403
    assert site.hub.user("nul") is None
