"""Signing out at the hub and at the provider: what ends, and what runs on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from bs4 import BeautifulSoup

from .leaving import Site, wait_until


def test_signing_out_ends_the_session_at_the_provider_and_leaves_the_server(site: Site) -> None:
    browser = site.sign_in("kim", "teams/nlp")
    assert site.start(browser, "kim", tenant="nlp").status_code == 201
    page = browser.get("/hub/logout")
    form = BeautifulSoup(page.text, "html.parser").find("form", id="end-session")
    assert form is not None
    fields = {str(field["name"]): str(field["value"]) for field in form.find_all("input")}
    assert fields["client_id"] == "hub"
    assert fields["post_logout_redirect_uri"] == f"{site.hub.url}/hub/login"
    assert httpx.post(str(form["action"]), data=fields, trust_env=False).status_code == 200
    assert site.provider.signed_out[-1] == fields["id_token_hint"]
    assert browser.get("/hub/home", follow_redirects=False).status_code == 302
    site.provider.disabled.add("sub-kim")  # the session is over: the provider renews it no more
    wait_until(lambda: site.ask(site.token("kim")).status_code == 403, "her server's token waits for her return")
    assert site.running("kim")
    site.provider.disabled.clear()
    site.sign_in("kim", "teams/nlp")
    assert site.may_submit(site.token("kim")) == ("nlp",)


def back_channel(site: Site, token: str) -> httpx.Response:
    return httpx.post(f"{site.hub.url}/hub/aifactory/backchannel-logout", data={"logout_token": token}, trust_env=False)


def test_the_provider_signs_somebody_out(site: Site) -> None:
    browser, other = site.sign_in("lea", "teams/nlp"), site.sign_in("lea", "teams/nlp")
    assert site.start(browser, "lea", tenant="nlp").status_code == 201
    bystander = site.sign_in("mia", "teams/nlp")
    token = site.provider.logout_token("sub-lea")
    assert back_channel(site, token).status_code == 200
    for gone in (browser, other):
        assert gone.get("/hub/home", follow_redirects=False).status_code == 302
    assert bystander.get("/hub/home", follow_redirects=False).status_code == 200
    assert site.running("lea")
    assert site.ask(site.token("lea")).status_code == 200
    assert back_channel(site, token).status_code == 400  # replayed


def test_a_session_alone_names_somebody_too(site: Site) -> None:
    browser = site.sign_in("nora", "teams/nlp")
    token = site.provider.logout_token("", sub=None, sid="session-of-sub-nora")
    assert back_channel(site, token).status_code == 200
    assert browser.get("/hub/home", follow_redirects=False).status_code == 302


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"aud": "other"}, "Audience"),
        ({"exp": 1}, "expired"),
        ({"exp": None}, "exp"),
        ({"jti": None}, "jti"),
        ({"events": {}}, "another event"),
        ({"events": {"http://schemas.openid.net/event/backchannel-logout": "x"}}, "another event"),
        ({"nonce": "n"}, "nonce"),
        ({"sub": None}, "neither a subject"),
        ({"iat": None}, "iat"),
    ],
    ids=str,
)
def test_a_logout_token_that_fails_one_check_ends_nothing(site: Site, changed: dict[str, Any], said: str) -> None:
    browser = site.sign_in("olga", "teams/nlp")
    answer = back_channel(site, site.provider.logout_token("sub-olga", **changed))
    assert answer.status_code == 400
    assert said in answer.json()["error_description"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert browser.get("/hub/home", follow_redirects=False).status_code == 200


def test_an_id_token_or_rubbish_is_no_logout_token(site: Site) -> None:
    browser = site.sign_in("pia", "teams/nlp")
    for token in (site.provider.id_token(None, "sub-pia"), "rubbish", "", "x" * 20_000):
        assert back_channel(site, token).status_code == 400
    assert browser.get("/hub/home", follow_redirects=False).status_code == 200


def test_no_token_of_the_provider_reaches_a_log(site: Site, tmp_path: Path) -> None:
    browser = site.sign_in("zoe", "teams/nlp")
    browser.get("/hub/logout")
    assert "eyJ" not in site.hub.log
    assert "refresh-" not in site.hub.log
