"""An account is given to another person, on a real hub: first everything of the former one ends."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli.app import main

from ..support.hub_process import SERVICE_TOKEN, hub_process
from ..support.oidc_provider import oidc_provider
from ..support.still_servers import BOSS_TOKEN, STILL
from .leaving import POLICY, TWO_TENANTS, Site, wait_until
from .test_accounts import attempt


def accounts(site: Site, *arguments: str, token: str = BOSS_TOKEN, piped: str | None = None) -> Result:
    """``aifactory-hub accounts ...`` against the hub, as an administrator."""
    env = {"JUPYTERHUB_API_URL": f"{site.hub.url}/hub/api", "JUPYTERHUB_API_TOKEN": token}
    return CliRunner().invoke(main, ["accounts", *arguments], env=env, input=piped)


def asked(site: Site, name: str) -> dict[str, Any]:
    """What the job service is told of an account."""
    head = {"Authorization": f"token {SERVICE_TOKEN}"}
    url = f"{site.hub.url}/hub/aifactory/api/memberships"
    answer = httpx.post(url, json={"users": [name]}, headers=head, trust_env=False)
    found: dict[str, Any] = answer.json()["memberships"][name]
    return found


def post(site: Site, path: str, body: Any, token: str = BOSS_TOKEN) -> httpx.Response:
    head = {"Authorization": f"token {token}"}
    return httpx.post(f"{site.hub.url}/hub/aifactory/api/{path}", json=body, headers=head, trust_env=False, timeout=60)


def test_everything_of_the_former_person_ends_before_the_next_one_is_let_in(site: Site) -> None:
    former = site.sign_in("vera", "teams/nlp", sub="sub-vera")
    own = former.post("/hub/api/users/vera/tokens", json={"note": "mine"}, headers=site.xsrf(former)).json()["token"]
    assert site.start(former, "vera", tenant="nlp").status_code == 201
    server_token = site.token("vera")
    said = accounts(site, "handover", "vera", "--subject", "sub-vera-2", "--yes")
    assert (said.exit_code, said.output) == (0, "Account vera is handed over.\n")
    assert not site.running("vera")
    assert site.ask(own).status_code == site.ask(server_token).status_code == 403
    assert former.get("/hub/home", follow_redirects=False).status_code == 302
    assert asked(site, "vera") == {
        "standing": "signed-out",
        "tenants": {},
        "last": None,
        "resolved_at": None,
        "generation": 1,
        "admin": False,
        "approves": [],
        "mail": None,
    }
    assert "boss hands account vera over, from subject 'sub-vera' of" in site.hub.log
    # The service may have cached what it knew of the former person for some seconds.
    page = attempt(site, "vera", "sub-vera-2", "teams/vision")
    assert page.status_code == 403
    assert "handed over a moment ago" in page.text
    assert attempt(site, "vera", "sub-vera", "teams/nlp").status_code == 403
    wait_until(lambda: attempt(site, "vera", "sub-vera-2", "teams/vision").status_code == 200, "the new person")
    model: Any = site.hub.user("vera")
    assert model["groups"] == ["tenant-vision"]
    assert attempt(site, "vera", "sub-vera", "teams/nlp").status_code == 403
    assert asked(site, "vera")["generation"] == 1


def test_a_start_under_way_is_called_off(site: Site) -> None:
    browser = site.sign_in("wanda", "teams/nlp", sub="sub-wanda")
    assert site.start(browser, "wanda", tenant="nlp", slow=True).status_code == 202
    assert post(site, "accounts/wanda/handover", {"subject": "sub-wanda-2"}).status_code == 200
    assert site.hub.user("wanda") is None


def test_an_account_may_go_to_whoever_signs_in_next(site: Site) -> None:
    site.sign_in("xenia", "teams/nlp", sub="sub-xenia")
    assert accounts(site, "handover", "xenia", "--next-sign-in", "--keep-jobs", "--yes").exit_code == 0
    assert "xenia: whoever signs in next, handed over 1 times" in accounts(site, "list").output
    wait_until(lambda: attempt(site, "xenia", "sub-xenia-2", "teams/nlp").status_code == 200, "the next person")
    assert attempt(site, "xenia", "sub-xenia-3", "teams/nlp").status_code == 403
    assert asked(site, "xenia")["generation"] == 0, "the jobs were kept"


def test_the_same_people_get_new_subjects_from_a_file(site: Site) -> None:
    browser = site.sign_in("yara", "teams/nlp", sub="sub-yara")
    assert site.start(browser, "yara", tenant="nlp").status_code == 201
    table = accounts(site, "list", "--csv").output
    assert f"yara,{site.provider.issuer},sub-yara" in table.replace("\r", "")
    one = f"name,issuer,subject\nyara,{site.provider.issuer},sub-yara-new\n"
    said = accounts(site, "rebind", "-", piped=one)
    assert said.output == "1 accounts have new subjects.\n", said.output
    assert site.running("yara")
    assert attempt(site, "yara", "sub-yara", "teams/nlp").status_code == 403
    assert attempt(site, "yara", "sub-yara-new", "teams/nlp").status_code == 200
    assert site.running("yara")


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("accounts/nobody-here/handover", {"subject": "s"}, 404, "There is no account 'nobody-here'"),
        ("accounts/zoe/handover", {"subject": 7}, 400, "subject has to be a text"),
        ("accounts/zoe/handover", {"subject": "a\x00b"}, 400, "subject has to be a text"),
        ("accounts/zoe/handover", {"subject": "s", "issuer": []}, 400, "issuer has to be a text"),
        ("accounts/zoe/handover", {"subject": "s", "keep_home": "yes"}, 400, "keep_home has to be true or false"),
        ("accounts/zoe/handover", [], 400, "Send a JSON object with subject"),
        ("accounts/zoe/handover", {}, 400, "Send a JSON object with subject"),
        ("accounts", [], 400, "accounts has to be a list"),
        ("accounts", {"accounts": []}, 400, "accounts has to be a list"),
        ("accounts", {"accounts": [{"name": "zoe", "subject": "x"}, 1]}, 400, "accounts[1] has to be an object"),
        ("accounts", {"accounts": [{"name": "zoe"}]}, 400, "subject has to be a text"),
        ("accounts", {"accounts": [{"name": "nobody-here", "subject": "s"}]}, 404, "There is no account"),
    ],
)
def test_a_bad_request_is_refused_in_words_and_changes_nothing(
    site: Site, path: str, body: Any, status: int, said: str
) -> None:
    site.sign_in("zoe", "teams/nlp", sub="sub-zoe")
    answer = post(site, path, body)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["message"]
    assert attempt(site, "zoe", "sub-zoe", "teams/nlp").status_code == 200


def test_only_an_administrator_of_the_hub_sees_and_hands_over_accounts(site: Site) -> None:
    browser = site.sign_in("amy", "teams/nlp/admins", sub="sub-amy")
    assert site.start(browser, "amy", tenant="nlp").status_code in (201, 403)
    own = browser.post("/hub/api/users/amy/tokens", json={}, headers=site.xsrf(browser)).json()["token"]
    for token in (own, SERVICE_TOKEN, "nonsense"):
        assert post(site, "accounts/amy/handover", {"subject": "s"}, token).status_code == 403
        assert post(site, "accounts", {"accounts": [{"name": "amy", "subject": "s"}]}, token).status_code == 403
        assert accounts(site, "list", token=token).exit_code == 1
    assert browser.get("/hub/aifactory/accounts").status_code == 403
    form = {"name": "amy", "subject": "s"}
    refused = browser.post("/hub/aifactory/accounts/handover", data=form, headers=site.xsrf(browser))
    assert refused.status_code == 403


def test_an_administrator_hands_over_on_the_page_and_not_without_its_token(site: Site) -> None:
    site.sign_in("bella", "teams/nlp", sub="sub-bella")
    browser = site.sign_in("root", "teams/nlp", sub="sub-root")
    page = browser.get("/hub/aifactory/accounts").text
    assert "sub-bella" in page
    form = {"name": "bella", "subject": "sub-bella-2", "keep_home": "yes"}
    assert browser.post("/hub/aifactory/accounts/handover", data=form).status_code == 403
    assert site.hub.user("bella") is not None
    done = browser.post("/hub/aifactory/accounts/handover", data=form, headers=site.xsrf(browser))
    assert done.status_code == 200
    assert site.hub.user("bella") is None
    assert "sub-bella-2" in done.text
    own = browser.post("/hub/aifactory/accounts/handover", data={"name": "root"}, headers=site.xsrf(browser))
    assert own.status_code == 400


def test_the_command_says_what_it_needs(site: Site) -> None:
    assert "one of them" in accounts(site, "handover", "kim", "--yes").output
    assert "there is no column subject" in accounts(site, "rebind", "-", piped="name,issuer\nkim,x\n").output
    unset = CliRunner().invoke(main, ["accounts", "list"], env={"JUPYTERHUB_API_URL": "", "JUPYTERHUB_API_TOKEN": ""})
    assert "JUPYTERHUB_API_URL" in unset.output


def test_a_hub_that_starts_again_knows_whose_the_accounts_of_an_earlier_release_are(tmp_path: Path) -> None:
    text = TWO_TENANTS.replace("username_claim: name}}", POLICY)
    with oidc_provider(refresh=True) as provider:
        tenants = text.format(issuer=provider.issuer)
        with hub_process(tmp_path, tenants, STILL) as hub, closing(Site(hub, provider)) as site:
            site.sign_in("dina", "teams/nlp", sub="sub-dina")
        with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as db, db:
            db.execute("drop table aifactory_accounts")
        with hub_process(tmp_path, tenants, STILL) as hub, closing(Site(hub, provider)) as site:
            assert attempt(site, "\uff44ina", "sub-dina-2", "teams/nlp").status_code == 403
            assert attempt(site, "dina", "sub-dina", "teams/nlp").status_code == 200


def test_a_hub_that_starts_again_ends_a_handover_that_another_one_began(tmp_path: Path) -> None:
    text = TWO_TENANTS.replace("username_claim: name}}", POLICY)
    with oidc_provider(refresh=True) as provider:
        tenants = text.format(issuer=provider.issuer)
        with hub_process(tmp_path, tenants, STILL) as hub, closing(Site(hub, provider)) as site:
            site.sign_in("dina", "teams/nlp", sub="sub-dina")
        with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as db, db:
            # As a hub leaves it that was killed after it had written the handover down.
            changed = "ending = 1, generation = 1, jobs = 1, home = 1, person = null, issuer = null, subject = null"
            db.execute(f"update aifactory_accounts set {changed} where name = 'dina'")  # noqa: S608
        with hub_process(tmp_path, tenants, STILL) as hub, closing(Site(hub, provider)) as site:
            wait_until(lambda: hub.user("dina") is None, "the former person's user is deleted")
            assert asked(site, "dina")["generation"] == 1
            assert accounts(site, "list").output.startswith("dina: whoever signs in next")
