"""Sign-in and leaving at a real Keycloak. Hub and provider are real; the servers are sockets that answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from bs4 import BeautifulSoup

from aifactory_hub.constants import SCOPE_SUBMIT
from aifactory_hub.service.auth.hub_auth import HubGate
from aifactory_hub.service.errors import ServiceError

from ..support.hub_process import SERVICE_TOKEN, TENANTS, HubProcess, hub_process
from ..support.still_servers import BOSS_TOKEN, STILL
from .keycloak import Browser, Keycloak, keycloak

pytestmark = pytest.mark.e2e

# Seconds. The product's goal is 60; here the hub asks again every second.
WITHIN = 60
IDENTITY = """username_claim: preferred_username, scopes: [openid, profile, email], on_leaving: stop, leaving_grace: 2s,
  tenant_mapping: [{{pattern: '/teams/(?P<tenant>[a-z0-9-]+)(/(?P<role>admins))?', role: member,
  roles: {{admins: admin}}}}]}}"""


@dataclass
class Site:
    hub: HubProcess
    idp: Keycloak
    http: httpx.Client

    def sign_in(self, name: str) -> Browser:
        """Through Keycloak's own form."""
        browser = Browser(self.http)
        page = browser.get(f"{self.hub.url}/hub/oauth_login?next=%2Fhub%2Fhome")
        form = BeautifulSoup(page.text, "html.parser").find("form", id="kc-form-login")
        assert form is not None, page.text[:2000]
        given = {"username": name, "password": self.idp.people[name], "credentialId": ""}
        done = browser.go("POST", str(form["action"]), data=given)
        assert done.status_code == 200, done.text
        assert done.url.path == "/hub/home", f"{done.url}\n{done.text[:2000]}"
        return browser

    def inside(self, browser: Browser) -> bool:
        return browser.get(f"{self.hub.url}/hub/home", follow=False).status_code == 200

    def start(self, name: str) -> str:
        """The token of her server, started by an administrator's service."""
        head = {"Authorization": f"token {BOSS_TOKEN}"}
        answer = self.http.post(f"{self.hub.url}/hub/api/users/{name}/server", headers=head)
        assert answer.status_code == 201, answer.text
        return (self.hub.folder / f"token-{name}-").read_text()

    def runs(self, name: str) -> bool:
        head = {"Authorization": f"token {BOSS_TOKEN}"}
        model = self.http.get(f"{self.hub.url}/hub/api/users/{name}", headers=head).json()
        return any(server["ready"] for server in (model.get("servers") or {}).values())

    def may_submit(self, token: str) -> bool:
        async def ask() -> bool:
            gate = HubGate(f"{self.hub.url}/hub/api", SERVICE_TOKEN)
            try:
                caller = await gate.caller(f"token {token}", fresh=True)
            except ServiceError:
                return False
            finally:
                await gate.close()
            return bool(caller.tenants(SCOPE_SUBMIT, ["nlp"]))

        return asyncio.run(ask())


def soon(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.3)
    raise AssertionError(f"not within {WITHIN} s: {what}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("keycloak")
    with keycloak(folder) as idp, httpx.Client(trust_env=False, timeout=60) as http:
        text = TENANTS.replace("username_claim: name}}", IDENTITY).format(issuer=idp.issuer)
        with hub_process(folder, text, STILL) as hub:
            idp.add_realm(hub.url)
            yield Site(hub, idp, http)


def test_nested_groups_lead_to_roles(site: Site) -> None:
    site.idp.add_person("nested", "/teams/nlp/admins")
    browser = site.sign_in("nested")
    user = site.hub.user("nested")
    assert user is not None
    assert user["groups"] == ["tenant-nlp", "tenant-nlp-admin"]
    assert browser.get(f"{site.hub.url}/hub/aifactory/team/nlp").status_code == 200


def test_who_is_in_no_group_reads_what_arrived(site: Site) -> None:
    site.idp.add_person("groupless", "/teams/vision")
    with pytest.raises(AssertionError, match="none of them leads to a team"):
        site.sign_in("groupless")


def test_removal_from_a_group_and_a_closed_account(site: Site) -> None:
    site.idp.add_person("mover", "/teams/nlp")
    site.idp.add_person("closed", "/teams/nlp")
    for name in ("mover", "closed"):
        site.sign_in(name)
    tokens = {name: site.start(name) for name in ("mover", "closed")}
    assert all(site.may_submit(token) for token in tokens.values())
    site.idp.leave("mover", "/teams/nlp")
    site.idp.disable("closed")
    for name, token in tokens.items():
        soon(lambda token=token: not site.may_submit(token), f"{name} can't submit")  # type: ignore[misc]
        soon(lambda name=name: not site.runs(name), f"{name}'s server is stopped")  # type: ignore[misc]
    head = {"Authorization": f"token {BOSS_TOKEN}"}
    kept = site.http.get(f"{site.hub.url}/hub/api/users/closed/tokens", headers=head).json()["api_tokens"]
    assert kept == []


def test_a_rotated_key_is_taken_and_nobody_is_thrown_out(site: Site) -> None:
    site.idp.add_person("rotated", "/teams/nlp")
    browser = site.sign_in("rotated")
    before = site.idp.signing_keys()
    site.idp.rotate_key()
    soon(lambda: site.idp.signing_keys() > before, "the new key is published")
    time.sleep(2)  # the hub asks again at the next request
    assert site.inside(browser)
    soon(lambda: _signs_in(site, "rotated"), "a token of the new key is accepted")


def _signs_in(site: Site, name: str) -> bool:
    try:
        site.sign_in(name)
    except AssertionError:
        return False
    return True


def test_signing_out_at_the_hub_ends_keycloaks_session(site: Site) -> None:
    site.idp.add_person("leaver", "/teams/nlp")
    browser = site.sign_in("leaver")
    page = browser.get(f"{site.hub.url}/hub/logout")
    form = BeautifulSoup(page.text, "html.parser").find("form", id="end-session")
    assert form is not None, page.text[:2000]
    fields = {str(one["name"]): str(one["value"]) for one in form.find_all("input")}
    back = browser.go("POST", str(form["action"]), data=fields)
    assert back.url.path == "/hub/login"
    again = browser.get(f"{site.hub.url}/hub/oauth_login")
    assert "kc-form-login" in again.text  # a password is asked for: the session is over there too


def test_a_session_that_keycloak_ends_is_over_at_the_hub_and_the_server_stays(site: Site) -> None:
    site.idp.add_person("ended", "/teams/nlp")
    browser = site.sign_in("ended")
    token = site.start("ended")
    site.idp.end_sessions("ended")
    soon(lambda: not site.inside(browser), "the browser is signed out")
    assert site.runs("ended")
    site.sign_in("ended")
    soon(lambda: site.may_submit(token), "her server's token works again")
