"""Rules as people see them, what they said, what they would have stopped, and overrides of soft ones."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from aifactory_hub import constants

from ..policy.rules import rule
from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import Clock, RunningService, running_service
from ..support.rules import change_rules, site_rules
from .test_sessions import asked_each_time, browser, sign_in

__all__ = ["asked_each_time"]

API = "/services/aifactory/api/v1"
JOB = {"command": "python train.py", "profile": "mig-1g.10gb"}
SOFT = rule(
    id="short",
    title="Jobs are short",
    severity="soft",
    overridable_by="admin",
    assert_="job.max_seconds <= 3600",
    message="'it may run for ' + string(job.max_seconds) + ' s'",
    fix="Set max_seconds.",
    field="max_seconds",
    cases=[{"expect": "pass", "view": {"job": {"max_seconds": 60}}}, {"expect": "fail"}],
)
OF_PLATFORM = {**SOFT, "id": "cheap", "overridable_by": "platform"}
HARD = {**SOFT, "id": "hard", "severity": "hard"}
HARD.pop("overridable_by")
OF_VISION = {**SOFT, "id": "of-vision", "scope": {"teams": ["vision"]}}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return tmp_path / "rules"


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub, rules: Path) -> AsyncIterator[RunningService]:
    hub.add("chief", "chief", [*scopes_for("nlp"), constants.SCOPE_PLATFORM], groups=["tenant-nlp"])
    hub.administrators.add("chief")
    clock = Clock()
    gates = site_rules(rules, SOFT, OF_VISION, clock=clock)
    async with running_service(tmp_path / "disk", hub=hub, reconciling=False, gates=gates, clock=clock) as running:
        yield running


async def get(service: RunningService, path: str, who: str = "ada") -> Any:
    async with service.http(who) as http:
        answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def submit(service: RunningService, who: str = "ada", **asked: Any) -> httpx.Response:
    async with service.http(who) as http:
        return await http.post("/jobs", json={**JOB, "key": str(len(json.dumps(asked))) + who, **asked})


async def refused(service: RunningService, who: str = "ada") -> str:
    answer = await submit(service, who)
    assert answer.status_code == 403, answer.text
    found: str = answer.json()["verdict"]
    return found


def override(service: RunningService, refused: str, **changes: Any) -> dict[str, Any]:
    until = int(service.context.clock()) + 3600
    return {"verdict": refused, "rule": "short", "reason": "the deadline is today", "until": until, **changes}


async def by_session(service: RunningService, who: str, body: Any) -> httpx.Response:
    async with browser(service) as http:
        headers = await sign_in(http, who)
        return await http.post(f"{API}/tenants/nlp/overrides", json=body, headers=headers)


async def test_rules_are_told_in_words_to_those_who_may_meet_them(service: RunningService) -> None:
    found = await get(service, "/policies")
    assert [each["id"] for each in found["rules"]] == ["short"]
    assert found["bundle"] == service.context.gates.bundle
    assert found["trouble"] is None
    assert "one of the team's admins may override it" in found["rules"][0]["effect"]
    assert [each["id"] for each in (await get(service, "/policies", "eve"))["rules"]] == ["short", "of-vision"]
    one = await get(service, "/policies/short")
    assert (one["holds"], one["source"]) == ("job.max_seconds <= 3600", "site.yaml:3")
    assert [case["expect"] for case in one["cases"]] == ["pass", "fail"]


async def test_a_rule_of_another_team_looks_like_none(service: RunningService) -> None:
    async with service.http("ada") as http:
        answers = [await http.get(f"/policies/{each}") for each in ("of-vision", "nowhere")]
    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].text.replace("of-vision", "nowhere") == answers[1].text


async def test_trouble_with_the_folder_is_told_to_administrators_alone(service: RunningService, rules: Path) -> None:
    (rules / "site.yaml").write_text("rules: [")
    for _ in range(2):  # a file that is being written is another one at the second look
        service.context.gates.rules.look()
    assert "site.yaml:1" in (await get(service, "/policies", "chief"))["trouble"]
    assert (await get(service, "/policies"))["trouble"] is None


async def test_impact_is_of_what_was_asked_also_before_there_were_rules(
    tmp_path: Path, hub: FakeHub, rules: Path
) -> None:
    clock = Clock()
    async with running_service(tmp_path / "disk", hub=hub, reconciling=False, clock=clock) as before:
        for number, who in enumerate(("ada", "ada", "eve")):
            assert (await submit(before, who, max_seconds=60 + 7200 * (number > 0))).status_code == 201
    gates = site_rules(rules, {**SOFT, "enforce_from": "2030-01-01"}, clock=clock)
    async with running_service(tmp_path / "disk", hub=hub, reconciling=False, gates=gates, clock=clock) as service:
        assert (await submit(service, name="new", max_seconds=7000)).status_code == 201
        found = await get(service, "/policies/short/impact")
        assert (found["asked"], found["failed"], found["teams"]) == (3, 2, ["nlp"])
        assert found["words"] == "It would have stopped 2 of 3 requests of 1 team in the last 30 days."
        assert {hit["message"] for hit in found["hits"]} == {"it may run for 7260 s", "it may run for 7000 s"}
        assert (await get(service, "/policies/short/impact", "eve"))["asked"] == 1
        hub.add("chief", "chief", [*scopes_for("nlp"), constants.SCOPE_PLATFORM], groups=["tenant-nlp"])
        hub.administrators.add("chief")
        assert (await get(service, "/policies/short/impact", "chief"))["teams"] == ["nlp", "vision"]
        clock.pass_by(3 * 86400)
        assert (await get(service, "/policies/short/impact?days=2"))["asked"] == 0


async def test_impact_says_of_how_many_it_does_not_know(service: RunningService, rules: Path) -> None:
    assert (await submit(service, max_seconds=60)).status_code == 201
    by_price = {**SOFT, "assert": "cost.nothing > 1.0 || job.name == 'a'", "cases": [
        {"expect": "pass", "view": {"job": {"name": "a"}}},
        {"expect": "fail", "view": {"cost": {"nothing": 0.5}}},
    ]}  # fmt: skip
    change_rules(service.context.gates, rules, by_price)
    found = await get(service, "/policies/short/impact")
    assert (found["asked"], found["failed"], found["unjudged"]) == (1, 0, 1)
    assert "1 could not be judged" in found["words"]


async def test_verdicts_are_the_team_admins_and_one_s_own(service: RunningService) -> None:
    await refused(service)
    await refused(service, "bob")
    assert (await submit(service, max_seconds=60)).status_code == 201
    own = await get(service, "/tenants/nlp/verdicts")
    assert [(each["user"], each["outcome"]) for each in own["verdicts"]] == [("ada", "allowed"), ("ada", "refused")]
    assert own["verdicts"][0]["view"]["job"]["max_seconds"] == 60
    first = await get(service, "/tenants/nlp/verdicts?limit=2", "grace")
    assert [each["user"] for each in first["verdicts"]] == ["ada", "bob"]
    rest = await get(service, f"/tenants/nlp/verdicts?before={first['next']}", "grace")
    assert ([each["user"] for each in rest["verdicts"]], rest["next"]) == (["ada"], None)
    async with service.http("grace") as http:
        assert (await http.get("/tenants/nlp/verdicts?before=v0")).json()["field"] == "before"


async def test_an_override_lets_exactly_this_request_pass_and_ends(service: RunningService) -> None:
    answer = await by_session(service, "grace", override(service, await refused(service)))
    assert answer.status_code == 201, answer.text
    assert (answer.json()["by"], answer.json()["user"], answer.json()["counts"]) == ("grace", "ada", True)
    assert (await submit(service, nodes=1, command="python other.py")).status_code == 403
    assert (await submit(service, "bob")).status_code == 403
    taken = await submit(service)
    assert taken.status_code == 201
    kept = service.context.verdicts.last_of(taken.json()["id"])
    assert kept is not None and kept.verdict.findings[0].override == answer.json()["id"]
    service.context.clock.pass_by(7200)  # type: ignore[attr-defined]
    assert (await submit(service, key="late")).status_code == 403
    [listed] = (await get(service, "/tenants/nlp/overrides"))["overrides"]
    assert (listed["reason"], listed["counts"]) == ("the deadline is today", False)


async def test_an_override_is_remembered_by_the_next_process(service: RunningService) -> None:
    made = await by_session(service, "grace", override(service, await refused(service)))
    [again] = service.context.verdicts.overrides(until=service.context.clock())
    assert again.id == made.json()["id"]


@pytest.mark.parametrize("who", ["ada", "bob", "chief"])
async def test_no_token_of_a_team_overrides(service: RunningService, who: str) -> None:
    """Nor does who asked, or who lacks the role. An administrator's token for administrating is their own."""
    verdict = await refused(service)
    async with service.http(who) as http:
        answer = await http.post("/tenants/nlp/overrides", json=override(service, verdict))
    assert answer.status_code == (201 if who == "chief" else 403)
    async with service.http("grace") as http:
        answer = await http.post("/tenants/nlp/overrides", json=override(service, verdict))
    assert (answer.status_code, "your own sign-in" in answer.json()["detail"]) == (403, True)


async def test_nobody_overrides_for_themselves_or_without_the_role(service: RunningService, rules: Path) -> None:
    own = await refused(service, "grace")
    assert "for their own request" in (await by_session(service, "grace", override(service, own))).json()["detail"]
    other = await refused(service)
    assert "one of the team's admins" in (await by_session(service, "bob", override(service, other))).json()["detail"]
    change_rules(service.context.gates, rules, OF_PLATFORM)
    verdict = await refused(service)
    answer = await by_session(service, "grace", override(service, verdict, rule="cheap"))
    assert "an administrator of the hub" in answer.json()["detail"]


async def test_nobody_overrides_a_hard_rule(service: RunningService, rules: Path) -> None:
    change_rules(service.context.gates, rules, HARD)
    answer = await by_session(service, "grace", override(service, await refused(service), rule="hard"))
    assert (answer.status_code, answer.json()["reason"]) == (409, "not-overridable")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"verdict": "v000000000000"}, "verdict"),
        ({"rule": "nowhere"}, "rule"),
        ({"until": 0}, "until"),
        ({"until": 2_000_000_000}, "until"),
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
    ],
)
async def test_a_wrong_override_is_named(service: RunningService, changes: dict[str, Any], field: str) -> None:
    answer = await by_session(service, "grace", override(service, await refused(service), **changes))
    assert answer.status_code in (400, 404), answer.text
    assert answer.json()["field"] == field


async def test_records_are_never_changed(service: RunningService) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    await by_session(service, "grace", override(service, await refused(service)))
    for table in ("policy_verdicts", "policy_overrides"):
        for change in (f"DELETE FROM {table}", f"UPDATE {table} SET digest = 'x'"):  # noqa: S608
            with (
                pytest.raises(SQLAlchemyError, match="rows are only ever added"),
                service.context.jobs.db.begin() as db,
            ):
                db.execute(text(change))
