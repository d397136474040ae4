"""Approvers: people of a group of the provider, with a team or without, on a real hub."""

from __future__ import annotations

from typing import Any

import httpx

from aifactory_hub.constants import APPROVERS_GROUP

from ..support.hub_process import SERVICE_TOKEN
from .leaving import Site, wait_until


def membership(site: Site, name: str) -> Any:
    """What the job service is told of somebody."""
    url, head = f"{site.hub.url}/hub/aifactory/api/memberships", {"Authorization": f"token {SERVICE_TOKEN}"}
    answer = httpx.post(url, json={"users": [name]}, headers=head, trust_env=False)
    return answer.json()["memberships"][name]


def test_an_approver_without_a_team_is_let_in_and_has_no_team(site: Site) -> None:
    browser = site.sign_in("sid", "corp/security")
    assert browser.get("/hub/home").status_code == 200
    said = membership(site, "sid")
    assert (said["approves"], said["tenants"]) == (["security"], {})
    user: Any = site.hub.user("sid")
    assert user["groups"] == [APPROVERS_GROUP]
    assert site.start(browser, "sid", tenant="nlp").status_code == 403


def test_a_member_who_approves_is_both_and_who_does_not_is_none(site: Site) -> None:
    site.sign_in("uma", "teams/nlp", "corp/security")
    site.sign_in("ulf", "teams/nlp")
    assert (membership(site, "uma")["approves"], membership(site, "uma")["tenants"]) == (
        ["security"],
        {"nlp": "member"},
    )
    assert membership(site, "ulf")["approves"] == []


def test_who_leaves_the_group_approves_nothing_any_more(site: Site) -> None:
    browser = site.sign_in("tia", "teams/nlp", "corp/security")
    site.provider.people["sub-tia"] = {**site.provider.people["sub-tia"], "groups": ["teams/nlp"]}

    def told() -> bool:
        browser.get("/hub/home")
        return bool(membership(site, "tia")["approves"] == [])

    wait_until(told, "the provider is asked again")
    assert membership(site, "tia")["tenants"] == {"nlp": "member"}
