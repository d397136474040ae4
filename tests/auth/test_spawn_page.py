"""A link starts no server, and the form only with the hub's token: on a real hub, for every way to the spawn page."""

from __future__ import annotations

from collections.abc import Iterator
from http.cookies import SimpleCookie

import httpx
import pytest

from ..support.hub_process import hub_process
from ..support.oidc_provider import oidc_provider
from ..support.still_servers import STILL
from .leaving import POLICY, TWO_TENANTS, Site

# A spawner with a form whose options_from_query is JupyterHub's own: what holds here holds by the page alone.
FORM = (
    STILL
    + """
StillSpawner.options_form = "<input name=tenant>"
StillSpawner.options_from_form = lambda self, form: {name: values[0] for name, values in form.items()}
"""
)
CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Referer": "https://evil.example/"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with oidc_provider(refresh=True) as provider:
        folder = tmp_path_factory.mktemp("hub")
        text = TWO_TENANTS.replace("username_claim: name}}", POLICY).format(issuer=provider.issuer)
        text = text.replace("service: ", "public: https://hub.example.org, service: ")
        with hub_process(folder, text, FORM) as hub:
            yield Site(hub, provider)


@pytest.fixture
def ann(site: Site) -> httpx.Client:
    """Signed in. The cookies are for https, which the browser here is told to overlook."""
    browser = httpx.Client(follow_redirects=False, trust_env=False, timeout=20, base_url=site.hub.url)
    site.browsers.append(browser)
    site.provider.account = {"sub": "sub-ann", "name": "ann", "groups": ["teams/nlp"]}
    answer = browser.get("/hub/oauth_login?next=%2Fhub%2Fhome")
    jar = dict(SimpleCookieJar(answer))
    back = httpx.get(answer.headers["location"], trust_env=False).headers["location"]
    assert back.startswith("https://hub.example.org/hub/oauth_callback")
    inside = back.replace("https://hub.example.org", site.hub.url)
    answer = browser.get(inside, headers={"Cookie": "; ".join(f"{k}={v}" for k, v in jar.items())})
    assert answer.status_code == 302, answer.text
    jar |= dict(SimpleCookieJar(answer))
    browser.headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in jar.items())
    return browser


class SimpleCookieJar(dict[str, str]):
    """The cookies that an answer sets, by name."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                self[name] = morsel.value


@pytest.mark.parametrize(
    "path",
    [
        "/hub/spawn?profile=mig-1g.10gb&tenant=nlp",
        "/hub/spawn/ann?profile=mig-1g.10gb&tenant=nlp",
        "/hub/spawn/ann/second?profile=mig-1g.10gb&tenant=nlp",
        "/hub/spawn/ann/second?opt-profile=mig-1g.10gb&opt-tenant=nlp&display_name=second",
        "/hub/spawn?tenant=nlp&next=%2Fhub%2Fhome",
        "/hub/spawn?tenant=nlp&tenant=%ff",
        "/hub/spawn?%ff=%ff&next=%ff",
        "/hub/spawn?opt-=x",
        "/hub/spawn?tenant=",
        "/hub/spawn?_xsrf=nonsense&tenant=nlp",
    ],
)
def test_a_link_shows_the_form_and_starts_nothing(site: Site, ann: httpx.Client, path: str) -> None:
    answer = ann.get(path, headers=CROSS_SITE)
    assert answer.status_code == 200, answer.headers
    assert "<input name=tenant>" in answer.text
    assert not site.running("ann")


@pytest.mark.parametrize(
    "path", ["/hub/user-redirect/lab?profile=mig-1g.10gb", "/user/ann/lab?tenant=nlp", "/hub/?tenant=nlp"]
)
def test_other_ways_lead_to_the_form_or_say_that_nothing_runs(site: Site, ann: httpx.Client, path: str) -> None:
    for _ in range(6):
        answer = ann.get(path, headers=CROSS_SITE)
        if answer.status_code != 302:
            break
        path = answer.headers["location"].replace("https://hub.example.org", "")
    assert answer.status_code in (200, 404, 424)
    assert not site.running("ann")


@pytest.mark.parametrize("path", ["/hub/spawn/ann", "/hub/spawn/ann/second"])
def test_the_form_starts_a_server_with_the_hubs_token_only(site: Site, ann: httpx.Client, path: str) -> None:
    form = {"tenant": "nlp"}
    for query, head in (("", {}), ("?_xsrf=nonsense", {}), ("", {"X-XSRFToken": "nonsense"})):
        refused = ann.post(path + query, data=form, headers={**CROSS_SITE, **head})
        assert refused.status_code == 403, refused.text
        assert not site.running("ann")
    page = ann.get(path)
    jar = SimpleCookieJar(page)
    if "_xsrf" in jar:
        ann.headers["Cookie"] = f"{ann.headers['Cookie']}; _xsrf={jar['_xsrf']}"
    token = page.text.partition('xsrf_token: "')[2].partition('"')[0]
    assert token
    bad = ann.post(
        f"{path}?_xsrf={token}", content=b"tenant=%ff", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert bad.status_code == 400
    started = ann.post(f"{path}?_xsrf={token}", data=form)
    assert started.status_code == 302, started.text
    assert site.running("ann")
    name = path.removeprefix("/hub/spawn/ann").strip("/")
    end = f"/hub/api/users/ann/servers/{name}" if name else "/hub/api/users/ann/server"
    assert ann.delete(end, headers={"X-XSRFToken": token, "Referer": f"{site.hub.url}/hub/"}).status_code in (202, 204)


def test_cookies_go_to_this_site_only_and_over_https_only(site: Site) -> None:
    answer = httpx.get(f"{site.hub.url}/hub/oauth_login", trust_env=False)
    assert "redirect_uri=https%3A%2F%2Fhub.example.org%2Fhub%2Foauth_callback" in answer.headers["location"]
    lines = answer.headers.get_list("set-cookie")
    lines += httpx.get(f"{site.hub.url}/hub/login", trust_env=False).headers.get_list("set-cookie")
    assert lines
    for line in lines:
        attributes = [part.strip().lower() for part in line.split(";")[1:]]
        assert "secure" in attributes, line
        assert "samesite=lax" in attributes or "samesite=strict" in attributes, line
