"""Leaving a team, the company, or just the browser: a real hub, a real HTTP provider with refresh tokens.

The servers are simulated (sockets that answer); what is real is every decision about them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner

from aifactory_hub.cli import main
from aifactory_hub.constants import SCOPE_READ, SCOPE_SUBMIT
from aifactory_hub.domain.endings import ENDED, NOTICE, Notice, tenant_replaced
from aifactory_hub.domain.leaving import Standing
from aifactory_hub.domain.tenants import Role
from aifactory_hub.service.errors import ServiceError
from aifactory_hub.service.gate import HubGate

from ..support.hub_process import SERVICE_TOKEN, TENANTS, HubProcess, hub_process
from ..support.oidc_provider import OidcProvider, oidc_provider
from ..support.still_servers import BOSS_TOKEN, STILL

TWO_TENANTS = (
    TENANTS
    + """
  vision:
    vcluster: {{namespace: vc-vision, name: vision}}
    groups: [{{group: teams/vision, role: member}}]
    profiles: [mig-1g.10gb]
    quota: {{mig-1g.10gb: 1}}
"""
)
POLICY = "username_claim: name, on_leaving: stop, leaving_grace: 3s, stale_grace: 10s}}"


@dataclass
class Site:
    hub: HubProcess
    provider: OidcProvider
    browsers: list[httpx.Client] = field(default_factory=list)

    def sign_in(self, name: str, *groups: str, sub: str | None = None) -> httpx.Client:
        """A browser that is signed in as a new person."""
        browser = httpx.Client(follow_redirects=True, trust_env=False, timeout=20, base_url=self.hub.url)
        self.browsers.append(browser)
        self.provider.account = {"sub": sub or f"sub-{name}", "name": name, "groups": list(groups)}
        page = browser.get("/hub/oauth_login?next=%2Fhub%2Fhome")
        assert page.status_code == 200, page.text
        return browser

    def start(self, browser: httpx.Client, name: str, **options: Any) -> httpx.Response:
        """Start the default server through the API, as the person."""
        browser.get("/hub/home")
        return browser.post(
            f"/hub/api/users/{name}/server",
            json={"user_options": options} if self.newer else options,
            headers=self.xsrf(browser),
        )

    def xsrf(self, browser: httpx.Client) -> dict[str, str]:
        return {"X-XSRFToken": browser.cookies.get("_xsrf", path="/hub/") or "", "Referer": f"{self.hub.url}/hub/"}

    @property
    def newer(self) -> bool:
        """JupyterHub 6 wraps the options."""
        import jupyterhub

        return bool(jupyterhub.version_info[0] >= 6)

    def token(self, name: str) -> str:
        return (self.hub.folder / f"token-{name}-").read_text()

    def ask(self, token: str) -> httpx.Response:
        return httpx.get(f"{self.hub.url}/hub/api/user", headers={"Authorization": f"token {token}"}, trust_env=False)

    def running(self, name: str) -> bool:
        head = {"Authorization": f"token {BOSS_TOKEN}"}
        model = httpx.get(f"{self.hub.url}/hub/api/users/{name}", headers=head, trust_env=False).json()
        return any(server["ready"] or server["pending"] for server in (model.get("servers") or {}).values())

    async def caller(self, token: str) -> Any:
        gate = HubGate(f"{self.hub.url}/hub/api", SERVICE_TOKEN)
        try:
            return await gate.caller(f"token {token}", fresh=True)
        finally:
            await gate.close()

    def may_submit(self, token: str) -> tuple[str, ...]:
        """The teams into which a token may submit now; none when the gate refuses it."""
        try:
            caller = asyncio.run(self.caller(token))
        except ServiceError:
            return ()
        return tuple(caller.tenants(SCOPE_SUBMIT, ["nlp", "vision"]))


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with oidc_provider(refresh=True) as provider:
        folder = tmp_path_factory.mktemp("hub")
        text = TWO_TENANTS.replace("username_claim: name}}", POLICY).format(issuer=provider.issuer)
        with hub_process(folder, text, STILL) as hub:
            yield Site(hub, provider)


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    running.provider.sane()
    running.provider.refresh = True
    yield running
    for browser in running.browsers:
        browser.close()
    running.browsers.clear()


def test_who_leaves_one_of_two_teams_loses_that_one_at_once(site: Site) -> None:
    browser = site.sign_in("ann", "teams/nlp", "teams/vision")
    assert site.start(browser, "ann", tenant="nlp").status_code == 201
    token = site.token("ann")
    assert site.may_submit(token) == ("nlp",)  # the server's own team only
    site.provider.people["sub-ann"] = {**site.provider.people["sub-ann"], "groups": ["teams/vision"]}
    wait_until(lambda: site.may_submit(token) == (), "the server's token can't submit")
    user: Any = site.hub.user("ann")
    assert user["groups"] == ["tenant-vision"]
    assert site.running("ann")
    assert "You are not in team nlp any more" in browser.get("/hub/home").text
    wait_until(lambda: not site.running("ann"), "the server is stopped after its grace")
    assert site.start(browser, "ann", tenant="nlp").status_code == 403
    assert site.start(browser, "ann", tenant="vision").status_code == 201


def test_a_start_that_waits_in_a_team_that_was_left_is_called_off(site: Site) -> None:
    browser = site.sign_in("bea", "teams/nlp", "teams/vision")
    assert site.start(browser, "bea", tenant="nlp", slow=True).status_code == 202
    assert site.running("bea")
    site.provider.people["sub-bea"] = {**site.provider.people["sub-bea"], "groups": ["teams/vision"]}
    wait_until(lambda: not site.running("bea"), "the start is called off")


def test_who_is_in_no_team_any_more_is_out_and_in_again_when_she_is_back(site: Site) -> None:
    browser = site.sign_in("cat", "teams/nlp")
    site.provider.people["sub-cat"] = {**site.provider.people["sub-cat"], "groups": []}
    wait_until(lambda: site.start(browser, "cat", tenant="nlp").status_code in (302, 403), "no new server")
    user: Any = site.hub.user("cat")
    assert user["groups"] == []
    site.provider.people["sub-cat"] = {**site.provider.people["sub-cat"], "groups": ["teams/nlp"]}
    wait_until(lambda: browser.get("/hub/home", follow_redirects=False).status_code == 200, "she is in again")


def test_a_closed_account_loses_every_token(site: Site) -> None:
    browser = site.sign_in("dora", "teams/nlp")
    assert site.start(browser, "dora", tenant="nlp").status_code == 201
    token = site.token("dora")
    assert site.ask(token).status_code == 200
    site.provider.disabled.add("sub-dora")
    wait_until(lambda: site.ask(token).status_code == 403, "the token is refused")
    wait_until(lambda: not site.running("dora"), "the server is stopped after its grace")
    head = {"Authorization": f"token {BOSS_TOKEN}"}
    tokens = httpx.get(f"{site.hub.url}/hub/api/users/dora/tokens", headers=head, trust_env=False).json()
    assert tokens["api_tokens"] == []
    assert browser.get("/hub/home", follow_redirects=False).status_code == 302
    site.provider.disabled.clear()
    assert site.sign_in("dora", "teams/nlp").get("/hub/home").status_code == 200


def test_a_session_that_ran_out_keeps_its_tokens_for_the_next_sign_in(site: Site) -> None:
    site.provider.refresh_lasts = 30  # so it may run out at any moment
    browser = site.sign_in("emma", "teams/nlp")
    assert site.start(browser, "emma", tenant="nlp").status_code == 201
    token = site.token("emma")
    site.provider.disabled.add("sub-emma")
    wait_until(lambda: site.ask(token).status_code == 403, "the token is refused")
    assert site.may_submit(token) == ()
    site.provider.disabled.clear()
    site.sign_in("emma", "teams/nlp")
    assert site.running("emma")
    assert site.may_submit(token) == ("nlp",)


def test_a_provider_that_is_away_throws_nobody_out_and_then_the_door_closes(site: Site) -> None:
    browser = site.sign_in("fay", "teams/nlp")
    assert site.start(browser, "fay", tenant="nlp").status_code == 201
    token = site.token("fay")
    site.provider.token_answer = (503, "")
    time.sleep(1.2)
    assert site.ask(token).status_code == 200
    assert site.may_submit(token) == ("nlp",)
    wait_until(lambda: site.ask(token).status_code == 403, "the door closes after stale_grace")
    assert site.running("fay")  # unknown is not left
    with pytest.raises(ServiceError):
        asyncio.run(site.caller(token))
    site.provider.token_answer = None
    wait_until(lambda: site.may_submit(token) == ("nlp",), "all is as before when it answers again")
    assert site.running("fay")


def test_an_answer_that_got_lost_closes_no_account(site: Site) -> None:
    browser = site.sign_in("fern", "teams/nlp")
    assert site.start(browser, "fern", tenant="nlp").status_code == 201
    token = site.token("fern")
    site.provider.loses_answers.add("sub-fern")  # the refresh token, which works once, is used up by this
    wait_until(lambda: "sub-fern" in site.provider.lost, "the renewal is lost")
    wait_until(lambda: site.ask(token).status_code == 403, "she has to sign in again")
    site.sign_in("fern", "teams/nlp")
    assert site.running("fern")
    assert site.may_submit(token) == ("nlp",)


def test_the_hubs_trouble_with_the_provider_is_nobodys_fault(site: Site) -> None:
    browser = site.sign_in("gwen", "teams/nlp")
    assert site.start(browser, "gwen", tenant="nlp").status_code == 201
    token = site.token("gwen")
    site.provider.token_answer = (401, {"error": "invalid_client"})
    wait_until(lambda: "refuses this hub (401)" in site.hub.log, "the provider refuses the hub")
    site.provider.token_answer = None
    wait_until(lambda: site.may_submit(token) == ("nlp",), "she goes on")


def test_the_hubs_groups_can_not_be_written_past_the_provider(site: Site) -> None:
    site.sign_in("hana", "teams/nlp/viewers", "teams/vision")
    browser = site.sign_in("ida", "teams/vision")
    assert site.start(browser, "ida", tenant="vision").status_code == 201
    head = {"Authorization": f"token {BOSS_TOKEN}"}
    own = {"scopes": ["access:services!service=aifactory", SCOPE_SUBMIT, SCOPE_READ]}
    written = httpx.post(
        f"{site.hub.url}/hub/api/groups/tenant-nlp/users", json={"users": ["ida"]}, headers=head, trust_env=False
    )
    made = httpx.post(f"{site.hub.url}/hub/api/users/ida/tokens", json=own, headers=head, trust_env=False)
    if written.status_code == 200 and made.status_code == 201:
        assert "nlp" not in site.may_submit(made.json()["token"])
    caller = asyncio.run(site.caller(site.token("ida")))
    assert dict(caller.roles) == {"vision": Role.MEMBER}


def test_two_requests_at_once_do_not_use_up_the_refresh_token(site: Site) -> None:
    browser = site.sign_in("june", "teams/nlp")
    assert site.start(browser, "june", tenant="nlp").status_code == 201
    token = site.token("june")
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:  # over several refreshes and sweeps

        async def burst() -> list[int]:
            async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"token {token}"}) as http:
                answers = await asyncio.gather(*(http.get(f"{site.hub.url}/hub/api/user") for _ in range(8)))
                return [answer.status_code for answer in answers]

        assert set(asyncio.run(burst())) == {200}


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


def test_only_the_service_is_told_who_belongs_where(site: Site) -> None:
    browser = site.sign_in("rosa", "teams/nlp")
    assert site.start(browser, "rosa", tenant="nlp").status_code == 201
    url, body = f"{site.hub.url}/hub/aifactory/api/memberships", {"users": ["rosa", "ghost"]}

    def asked(token: str, body: Any = body) -> httpx.Response:
        return httpx.post(url, json=body, headers={"Authorization": f"token {token}"}, trust_env=False)

    assert asked(site.token("rosa")).status_code == 403
    assert asked(BOSS_TOKEN).status_code == 403
    assert site.ask(site.token("rosa")).status_code == 200  # asked about just now, however slow the machine
    said = asked(SERVICE_TOKEN).json()["memberships"]
    assert said["rosa"]["tenants"] == {"nlp": "member"}
    assert said["ghost"] == {"standing": Standing.SIGNED_OUT.value, "tenants": {}, "resolved_at": None}
    for bad in ({}, {"users": "rosa"}, {"users": [1]}, {"users": ["x"] * 501}):
        assert asked(SERVICE_TOKEN, bad).status_code == 400


def test_owners_of_live_jobs_are_asked_about_though_they_run_no_server(site: Site) -> None:
    site.sign_in("sue", "teams/nlp")
    site.provider.people["sub-sue"] = {**site.provider.people["sub-sue"], "groups": []}
    url, body = f"{site.hub.url}/hub/aifactory/api/memberships", {"users": ["sue"], "watch": True}
    head = {"Authorization": f"token {SERVICE_TOKEN}"}
    httpx.post(url, json=body, headers=head, trust_env=False)
    user: Callable[[], Any] = lambda: site.hub.user("sue")  # noqa: E731
    wait_until(lambda: user()["groups"] == [], "the sweep asks about her")


def test_an_administrator_sees_the_groups_of_who_is_signed_in(site: Site) -> None:
    site.sign_in("tea", "teams/nlp", "secret-project")
    url = f"{site.hub.url}/hub/aifactory/api/explain"

    def asked(name: str, token: str) -> httpx.Response:
        return httpx.get(f"{url}/{name}", headers={"Authorization": f"token {token}"}, trust_env=False)

    assert asked("tea", BOSS_TOKEN).json() == {"name": "tea", "groups": ["teams/nlp", "secret-project"]}
    assert asked("ghost", BOSS_TOKEN).status_code == 404
    assert asked("tea", SERVICE_TOKEN).status_code == 403

    def command(name: str, token: str) -> Any:
        where = {"JUPYTERHUB_API_URL": f"{site.hub.url}/hub/api", "JUPYTERHUB_API_TOKEN": token, "no_proxy": "*"}
        return CliRunner().invoke(
            main, ["explain-groups", str(site.hub.folder / "tenants.yaml"), "--user", name], env=where
        )

    assert command("tea", BOSS_TOKEN).stdout.splitlines() == [
        "group teams/nlp: member of nlp (rule 1 of tenant nlp)",
        "group secret-project: no rule claims it",
        "tenant nlp: member",
        "hub groups: tenant-nlp",
    ]
    for name, token, said in (
        ("ghost", BOSS_TOKEN, "the hub answered 404: Nobody is signed in as ghost."),
        ("tea", SERVICE_TOKEN, "the hub answered 403: This is for the hub's administrators."),
    ):
        refused = command(name, token)
        assert refused.exit_code == 1
        assert said in refused.stderr


def test_a_teams_admin_sees_and_stops_servers_of_her_team_only(site: Site) -> None:
    admin = site.sign_in("uma", "teams/nlp", "teams/nlp/admins", "teams/vision")
    both = site.sign_in("vera", "teams/nlp", "teams/vision")
    member = site.sign_in("wilma", "teams/nlp")
    assert site.start(both, "vera", tenant="vision").status_code == 201
    assert site.start(member, "wilma", tenant="nlp").status_code == 201

    def seen(browser: httpx.Client, team: str) -> Any:
        answer = browser.get(f"/hub/aifactory/api/teams/{team}/servers", headers=site.xsrf(browser))
        return answer.json()["servers"] if answer.status_code == 200 else answer.status_code

    def stop(browser: httpx.Client, team: str, name: str) -> int:
        xsrf = browser.cookies.get("_xsrf", path="/hub/") or ""
        url = f"/hub/aifactory/team/{team}/servers/{name}//stop"
        return browser.post(url, params={"_xsrf": xsrf}, follow_redirects=False).status_code

    names = {server["user"] for server in seen(admin, "nlp")}
    assert "wilma" in names
    assert "vera" not in names  # her server is in the other team
    assert seen(admin, "vision") == seen(member, "nlp") == seen(admin, "ghost") == 404
    assert stop(admin, "vision", "vera") == stop(admin, "nlp", "vera") == stop(member, "nlp", "wilma") == 404
    page = admin.get("/hub/aifactory/team/nlp")
    assert "Stop server default of wilma" in page.text
    assert stop(admin, "nlp", "wilma") == 302
    wait_until(lambda: not site.running("wilma"), "her server is stopped")
    assert site.running("vera")


def _notice(site: Site, asking: str, of: str) -> tuple[int, Any]:
    """What the hub answers the server of ``asking``, as the panel's part in it asks."""
    head = {"Authorization": f"Bearer {site.token(asking)}"}
    answer = httpx.get(f"{site.hub.url}/hub/aifactory/notice/{of}", headers=head, trust_env=False)
    return answer.status_code, answer.json()


def test_the_pages_tell_of_a_coming_end_and_of_the_last_one(site: Site) -> None:
    browser = site.sign_in("zoe", "teams/nlp", "teams/nlp/admins")
    told = {NOTICE: Notice("<b> takes it back", 60.0).to_state(), ENDED: tenant_replaced("nlp", 120.0).to_state()}
    assert site.start(browser, "zoe", tenant="nlp", told=told).status_code == 201
    home = browser.get("/hub/home").text
    assert "is stopped at 00:01:00 UTC, to give its quota back: &lt;b&gt; takes it back." in home
    assert "Your server ended on 1970-01-01 at 00:02 UTC. The vCluster of team nlp was deleted" in home
    assert 'href="/hub/aifactory/team/nlp">Team Language<' in home
    assert "aifactory/cluster" not in home
    assert "is stopped at" in browser.get("/hub/token").text
    # The server itself may ask, for JupyterLab to say it; nobody else's server may.
    other = site.sign_in("yan", "teams/vision")
    assert site.start(other, "yan", tenant="vision").status_code == 201
    assert _notice(site, "yan", "yan") == (200, {"notice": None})
    assert _notice(site, "yan", "zoe")[0] == 404
    expected = {"why": "<b> takes it back", "until": "1970-01-01T00:01:00+00:00"}
    assert _notice(site, "zoe", "zoe") == (200, {"notice": expected})
    assert browser.delete("/hub/api/users/zoe/server", headers=site.xsrf(browser)).status_code in (202, 204)
    wait_until(lambda: not site.running("zoe"), "her server is stopped")
    gone = browser.get("/hub/user/zoe/lab")
    assert "Server not running" in gone.text
    assert "Your server ended on 1970-01-01" in gone.text


def test_the_cluster_page_is_for_administrators_and_linked_for_them(site: Site) -> None:
    assert site.sign_in("ada", "teams/nlp").get("/hub/aifactory/cluster").status_code == 403
    root = site.sign_in("root", "teams/nlp")
    home = root.get("/hub/home").text
    assert 'href="/hub/aifactory/cluster"' in home
    assert 'href="/hub/aifactory/sign-ins"' in home
    assert "aifactory/team/" not in home
    assert "no &lt;cluster&gt; here" in root.get("/hub/aifactory/cluster").text


def test_a_servers_token_of_a_teams_admin_is_no_admin(site: Site) -> None:
    browser = site.sign_in("xena", "teams/nlp", "teams/nlp/admins")
    assert site.start(browser, "xena", tenant="nlp").status_code == 201
    url = f"{site.hub.url}/hub/aifactory/api/teams/nlp/servers"
    head = {"Authorization": f"token {site.token('xena')}"}
    assert httpx.get(url, headers=head, trust_env=False).status_code == 404
    assert httpx.delete(f"{url}/xena/", headers=head, trust_env=False).status_code == 404
    assert site.running("xena")


def test_the_page_of_last_sign_ins_is_for_administrators(site: Site) -> None:
    browser = site.sign_in("yve", "teams/nlp")
    assert browser.get("/hub/aifactory/sign-ins").status_code == 403
    page = site.sign_in("root", "teams/nlp").get("/hub/aifactory/sign-ins")
    assert page.status_code == 200
    assert "member of nlp" in page.text
    assert "yve" in page.text


def test_no_token_of_the_provider_reaches_a_log(site: Site, tmp_path: Path) -> None:
    browser = site.sign_in("zoe", "teams/nlp")
    browser.get("/hub/logout")
    assert "eyJ" not in site.hub.log
    assert "refresh-" not in site.hub.log
