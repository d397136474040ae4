"""A person is a subject of the provider, on a real hub: a name that is used again opens nobody's account."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from ..support.hub_process import hub_process
from ..support.oidc_provider import oidc_provider
from ..support.still_servers import BOSS_TOKEN, STILL
from .leaving import POLICY, TWO_TENANTS, Site, wait_until

BOSS = {"Authorization": f"token {BOSS_TOKEN}"}


def account_rows(site: Site, name: str) -> list[tuple[Any, ...]]:
    """What the hub's database holds of an account: group memberships, tokens, sign-in state, servers."""
    with sqlite3.connect(site.hub.folder / "hub.sqlite") as db:
        user = db.execute(
            "select id, admin, cookie_id, encrypted_auth_state from users where name = ?", [name]
        ).fetchall()
        of = [user[0][0]]
        groups = db.execute("select group_id from user_group_map where user_id = ? order by 1", of).fetchall()
        tokens = db.execute("select prefix, scopes from api_tokens where user_id = ? order by 1", of).fetchall()
        servers = db.execute("select name, state from spawners where user_id = ? order by 1", of).fetchall()
    return [*user, *groups, *tokens, *servers]


def attempt(site: Site, name: str, sub: str, *groups: str) -> httpx.Response:
    """A sign-in that may be refused, from a browser of its own."""
    browser = httpx.Client(follow_redirects=True, trust_env=False, timeout=20, base_url=site.hub.url)
    site.browsers.append(browser)
    site.provider.account = {"sub": sub, "name": name, "groups": list(groups)}
    return browser.get("/hub/oauth_login?next=%2Fhub%2Fhome")


@pytest.mark.parametrize(
    "name",
    ["kim", "Kim", "KIM", "\u212aim", "kim ", " kim", "ki\u2060m", "\uff4bim", "kim\u3000"],
    ids=["the same", "capital", "capitals", "Kelvin sign", "space after", "space before", "word joiner", "full width",
         "wide space"],
)  # fmt: skip
def test_another_subject_gets_nothing_of_an_account_by_its_name(site: Site, name: str) -> None:
    site.provider.refresh = False  # so that nothing is written by a renewal meanwhile
    site.sign_in("kim", "teams/nlp", sub="sub-of-the-first")
    before = account_rows(site, "kim")
    page = attempt(site, name, "sub-of-the-second", "teams/vision")
    assert page.status_code == 403
    assert account_rows(site, "kim") == before
    shown = page.text.replace("&#39;", "'")
    if name != name.strip():
        assert "no space at either end" in shown
    elif name.isprintable():
        assert "belongs to another person" in shown
        assert "Ask the administrator of this hub" in shown
    assert "sub-of-the-first" not in shown
    assert "Language" not in shown
    assert "/hub/api/user" not in shown
    assert page.history[-1].cookies.get("jupyterhub-hub-login") is None
    users = httpx.get(f"{site.hub.url}/hub/api/users", headers=BOSS, trust_env=False).json()
    assert len([user for user in users if "im" in user["name"]]) == 1


def test_the_refusal_tells_an_administrator_who_was_refused(site: Site) -> None:
    site.sign_in("lena", "teams/nlp", sub="sub-lena")
    attempt(site, "Lena", "sub-other-lena", "teams/nlp")
    assert "subject 'sub-other-lena' of http" in site.hub.log
    browser = site.sign_in("root", "teams/nlp", sub="sub-root")
    page = browser.get("/hub/aifactory/sign-ins").text
    assert "sub-other-lena" in page
    assert "account lena" in page


def test_a_running_server_and_tokens_stay_with_their_person(site: Site) -> None:
    first = site.sign_in("mia", "teams/nlp", sub="sub-mia")
    assert site.start(first, "mia", tenant="nlp").status_code == 201
    token = site.token("mia")
    assert attempt(site, "Mia", "sub-mia-2", "teams/vision").status_code == 403
    assert site.running("mia")
    assert site.may_submit(token) == ("nlp",)
    assert first.get("/hub/home", follow_redirects=False).status_code == 200


def test_a_person_whom_the_provider_renames_keeps_the_account_and_gets_no_rights_by_the_new_name(site: Site) -> None:
    site.sign_in("nora", "teams/nlp", sub="sub-nora")
    browser = site.sign_in("root", "teams/nlp", sub="sub-nora")
    model = browser.get("/hub/api/user", headers=site.xsrf(browser)).json()
    assert model["name"] == "nora"
    assert not model["admin"]
    site.provider.people["sub-nora"] = {**site.provider.people["sub-nora"], "name": "root"}
    time.sleep(1.2)  # auth_refresh_age
    model = browser.get("/hub/api/user", headers=site.xsrf(browser)).json()
    assert (model["name"], model["admin"]) == ("nora", False)


def test_a_name_stays_bound_when_its_user_is_deleted(site: Site) -> None:
    site.sign_in("olga", "teams/nlp", sub="sub-olga")
    assert httpx.delete(f"{site.hub.url}/hub/api/users/olga", headers=BOSS, trust_env=False).status_code == 204
    assert attempt(site, "olga", "sub-olga-2", "teams/nlp").status_code == 403
    assert site.hub.user("olga") is None
    assert attempt(site, "olga", "sub-olga", "teams/nlp").status_code == 200


def test_a_user_whom_an_administrator_renames_at_the_hub_stays_with_their_person(site: Site) -> None:
    site.sign_in("pam", "teams/nlp", sub="sub-pam")
    renamed = httpx.patch(f"{site.hub.url}/hub/api/users/pam", json={"name": "pamela"}, headers=BOSS, trust_env=False)
    assert renamed.status_code == 200
    assert attempt(site, "pamela", "sub-pam-2", "teams/nlp").status_code == 403
    assert attempt(site, "pamela", "sub-pam", "teams/nlp").status_code == 200


def test_an_account_that_an_administrator_made_is_bound_at_its_first_sign_in(site: Site) -> None:
    assert httpx.post(f"{site.hub.url}/hub/api/users/pia", headers=BOSS, trust_env=False).status_code == 201
    assert attempt(site, "pia", "sub-pia", "teams/nlp").status_code == 200
    assert "account pia is bound to subject 'sub-pia'" in site.hub.log
    assert attempt(site, "pia", "sub-pia-2", "teams/nlp").status_code == 403


def test_who_is_refused_for_another_reason_binds_no_account(site: Site) -> None:
    assert attempt(site, "quin", "sub-quin-without-a-team").status_code == 403
    assert attempt(site, "quin", "sub-quin", "teams/nlp").status_code == 200


def test_a_renewal_about_another_subject_ends_the_session_and_nothing_else(site: Site) -> None:
    browser = site.sign_in("rita", "teams/nlp", sub="sub-rita")
    assert site.start(browser, "rita", tenant="nlp").status_code == 201
    with sqlite3.connect(site.hub.folder / "hub.sqlite") as db:
        db.execute("update aifactory_accounts set subject = 'sub-else', person = 'x' where name = 'rita'")
    wait_until(lambda: browser.get("/hub/home", follow_redirects=False).status_code == 302, "the session is over")
    assert site.running("rita")


def test_while_a_site_changes_its_provider_accounts_are_bound_anew_and_the_log_says_so(tmp_path: Path) -> None:
    text = TWO_TENANTS.replace("username_claim: name}}", POLICY)
    with oidc_provider(refresh=True) as old, oidc_provider(refresh=True) as new:
        with hub_process(tmp_path, text.format(issuer=old.issuer), STILL) as hub, closing(Site(hub, old)) as site:
            site.sign_in("gail", "teams/nlp", sub="sub-at-the-old-one")
        with hub_process(tmp_path, text.format(issuer=new.issuer), STILL) as hub, closing(Site(hub, new)) as site:
            assert attempt(site, "gail", "sub-at-the-new-one", "teams/nlp").status_code == 403
        window = text.replace("on_leaving: stop", "on_leaving: stop, rebind_until: 2999-01-01")
        with hub_process(tmp_path, window.format(issuer=new.issuer), STILL) as hub, closing(Site(hub, new)) as site:
            assert attempt(site, "gail", "sub-at-the-new-one", "teams/nlp").status_code == 200
            assert "account gail is bound anew, from subject 'sub-at-the-old-one'" in hub.log
            assert attempt(site, "gail", "sub-of-another", "teams/nlp").status_code == 403


def test_who_signs_in_again_after_leaving_a_team_has_the_server_there_stopped(site: Site) -> None:
    browser = site.sign_in("sara", "teams/nlp")
    assert site.start(browser, "sara", tenant="nlp").status_code == 201
    token = site.token("sara")
    site.sign_in("sara", "teams/vision")
    assert site.may_submit(token) == ()
    wait_until(lambda: not site.running("sara"), "the server in the team that was left is stopped")


def test_who_signs_in_again_and_again_does_not_begin_the_grace_anew(site: Site) -> None:
    browser = site.sign_in("tess", "teams/nlp")
    assert site.start(browser, "tess", tenant="nlp").status_code == 201
    began = time.monotonic()
    while site.running("tess"):
        site.sign_in("tess", "teams/vision")
        assert time.monotonic() - began < 40, "the server runs on while its owner signs in every second"
        time.sleep(0.5)


def test_a_start_under_way_in_a_team_that_was_left_is_called_off_by_a_sign_in(site: Site) -> None:
    browser = site.sign_in("uma", "teams/nlp")
    assert site.start(browser, "uma", tenant="nlp", slow=True).status_code == 202
    site.sign_in("uma", "teams/vision")
    wait_until(lambda: not site.running("uma"), "the start is called off")
