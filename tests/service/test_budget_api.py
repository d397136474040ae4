"""Budgets over HTTP: who sees which numbers, who grants more, and that all who ask see the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.budgets import Action, Budget, Step, Unit
from aifactory_hub.registry.model import Registry
from aifactory_hub.service.auth.runner_tokens import token_hash

from ..support.fake_hub import FakeHub
from ..support.job_service import Clock, RunningService, make_registry, running_service
from ..support.usage import BILLING, HOUR, NOVEMBER, NOW, add_people, life, whose

STEPS = (Step(80, Action.WARN), Step(100, Action.HOLD), Step(100, Action.REFUSE_NOTEBOOKS))
PART = Fraction(1, 7)
SMALL = "mig-1g.10gb"


def budgets() -> tuple[Budget, ...]:
    """Of the team: ten hours of a small slice. Of each person: four."""
    team = Budget("month", Unit.GPU_HOURS, 10 * PART * HOUR, STEPS)
    return team, replace(team, name="each", limit=4 * PART * HOUR, person=True)


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    add_people(hub)

    def registry(url: str) -> Registry:
        known = make_registry(service=url)
        nlp = replace(known.tenants["nlp"], budgets=budgets())
        return replace(known, billing=BILLING, tenants={**known.tenants, "nlp": nlp})

    clock = Clock(float(NOW))
    async with running_service(tmp_path, hub=hub, registry=registry, reconciling=False, clock=clock) as service:
        vars(service.context)["site_token_hash"] = token_hash("shared")
        service.context.ledger.append(
            [
                *life("a1", whose("nlp", "ada", SMALL), NOVEMBER.start, NOVEMBER.start + 3 * HOUR),
                *life("b1", whose("nlp", "bob", SMALL), NOVEMBER.start, NOVEMBER.start + 4 * HOUR),
            ]
        )
        yield service


async def ask(
    service: RunningService, token: str, path: str, body: Any = None, status: int = 200, verb: str = "GET"
) -> Any:
    async with service.http(token) as http:
        answer = await http.request(verb, path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def grant(**said: Any) -> dict[str, Any]:
    return {"budget": "month", "amount": "1", "until": NOW + HOUR, "reason": "a deadline", **said}


async def test_a_member_sees_the_team_s_budget_and_their_own(service: RunningService) -> None:
    told = await ask(service, "ada", "/tenants/nlp/budget")
    team, mine = told["budgets"]
    assert (team["name"], team["user"], team["limit"], team["spent"]) == ("month", None, "1.43", "1.00")
    assert (mine["name"], mine["user"], mine["limit"], mine["spent"]) == ("each", "ada", "0.57", "0.43")
    assert (team["period"], team["resets_at"], team["per_cent"]) == ("2026-11", "2026-11-30T23:00:00Z", 70.0)
    assert [step["reached"] for step in team["steps"]] == [False, False, False]
    assert (told["people"], told["grants"], told["held"], told["known"]) == (None, [], 0, True)
    assert team["forecast"]["words"] == "too little is known to say when it ends"
    assert "bob" not in str(told)


async def test_admins_see_everybody_and_others_nothing(service: RunningService) -> None:
    for token in ("grace", "platform"):
        told = await ask(service, token, "/tenants/nlp/budget")
        assert {each["user"]: each["spent"] for each in told["people"]} == {"ada": "0.43", "bob": "0.57"}
    refused = await ask(service, "eve", "/tenants/nlp/budget", status=403)
    assert refused["reason"] == (await ask(service, "eve", "/tenants/nowhere/budget", status=403))["reason"]


async def test_a_team_without_budgets_has_none(service: RunningService) -> None:
    told = await ask(service, "eve", "/tenants/vision/budget")
    assert (told["budgets"], told["people"], told["known"]) == ([], None, True)


async def test_form_submit_and_overview_say_the_same_numbers(service: RunningService) -> None:
    job = {"command": "true", "profile": SMALL, "max_seconds": 4 * HOUR}
    checked = await ask(service, "ada", "/jobs/dry-run", job, verb="POST")
    [team, mine] = [each for each in checked["verdicts"] if each["check"].startswith("budget")]
    assert (team["ok"], mine["ok"], checked["accepted"]) == (False, False, True)
    words = [each["words"] for each in (await ask(service, "ada", "/tenants/nlp/budget"))["budgets"]]
    assert words[0] in team["detail"] and words[1] in mine["detail"]
    held = await ask(service, "ada", "/jobs", {**job, "key": "k"}, 201, "POST")
    assert (held["state"], words[0] in held["reason"]) == ("HELD", True)
    assert (await ask(service, "ada", "/tenants/nlp/budget"))["held"] == 1
    site = await ask(service, "shared", "/site/budget?user=ada&tenant=nlp&tenant=vision&profile=mig-1g.10gb")
    [of_nlp] = site["teams"]
    assert [each["words"] for each in of_nlp["budgets"]] == words
    assert (of_nlp["refusal"], of_nlp["ends"]) == (None, None)
    of_bob = (await ask(service, "shared", "/site/budget?user=bob&tenant=nlp&profile=mig-1g.10gb"))["teams"][0]
    assert of_bob["refusal"]["reason"] == "budget"
    assert "each of bob in team nlp" in of_bob["refusal"]["message"]
    free = (await ask(service, "shared", "/site/budget?user=bob&tenant=nlp&profile=cpu-small"))["teams"][0]
    assert free["refusal"] is None


async def test_who_may_grant_what(service: RunningService) -> None:
    path, of_person = "/tenants/nlp/budget/grants", {"budget": "each", "user": "bob"}
    for token in ("ada", "grace"):
        await ask(service, token, path, grant(), 403, "POST")
    await ask(service, "ada", path, grant(**of_person), 403, "POST")
    await ask(service, "eve", path, grant(), 403, "POST")
    told = await ask(service, "platform", path, grant(), 201, "POST")
    assert told["budgets"][0]["limit"] == "2.43"
    told = await ask(service, "grace", path, grant(**of_person), 201, "POST")
    assert {each["user"]: each["granted"] for each in told["people"]} == {"ada": "0.00", "bob": "1.00"}
    assert [(each["by"], each["user"], each["reason"], each["counts"]) for each in told["grants"]] == [
        ("grace", "bob", "a deadline", True),
        ("rene", None, "a deadline", True),
    ]
    seen = await ask(service, "ada", "/tenants/nlp/budget")
    assert [each["by"] for each in seen["grants"]] == ["rene"]  # bob's are bob's


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"budget": "year"}, "budget"),
        ({"user": "bob"}, "user"),
        ({"budget": "each"}, "user"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "nan"}, "amount"),
        ({"amount": "1e99"}, "amount"),
        ({"until": NOW}, "until"),
        ({"until": NOW + 401 * 86400}, "until"),
        ({"reason": " "}, "reason"),
    ],
)
async def test_a_bad_grant_is_refused_with_what_to_do(
    service: RunningService, said: dict[str, Any], field: str
) -> None:
    refused = await ask(service, "platform", "/tenants/nlp/budget/grants", grant(**said), 400, "POST")
    assert (refused["reason"], refused["field"]) == ("bad-field", field)


async def test_a_held_job_goes_on_after_a_grant(service: RunningService) -> None:
    job = {"command": "true", "profile": SMALL, "max_seconds": HOUR, "key": "k"}
    await ask(service, "ada", "/jobs", {**job, "key": "a"}, 201, "POST")
    held = await ask(service, "ada", "/jobs", job, 201, "POST")
    assert (held["state"], "each of ada" in held["reason"]) == ("HELD", True)
    body = grant(budget="each", user="ada", amount="1")
    await ask(service, "grace", "/tenants/nlp/budget/grants", body, 201, "POST")
    await service.reconciler.settle()
    assert (await ask(service, "ada", f"/jobs/{held['id']}"))["state"] == "STARTING"
