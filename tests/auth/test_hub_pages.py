"""The hub's own pages and what they tell whom: teams, the cluster, last sign-ins, server_ends."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from aifactory_hub.cli import main
from aifactory_hub.domain.server_ends import ENDED, NOTICE, Notice, tenant_replaced

from ..support.hub_process import SERVICE_TOKEN
from ..support.still_servers import BOSS_TOKEN
from .leaving import Site, wait_until


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


@pytest.mark.parametrize(
    ("status", "path", "title"),
    [
        (503, "/user/uma/lab", "This does not answer now"),
        (503, "/services/aifactory/jobs", "This does not answer now"),
        (404, "/nowhere", "This was not found"),
    ],
)
def test_what_the_proxy_says_of_what_does_not_answer_is_a_page_in_words(
    site: Site, status: int, path: str, title: str
) -> None:
    """The proxy asks the hub for the page, without a session, when a server or service behind it is away."""
    answer = httpx.get(f"{site.hub.url}/hub/error/{status}", params={"url": path}, trust_env=False)
    assert answer.status_code == 200
    assert f"<h1>{title}</h1>" in answer.text
    assert "Your server appears to be down" not in answer.text


def test_a_teams_admin_sees_and_stops_servers_of_her_team_only(site: Site) -> None:
    admin = site.sign_in("uma", "teams/nlp", "teams/nlp/admins", "teams/vision")
    both = site.sign_in("vera", "teams/nlp", "teams/vision")
    member = site.sign_in("wilma", "teams/nlp")
    assert site.start(both, "vera", tenant="vision").status_code == 201
    assert site.start(member, "wilma", tenant="nlp").status_code == 201

    def seen(browser: httpx.Client, team: str) -> Any:
        answer = browser.get(f"/hub/aifactory/api/teams/{team}/servers", headers=site.xsrf(browser))
        return answer.json()["servers"] if answer.status_code == 200 else answer.status_code

    def stop(browser: httpx.Client, team: str, name: str, reason: str = "") -> int:
        xsrf = browser.cookies.get("_xsrf", path="/hub/") or ""
        url = f"/hub/aifactory/team/{team}/servers/{name}//stop"
        data = {"reason": reason}
        return browser.post(url, params={"_xsrf": xsrf}, data=data, follow_redirects=False).status_code

    names = {server["user"] for server in seen(admin, "nlp")}
    assert "wilma" in names
    assert "vera" not in names  # her server is in the other team
    assert seen(admin, "vision") == seen(member, "nlp") == seen(admin, "ghost") == 404
    assert stop(admin, "vision", "vera") == stop(admin, "nlp", "vera") == stop(member, "nlp", "wilma") == 404
    page = admin.get("/hub/aifactory/team/nlp")
    assert "Stop server default of wilma" in page.text
    asks = admin.get("/hub/aifactory/team/nlp/servers/wilma//stop")
    assert "Stop the server of wilma?" in asks.text and "ago" in asks.text
    assert member.get("/hub/aifactory/team/nlp/servers/wilma//stop").status_code == 404
    assert stop(admin, "nlp", "wilma", "x" * 501) == 400 and site.running("wilma")
    assert stop(admin, "nlp", "wilma", "the <b>demo</b>\nneeds it") == 302
    wait_until(lambda: not site.running("wilma"), "their server is stopped")
    told = "uma, an admin of team Language, stopped it: the &lt;b&gt;demo&lt;/b&gt; needs it."
    assert told in member.get("/hub/home").text
    assert "The server of wilma is stopped." in admin.get("/hub/aifactory/team/nlp?stopped=wilma").text
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
    assert "is stopped at 1970-01-01 00:01:00 UTC, to give its quota back: &lt;b&gt; takes it back." in home
    assert "Your server ended at 1970-01-01 00:02 UTC. The vCluster of team nlp was deleted" in home
    assert 'href="/services/aifactory/team/nlp">Team Language<' in home
    assert "aifactory/platform" not in home
    assert "aifactory/cluster" not in home
    assert "is stopped at" in browser.get("/hub/token").text
    # The server itself may ask, for JupyterLab to say it; nobody else's server may.
    other = site.sign_in("yan", "teams/vision")
    assert site.start(other, "yan", tenant="vision").status_code == 201
    assert _notice(site, "yan", "yan") == (200, {"notice": None})
    assert _notice(site, "yan", "zoe")[0] == 404
    expected = {"why": "to give its quota back: <b> takes it back", "until": "1970-01-01T00:01:00+00:00"}
    assert _notice(site, "zoe", "zoe") == (200, {"notice": expected})
    assert browser.delete("/hub/api/users/zoe/server", headers=site.xsrf(browser)).status_code in (202, 204)
    wait_until(lambda: not site.running("zoe"), "the server is stopped")
    gone = browser.get("/hub/user/zoe/lab")
    assert "Server not running" in gone.text
    assert "Your server ended at 1970-01-01 00:02 UTC" in gone.text


def test_the_cluster_page_is_for_administrators_and_linked_for_them(site: Site) -> None:
    assert site.sign_in("ada", "teams/nlp").get("/hub/aifactory/cluster").status_code == 403
    root = site.sign_in("root", "teams/nlp")
    home = root.get("/hub/home").text
    assert 'href="/hub/aifactory/cluster"' in home
    assert 'href="/hub/aifactory/sign-ins"' in home
    assert 'href="/services/aifactory/platform">Platform<' in home
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
