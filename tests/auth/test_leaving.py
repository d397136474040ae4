"""Leaving a team, the company, or just the browser: a real hub, a real HTTP provider with refresh tokens.

The servers are simulated (sockets that answer); what is real is every decision about them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from aifactory_hub.constants import SCOPE_PLATFORM, SCOPE_READ, SCOPE_SUBMIT
from aifactory_hub.domain.membership_policy import SessionStatus
from aifactory_hub.domain.tenants import Role
from aifactory_hub.service.errors import ServiceError

from ..support.hub_process import SERVICE_TOKEN
from ..support.still_servers import BOSS_TOKEN
from .leaving import Site, wait_until


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
    # The groups change with the request that asks; the server's notice follows in the hub's next round.
    wait_until(lambda: "You are not in team nlp any more" in browser.get("/hub/home").text, "Home says so")
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


def test_a_session_that_ran_out_ends_in_the_hub_without_an_error_in_its_log(site: Site) -> None:
    browser, before = site.sign_in("oda", "teams/nlp"), len(site.hub.log)
    site.provider.disabled.add("sub-oda")
    wait_until(
        lambda: browser.get("/hub/home", follow_redirects=False).headers.get("location", "").startswith("/hub/login"),
        "the hub asks for a sign-in",
    )
    site.provider.disabled.clear()
    assert "Traceback" not in site.hub.log[before:]


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
    assert said["ghost"] == {
        "standing": SessionStatus.SIGNED_OUT.value,
        "tenants": {},
        "last": None,
        "resolved_at": None,
        "generation": 0,
        "admin": False,
        "approves": [],
        "mail": None,
    }
    bad: Any
    for bad in ({}, [], {"users": "rosa"}, {"users": [1]}, {"users": ["x"] * 501}):
        assert asked(SERVICE_TOKEN, bad).status_code == 400


def test_the_service_is_told_who_administers_the_hub(site: Site) -> None:
    """An administrator's own token is for administrating; the one in their notebook is not."""
    member = site.sign_in("rita", "teams/nlp")
    browser = site.sign_in("root", "teams/nlp")
    assert site.start(browser, "root", tenant="nlp").status_code == 201
    url, head = f"{site.hub.url}/hub/aifactory/api/memberships", {"Authorization": f"token {SERVICE_TOKEN}"}
    said = httpx.post(url, json={"users": ["rita", "root", "ghost"]}, headers=head, trust_env=False).json()
    assert {name: each["admin"] for name, each in said["memberships"].items()} == {
        "rita": False,
        "root": True,
        "ghost": False,
    }

    def own_token(whose: httpx.Client, name: str) -> Any:
        path = f"/hub/api/users/{name}/tokens"
        return whose.post(path, json={"note": "mine"}, headers=site.xsrf(whose)).json()["token"]

    def administrates(token: str) -> bool:
        head = {"Authorization": f"token {token}"}
        model = httpx.get(f"{site.hub.url}/hub/api/user", headers=head, trust_env=False).json()
        return SCOPE_PLATFORM in model["scopes"]

    assert administrates(own_token(browser, "root"))
    assert not administrates(site.token("root"))
    assert not administrates(own_token(member, "rita"))


def test_owners_of_live_jobs_are_asked_about_though_they_run_no_server(site: Site) -> None:
    site.sign_in("sue", "teams/nlp")
    site.provider.people["sub-sue"] = {**site.provider.people["sub-sue"], "groups": []}
    url, body = f"{site.hub.url}/hub/aifactory/api/memberships", {"users": ["sue"], "watch": True}
    head = {"Authorization": f"token {SERVICE_TOKEN}"}
    httpx.post(url, json=body, headers=head, trust_env=False)
    user: Callable[[], Any] = lambda: site.hub.user("sue")  # noqa: E731
    wait_until(lambda: user()["groups"] == [], "the poller asks about the user")
