"""Where messages to people go, and to whom: on a real hub, with what a real provider says of addresses."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from ..support.hub_process import SERVICE_TOKEN
from ..support.still_servers import BOSS_TOKEN
from .leaving import Site, wait_until
from .test_approvers import membership


def people(site: Site, tenant: Any, token: str = SERVICE_TOKEN) -> httpx.Response:
    """What the job service is told of whom to tell."""
    url, head = f"{site.hub.url}/hub/aifactory/api/people", {"Authorization": f"token {token}"}
    return httpx.post(url, json={"tenant": tenant}, headers=head, trust_env=False)


def sign_in(site: Site, name: str, *groups: str, **claims: Any) -> httpx.Client:
    """Somebody of whom the provider says this of their address."""
    browser = site.sign_in(name, *groups)
    site.provider.people[f"sub-{name}"] = {**site.provider.people[f"sub-{name}"], **claims}

    def asked_again() -> bool:
        browser.get("/hub/home")
        said = membership(site, name)
        return bool(said["mail"] == claims["email"])

    if claims.get("email_verified") is True:
        wait_until(asked_again, "the provider is asked again")
    return browser


def test_a_verified_address_is_told_also_after_signing_out(site: Site) -> None:
    browser = sign_in(site, "mia", "teams/nlp", email="mia@example.org", email_verified=True)
    browser.get("/hub/logout")
    assert membership(site, "mia")["mail"] == "mia@example.org"


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("moe", {"email": "moe@example.org", "email_verified": False}),
        ("max", {"email": "max@example.org"}),
        ("meg", {"email": "meg@example.org\nBcc: eve@example.org", "email_verified": True}),
    ],
)
def test_an_address_that_is_not_known_to_be_somebody_s_is_told_nobody(
    site: Site, name: str, claims: dict[str, Any]
) -> None:
    site.provider.account = {"sub": f"sub-{name}", "name": name, "groups": ["teams/nlp"], **claims}
    browser = httpx.Client(follow_redirects=True, trust_env=False, timeout=20, base_url=site.hub.url)
    site.browsers.append(browser)
    assert browser.get("/hub/oauth_login?next=%2Fhub%2Fhome").status_code == 200
    assert membership(site, name)["tenants"] == {"nlp": "member"}
    assert membership(site, name)["mail"] is None


def test_administrators_and_approvers_are_named_with_what_they_are(site: Site) -> None:
    site.sign_in("abe", "teams/nlp", "teams/nlp/admins")
    site.sign_in("sal", "corp/security").get("/hub/logout")
    site.sign_in("ned", "teams/nlp")
    found = people(site, "nlp").json()["people"]
    assert found["abe"] == {"role": "admin", "approves": []}
    assert found["sal"] == {"role": None, "approves": ["security"]}
    assert "ned" not in found
    assert people(site, "vision").json()["people"]["sal"] == {"role": None, "approves": ["security"]}


def test_only_the_job_service_is_told_whom_to_tell(site: Site) -> None:
    assert people(site, "nlp", BOSS_TOKEN).status_code == 403
    assert people(site, "nlp", "nobody").status_code == 403
    assert people(site, 7).status_code == 400
    assert people(site, "no-such-team").status_code == 200
