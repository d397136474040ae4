"""Groups from the ID token, the access token, and a site's own function: a real hub, a real sign-in, a real renewal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from ..support.hub_process import CONFIG, TENANTS, HubProcess, hub_process
from ..support.oidc_provider import OidcProvider, oidc_provider

SOURCES = ("userinfo", "id_token", "access_token")
NAMES = {"userinfo": "userinfo answer", "id_token": "ID token", "access_token": "access token"}
MANY = [f"g{number}" for number in range(4999)]

# One hub for all sources: which one it reads is in a file.
SWITCHED = (
    CONFIG
    + """
from dataclasses import replace
from functools import cache
from pathlib import Path

read = c.AIFactoryAuthenticator.get_registry

@cache
def of(source):
    return replace(read(), identity=replace(read().identity, groups_source=source))

c.AIFactoryAuthenticator.get_registry = lambda: of(Path("source").read_text())
"""
)
OWN_FUNCTION = (
    CONFIG
    + """
import asyncio

async def groups(answer):
    await asyncio.sleep(0)
    if answer.userinfo.get("broken"):
        raise KeyError("departments")
    wrong = answer.userinfo.get("wrong")
    return wrong if wrong is not None else [f"teams/{name}" for name in answer.id_token.get("departments", [])]

c.AIFactoryAuthenticator.groups_function = groups
"""
)
STALE = "username_claim: name, stale_grace: 8s}}"


@dataclass
class Site:
    hub: HubProcess
    provider: OidcProvider
    browsers: list[httpx.Client] = field(default_factory=list)

    def sign_in(self, name: str) -> tuple[httpx.Client, httpx.Response]:
        browser = httpx.Client(follow_redirects=True, trust_env=False, timeout=30, base_url=self.hub.url)
        self.browsers.append(browser)
        self.provider.account = {**self.provider.account, "sub": f"sub-{name}", "name": name}
        return browser, browser.get("/hub/oauth_login?next=%2Fhub%2Fhome")

    def groups(self, name: str) -> Any:
        user = self.hub.user(name)
        return None if user is None else user["groups"]

    def sends(self, source: str, claims: dict[str, Any]) -> None:
        """The provider puts these claims there, and nowhere else."""
        self.provider.sane()
        self.provider.refresh = True
        self.provider.account, self.provider.access_claims = {}, {}
        if source == "userinfo":
            self.provider.account = claims
        elif source == "id_token":
            self.provider.change = lambda before: before | claims
        else:
            self.provider.access_claims = claims
        (self.hub.folder / "source").write_text(source)


def running(folder: Any, config: str) -> Iterator[Site]:
    with oidc_provider(refresh=True) as provider:
        text = TENANTS.replace("username_claim: name}}", STALE).format(issuer=provider.issuer)
        (folder / "source").write_text("userinfo")
        with hub_process(folder, text, config) as hub:
            site = Site(hub, provider)
            yield site
            for browser in site.browsers:
                browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    yield from running(tmp_path_factory.mktemp("hub"), SWITCHED)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    yield from running(tmp_path_factory.mktemp("hub"), OWN_FUNCTION)


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


def words(page: httpx.Response) -> str:
    return page.text.replace("&#x27;", "'").replace("&#39;", "'")


# name: (claims, the hub groups that follow or what the page says)
CASES: dict[str, tuple[dict[str, Any], list[str] | str]] = {
    "groups": ({"groups": ["teams/nlp", "teams/nlp/admins"]}, ["tenant-nlp", "tenant-nlp-admin"]),
    "5,000 groups": ({"groups": [*MANY, "teams/nlp"]}, ["tenant-nlp"]),
    "one text": ({"groups": "teams/nlp"}, "the text 'teams/nlp'; a list of group names was expected"),
    "objects": ({"groups": [{"name": "teams/nlp"}]}, "a list with an object in it"),
    "Entra's overage": (
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}},
        "because you are in too many groups",
    ),
    "an empty list": ({"groups": []}, "The claim 'groups' of the {source} did arrive, and there is no group in it."),
    "nothing": ({}, "Expected: groups in the claim 'groups' of the {source}. Arrived: "),
    "half a character": ({"groups": ["teams/nlp", "\ud800"]}, "which is no text"),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("claims", "wanted"), CASES.values(), ids=CASES)
def test_groups_of_each_shape_from_each_source(
    site: Site, source: str, claims: dict[str, Any], wanted: list[str] | str
) -> None:
    site.sends(source, claims)
    name = f"p{list(CASES.values()).index((claims, wanted))}-{SOURCES.index(source)}"
    _, page = site.sign_in(name)
    if isinstance(wanted, list):
        assert page.status_code == 200, words(page)
        assert site.groups(name) == wanted
    else:
        assert page.status_code == 403
        assert wanted.format(source=NAMES[source]) in words(page)
        assert site.hub.user(name) is None


@pytest.mark.parametrize("source", SOURCES)
def test_who_leaves_is_out_at_the_next_renewal_whatever_the_source(site: Site, source: str) -> None:
    site.sends(source, {"groups": ["teams/nlp"]})
    name = f"leaver-{source.replace('_', '-')}"
    browser, page = site.sign_in(name)
    assert page.status_code == 200, words(page)
    people = dict(site.provider.people)
    site.sends(source, {"groups": ["teams/elsewhere"]})
    site.provider.people |= {**people, f"sub-{name}": {"sub": f"sub-{name}", "name": name, **site.provider.account}}
    wait_until(lambda: browser.get("/hub/home", follow_redirects=False).status_code == 302, "she is out")
    assert site.groups(name) == []


def test_an_old_id_token_says_nothing_of_today(site: Site) -> None:
    site.sends("id_token", {"groups": ["teams/nlp"]})
    browser, _ = site.sign_in("stale")
    site.provider.renews_id_token = False
    told = "stale keeps their teams: yes"  # unknown is not left
    wait_until(lambda: browser.get("/hub/home", follow_redirects=False) and told in site.hub.log, "she is asked about")
    wait_until(lambda: browser.get("/hub/home", follow_redirects=False).status_code == 302, "stale_grace is over")
    assert "sent no new ID token when the session was renewed" in site.hub.log


@pytest.mark.parametrize("source", ["id_token", "access_token"])
def test_groups_in_a_token_that_can_not_be_renewed_are_refused(site: Site, source: str) -> None:
    site.sends(source, {"groups": ["teams/nlp"]})
    site.provider.refresh = False
    site.provider.account |= {"sub": "1", "name": "fixed"}
    browser = httpx.Client(follow_redirects=True, trust_env=False, timeout=30, base_url=site.hub.url)
    page = browser.get("/hub/oauth_login")
    browser.close()
    assert page.status_code == 403
    assert "offline_access" in page.text or "access token" in page.text


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"groups": ["teams/nlp"], "azp": "other"}, "the access token was not issued to this client"),
        ({"groups": ["teams/nlp"], "sub": "victim"}, "the access token is about somebody else"),
        ({"groups": ["teams/nlp"], "exp": 1}, "the access token is not valid: Signature has expired"),
        ({"groups": ["teams/nlp"], "iss": "https://evil.example"}, "the access token is not valid: Invalid issuer"),
    ],
    ids=["of another client", "of somebody else", "expired", "of another issuer"],
)
def test_an_access_token_is_checked_before_its_groups_are_read(site: Site, claims: dict[str, Any], said: str) -> None:
    site.sends("access_token", claims)
    _, page = site.sign_in("mallory")
    assert page.status_code == 403
    assert said in words(page)
    assert site.hub.user("mallory") is None


def test_a_token_that_only_its_provider_can_read_is_refused_in_words(site: Site) -> None:
    site.sends("access_token", {})
    site.provider.access_claims = None
    _, page = site.sign_in("opaque")
    assert page.status_code == 403
    assert "the access token can't be read" in words(page)


def of_the_function(own: Site, account: dict[str, Any], departments: list[str]) -> None:
    own.provider.sane()
    own.provider.refresh = True
    own.provider.account = account
    own.provider.change = lambda claims: claims | {"departments": departments}


def test_a_sites_own_function_reads_what_the_provider_said(own: Site) -> None:
    of_the_function(own, {}, ["nlp", "nlp/admins"])
    browser, page = own.sign_in("fin")
    assert page.status_code == 200, words(page)
    assert own.groups("fin") == ["tenant-nlp", "tenant-nlp-admin"]
    own.provider.change = lambda claims: claims | {"departments": ["elsewhere"]}
    wait_until(lambda: browser.get("/hub/home", follow_redirects=False).status_code == 302, "she is out")


@pytest.mark.parametrize(
    ("account", "status", "said"),
    [
        ({}, 403, "The identity provider sent no groups of yours"),
        ({"wrong": "nlp"}, 403, "a list of group names was expected"),
        ({"wrong": [["nlp"]]}, 403, "only names were expected"),
        ({"wrong": ["x"]}, 403, "none of them leads to a team here"),
        ({"broken": True}, 503, "this hub's own groups_function failed; the hub's log says why"),
    ],
    ids=["no groups", "a text", "lists", "other groups", "an exception"],
)
def test_whatever_the_function_gives_is_checked(own: Site, account: dict[str, Any], status: int, said: str) -> None:
    of_the_function(own, account, [])
    _, page = own.sign_in("gus")
    assert page.status_code == status
    assert said in words(page)
    assert own.hub.user("gus") is None


def test_a_function_that_fails_takes_nobodys_team_away(own: Site) -> None:
    of_the_function(own, {}, ["nlp"])
    browser, _ = own.sign_in("hal")
    own.provider.people["sub-hal"] = {**own.provider.people["sub-hal"], "broken": True}
    time.sleep(1.2)
    assert browser.get("/hub/home").status_code == 200
    assert own.groups("hal") == ["tenant-nlp"]
    assert "KeyError: 'departments'" in own.hub.log
    own.provider.people["sub-hal"].pop("broken")
    wait_until(lambda: browser.get("/hub/home").status_code == 200, "all is as before")
