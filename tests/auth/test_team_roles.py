"""Teams that come and go while the hub runs: a real hub, over a real provider and a real file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from aifactory_hub.auth.roles import tenant_roles
from aifactory_hub.constants import SCOPE_SUBMIT

from ..support.hub_process import SERVICE_TOKEN, hub_process
from ..support.oidc_provider import oidc_provider
from ..support.still_servers import STILL
from .leaving import POLICY, TWO_TENANTS, Site, wait_until

ROBOTS = """
  robots:
    vcluster: {namespace: vc-robots, name: robots}
    groups: [{group: teams/robots, role: member}]
    profiles: [cpu]
"""
PROFILE = "profiles: {cpu: {gpu: none, cpu: 1, memory: 1Gi}}\n"


class Changing(Site):
    """``keep`` writes the hub's tenants.yaml as editors do."""

    text = ""

    def keep(self, text: str) -> None:
        beside = self.hub.folder / "new.yaml"
        beside.write_text(text)
        beside.replace(self.hub.folder / "tenants.yaml")

    def told(self) -> dict[str, object]:
        """What the hub says of the file."""
        url = f"{self.hub.url}/hub/aifactory/api/tenants-file"
        answer = httpx.get(url, headers={"Authorization": f"Bearer {SERVICE_TOKEN}"}, trust_env=False)
        return dict(answer.raise_for_status().json())

    def roles(self) -> set[str]:
        """Those of team robots that a group has, by the hub's database."""
        with closing(sqlite3.connect(f"file:{self.hub.folder}/hub.sqlite?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT name FROM roles JOIN group_role_map ON role_id = roles.id").fetchall()
        return {name for (name,) in rows} & {role["name"] for role in tenant_roles("robots")}

    def membership(self, name: str) -> dict[str, Any]:
        """As the job service hears it."""
        url = f"{self.hub.url}/hub/aifactory/api/memberships"
        head = {"Authorization": f"token {SERVICE_TOKEN}"}
        answer = httpx.post(url, json={"users": [name]}, headers=head, trust_env=False)
        return dict(answer.raise_for_status().json()["memberships"][name])

    def has_robots(self) -> bool:
        return self.roles() == {"tenant-robots-member", "tenant-robots-viewer", "tenant-robots-admin"}

    def scopes(self, token: str) -> set[str]:
        """What a token may do for team robots."""
        answer = self.ask(token)
        scopes = answer.json().get("scopes", []) if answer.status_code == 200 else []
        return {scope for scope in scopes if scope.endswith("!group=tenant-robots")}

    def may_submit_to_robots(self, token: str) -> bool:
        return any(scope.startswith(SCOPE_SUBMIT) for scope in self.scopes(token))

    def token_of(self, browser: httpx.Client, name: str) -> str:
        """A token that the person makes for all that they may do."""
        browser.get("/hub/home")
        made = browser.post(f"/hub/api/users/{name}/tokens", json={"note": "mine"}, headers=self.xsrf(browser))
        assert made.status_code == 201, made.text
        return str(made.json()["token"])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changing]:
    with oidc_provider(refresh=True) as provider:
        folder = tmp_path_factory.mktemp("hub")
        text = TWO_TENANTS.replace("username_claim: name}}", POLICY).format(issuer=provider.issuer) + PROFILE
        with hub_process(folder, text, STILL) as hub:
            site = Changing(hub, provider)
            site.text = text
            yield site


@pytest.fixture
def site(running: Changing) -> Iterator[Changing]:
    running.provider.sane()
    running.provider.refresh = True
    try:
        yield running
    finally:
        running.close()
    running.keep(running.text)
    wait_until(lambda: not running.roles() and not running.told()["trouble"], "the file of before is in use")


def with_robots(site: Changing, group: str = "teams/robots") -> str:
    return site.text.replace(PROFILE, "").rstrip("\n") + ROBOTS.replace("teams/robots", group) + PROFILE


def test_a_new_team_is_there_for_who_signs_in_and_for_who_is_signed_in(site: Changing) -> None:
    ada = site.sign_in("ada", "teams/nlp", "teams/robots")
    old_token = site.token_of(ada, "ada")
    assert not site.may_submit_to_robots(old_token)
    site.keep(with_robots(site))
    wait_until(site.has_robots, "the roles of the new team")
    wait_until(lambda: site.may_submit_to_robots(old_token), "a token made before has the right after a renewal")
    new = site.sign_in("grace", "teams/robots")
    assert site.start(new, "grace", tenant="robots").status_code in (201, 202)
    wait_until(lambda: site.running("grace"), "a server in the new team")
    assert "team robots added" in site.hub.log
    assert site.told()["trouble"] == ""
    # And away with it.
    site.keep(site.text)
    wait_until(lambda: not site.roles(), "the roles are gone")
    assert not site.scopes(old_token) and not site.scopes(site.token("grace"))
    assert "team robots removed" in site.hub.log
    # Who runs something in a team that is not there is no member of it: by the site's policy that ends.
    wait_until(lambda: not site.running("grace"), "its servers end as those of who has left")


def test_a_team_that_comes_again_begins_without_its_former_members(site: Changing) -> None:
    eve = site.sign_in("eve", "teams/nlp", "teams/robots")
    site.keep(with_robots(site))
    wait_until(site.has_robots, "the team")
    token = site.token_of(eve, "eve")
    wait_until(lambda: site.may_submit_to_robots(token), "eve is a member")
    # The provider says nothing of eve from here on: what they had must not come back with the name.
    site.provider.loses_answers.add("sub-eve")
    site.keep(site.text)
    wait_until(lambda: not site.roles(), "the team is gone")
    site.keep(with_robots(site, group="teams/machines"))
    wait_until(site.has_robots, "another team of that name")
    assert not site.scopes(token)
    said = site.membership("eve")
    assert "robots" not in said["tenants"] and "robots" not in (said["last"] or {})


def test_a_broken_file_changes_nothing_and_is_said_where_it_is_seen(site: Changing) -> None:
    root = site.sign_in("root", "teams/nlp")
    site.keep(with_robots(site).replace("tenants:", "tenant:", 1))
    wait_until(lambda: site.told()["trouble"], "the trouble is told")
    said = str(site.told()["trouble"])
    assert "tenants.yaml:" in said and "tenant" in said and site.told()["waits"] is False
    assert not site.roles() and site.hub.log.count("can't be used, so the last good one") == 1
    assert root.get("/hub/home").status_code == 200
    site.keep(site.text.replace("hub: test", "hub: other"))
    wait_until(lambda: site.told()["waits"], "what takes a restart waits")
    assert "hub: it has another value; restart the hub" in str(site.told()["trouble"])


def test_only_administrators_and_the_service_read_what_is_wrong_with_the_file(site: Changing) -> None:
    path = "/hub/aifactory/api/tenants-file"
    assert site.sign_in("ada", "teams/nlp").get(path).status_code == 403
    assert httpx.get(f"{site.hub.url}{path}", trust_env=False).status_code == 403
    told = site.sign_in("root", "teams/nlp").get(path).json()
    assert set(told) == {"digest", "read_at", "trouble", "waits"}


def test_a_hub_is_told_of_a_file_that_its_volume_swaps(tmp_path: Path) -> None:
    """As kubelet does it, on a hub of its own."""
    with oidc_provider(refresh=True) as provider:
        text = TWO_TENANTS.replace("username_claim: name}}", POLICY).format(issuer=provider.issuer) + PROFILE
        with hub_process(tmp_path, text, STILL) as hub:
            site = Changing(hub, provider)
            site.text = text
            (tmp_path / "..2").mkdir()
            (tmp_path / "..2" / "tenants.yaml").write_text(with_robots(site))
            (tmp_path / "..data").symlink_to("..2")
            (tmp_path / "link").symlink_to("..data/tenants.yaml")
            (tmp_path / "link").replace(tmp_path / "tenants.yaml")
            wait_until(site.has_robots, "the team")
            site.close()
