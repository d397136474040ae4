"""A person asks for a team: refused with what fits, granted at once, or when others have approved it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from aifactory_hub import constants
from aifactory_hub.domain.approvals import ApprovalState
from aifactory_hub.registry import RegistryProvider
from aifactory_hub.registry.granted import read_answer, write_granted
from aifactory_hub.service.auth import hub_auth
from aifactory_hub.store import migrate
from aifactory_hub.store.team_requests import TeamRequests

from ..registry.files import GOOD
from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import PREFIX, Clock, RunningService, running_service
from .test_sessions import browser, sign_in

SELF_SERVICE = """
approvals: {approvers: {platform: [corp/platform]}}
self_service:
  teams_per_person: 2
  templates:
    small:
      description: a team for a trial
      profiles: [cpu-small, mig-1g.10gb]
      groups: ["teams/*"]
      most: {mig-1g.10gb: 3}
      most_borrowed: {mig-1g.10gb: 1}
      lasts: 90d
      approval:
        - {above: {mig-1g.10gb: 1}, approvers: {platform: 1}}
    held:
      profiles: [cpu-small]
      groups: ["teams/*"]
      approval: [{approvers: {platform: 1}}]
"""
# GOOD with more to give: 6 of 12 are promised.
FILE = GOOD.replace("{mig-1g.10gb: 7, ", "{mig-1g.10gb: 8, ") + SELF_SERVICE
AUDIO = {"name": "audio", "template": "small", "members": ["teams/audio"], "reason": "speech"}


@pytest.fixture(autouse=True)
def asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_auth, "SHARED", -1.0)


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    hub = FakeHub()
    hub.start()
    hub.add("ada", "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    hub.add("reader", "reader", scopes_for("nlp", names=[constants.SCOPE_READ]))
    hub.add("eve", "eve", scopes_for("vision"), groups=["tenant-vision"])
    hub.add("pat", "pat", scopes_for())
    hub.add("root", "root", [*scopes_for("nlp"), "admin-ui"])
    hub.administrators.add("root")
    approver: dict[str, Any] = {"standing": "known", "tenants": {}, "resolved_at": 0, "approves": ["platform"]}
    hub.memberships["pat"] = approver
    # Who asks is an approver too.
    hub.memberships["ada"] = {**approver, "tenants": {"nlp": "member"}}
    yield hub
    await hub.stop()


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    file = tmp_path / "site" / "tenants.yaml"
    file.parent.mkdir()
    file.write_text(FILE)

    def registry(_url: str) -> RegistryProvider:
        return RegistryProvider.open(file, tmp_path / "kept")

    async with running_service(tmp_path, hub=hub, registry=registry, reconciling=False, clock=Clock()) as running:
        for name, token in (("provisioner_token_hash", b"provisioner"), ("site_token_hash", b"site")):
            object.__setattr__(running.context, name, hashlib.sha256(token).hexdigest())
        yield running


async def ask(service: RunningService, who: str = "ada", path: str = "", **changes: Any) -> httpx.Response:
    async with service.http(who) as http:
        return await http.post(f"/teams/requests{path}", json={**AUDIO, **changes})


async def asked(service: RunningService, who: str = "ada", **changes: Any) -> dict[str, Any]:
    answer = await ask(service, who, **changes)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def shown(service: RunningService, request: dict[str, Any], who: str = "ada") -> dict[str, Any]:
    async with service.http(who) as http:
        body: dict[str, Any] = (await http.get(f"/teams/requests/{request['id']}")).json()
    return body


async def vote(service: RunningService, who: str, request: dict[str, Any], **said: Any) -> httpx.Response:
    async with browser(service) as http:
        proof = await sign_in(http, who)
        found = (await http.get(f"{PREFIX}api/v1/approvals", params={"subject": request["id"]}, headers=proof)).json()
        (approval,) = found["approvals"]
        body = {"vote": "yes", "digest": approval["digest"], **said}
        return await http.put(f"{PREFIX}api/v1/approvals/{approval['id']}/vote", json=body, headers=proof)


async def followed(service: RunningService) -> None:
    """The service looks at its registry until it has taken what was written."""
    for _ in range(2):
        await service.context.provider.look()


def steps(request: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["name"], each["state"]) for each in request["steps"]]


async def test_what_needs_nobody_is_granted_at_once_and_the_team_is_there(service: RunningService) -> None:
    request = await asked(service, quota={"mig-1g.10gb": 1})
    assert (request["state"], request["why"]) == ("GRANTED", "the template needs nobody's approval")
    assert request["expires"] == "2027-04-15", "as long as the template lasts"
    assert steps(request) == [("asked", "done"), ("approved", "done"), ("made", "now"), ("ready", "later")]
    await followed(service)
    tenant = service.context.registry.tenants["audio"]
    assert (tenant.profiles, tenant.vcluster.namespace) == (("cpu-small", "mig-1g.10gb"), "vc-audio")
    assert [rule.group for rule in tenant.rules] == ["teams/audio"]
    assert sum(tenant.quota.nominal.values()) == 1
    assert service.context.registry.granted == ("audio",)


async def test_what_needs_somebody_waits_for_them_and_nobody_else(service: RunningService) -> None:
    request = await asked(service, quota={"mig-1g.10gb": 2})
    assert (request["state"], steps(request)[1]) == ("WAITING", ("approved", "now"))
    assert request["steps"][1]["sentence"] == "waits for one of platform"
    async with service.http("ada") as ada, service.http("eve") as eve:
        path = f"/approvals/{request['approval']}"
        assert (await ada.get(path)).json()["parts"]["owns"] == "2 mig-1g.10gb"
        listed = {who: (await http.get("/approvals")).json()["approvals"] for who, http in (("a", ada), ("e", eve))}
        assert [each["id"] for each in listed["a"]] == [request["approval"]], "who asked finds it in their list"
        assert listed["e"] == []
        assert (await eve.get(path)).status_code == 404
    own = await vote(service, "ada", request)
    assert own.status_code == 403 and "yourself" in own.json()["detail"], "nobody approves their own request"
    await service.context.team_desk.tick()
    assert (await shown(service, request))["state"] == "WAITING"
    assert (await vote(service, "pat", request)).status_code == 200
    after = await shown(service, request)
    assert (after["state"], after["why"]) == ("GRANTED", "approved by pat")
    assert [entry["text"] for entry in after["journal"]] == ["asked: speech", "granted: approved by pat"]
    await followed(service)
    assert "audio" in service.context.registry.tenants


async def test_a_refusal_ends_it_with_its_reason(service: RunningService) -> None:
    request = await asked(service, quota={"mig-1g.10gb": 2})
    await vote(service, "pat", request, vote="no", comment="ask in January")
    after = await shown(service, request)
    assert (after["state"], after["why"]) == ("REFUSED", "refused by pat: ask in January")
    assert (await service.context.team_desk.granted()).teams == {}


async def test_what_does_not_fit_says_the_largest_that_does(service: RunningService) -> None:
    answer = await ask(service, quota={"mig-1g.10gb": 3})
    said = answer.json()
    assert (answer.status_code, said["reason"]) == (409, "not-enough-left")
    assert said["detail"].startswith("2 of 8 mig-1g.10gb are promised to nobody; you ask for 3: you can have 2 now")
    assert (said["offer"], said["offer_borrowed"]) == ({"mig-1g.10gb": 2}, {"mig-1g.10gb": 1})
    offered = await ask(service, path="/check", quota=said["offer"], borrowing=said["offer_borrowed"])
    assert offered.json()["outcome"] == "needs-approval"
    assert offered.json()["effects"] == []


async def test_what_was_free_when_it_was_asked_may_be_gone_when_it_is_approved(service: RunningService) -> None:
    late = await asked(service, quota={"mig-1g.10gb": 2})
    await asked(service, "eve", name="video", members=["teams/video"], quota={"mig-1g.10gb": 1})
    await vote(service, "pat", late)
    after = await shown(service, late)
    assert after["state"] == "REFUSED" and "you can have 1 now" in after["why"]


@pytest.mark.parametrize(
    ("changes", "status", "reason", "field"),
    [
        ({"template": "huge"}, 400, "bad-field", "template"),
        ({"members": ["corp/board"]}, 400, "bad-field", "members"),
        ({"members": []}, 400, "bad-field", "members"),
        ({"quota": {"mig-1g.10gb": 4}}, 409, "above-template", "quota"),
        ({"quota": {"mig-9g.99gb": 1}}, 400, "bad-field", "quota"),
        ({"borrowing": {"mig-1g.10gb": 2}}, 409, "above-template", "borrowing"),
        ({"expires": "2027-09-01"}, 409, "above-template", "expires"),
        ({"expires": "2020-01-01"}, 400, "bad-field", "expires"),
        ({"expires": "2027-13-77"}, 400, "bad-field", "expires"),
        ({"name": "nlp"}, 409, "team-exists", "name"),
        ({"name": "Not A Name"}, 400, "bad-field", "name"),
        ({"name": "../etc"}, 400, "bad-field", "name"),
        ({"reason": "  "}, 400, "bad-field", "reason"),
        ({"kind": "renewal", "name": "vision"}, 403, "forbidden", None),
        ({"kind": "change", "name": "vision"}, 403, "forbidden", None),
    ],
)
async def test_what_can_not_be_names_its_field(
    service: RunningService, changes: dict[str, Any], status: int, reason: str, field: str | None
) -> None:
    answer = await ask(service, **changes)
    assert (answer.status_code, answer.json()["reason"], answer.json()["field"]) == (status, reason, field), answer.text
    assert service.context.team_desk.store.newest(limit=10) == []


async def test_one_person_asks_for_so_many_and_for_each_once(service: RunningService) -> None:
    first = await asked(service)
    assert (await asked(service))["id"] == first["id"], "an answer that was lost is asked for again"
    assert (await ask(service, "eve")).json()["reason"] == "team-exists"
    await asked(service, name="video", members=["teams/video"])
    taken = await ask(service, "eve", name="other")
    assert taken.status_code == 400 and "claimed by tenant audio" in taken.json()["detail"]
    third = await ask(service, name="third", members=["teams/third"])
    assert (third.status_code, third.json()["reason"]) == (409, "too-many-teams")
    async with service.http("root") as http:
        assert (await http.delete(f"/teams/requests/{first['id']}")).json()["state"] == "REMOVED"
    await asked(service, name="third", members=["teams/third"])


async def test_others_see_and_take_back_nothing_of_it(service: RunningService) -> None:
    request = await asked(service, template="held")
    for who in ("eve", "reader"):
        async with service.http(who) as http:
            assert (await http.get(f"/teams/requests/{request['id']}")).status_code == 404
            assert (await http.delete(f"/teams/requests/{request['id']}")).status_code == 404
            assert (await http.get("/teams/requests")).json()["requests"] == []
            assert (await http.get("/teams/requests?everybody=true")).status_code == 403
            assert (await http.get("/platform/teams")).status_code == 403
    refused = await ask(service, "reader", name="other")
    assert refused.status_code == 403 and "member of a team" in refused.json()["detail"]
    async with service.http("ada") as http:
        taken = await http.delete(f"/teams/requests/{request['id']}")
        again = await http.delete(f"/teams/requests/{request['id']}")
    assert (taken.json()["state"], again.status_code) == ("WITHDRAWN", 409)
    async with service.http("root") as http:
        everybody = (await http.get("/teams/requests?everybody=true")).json()["requests"]
    assert [each["id"] for each in everybody] == [request["id"]]


async def test_the_provisioner_hears_what_was_granted_and_says_how_teams_are(
    service: RunningService, tmp_path: Path
) -> None:
    request = await asked(service, quota={"mig-1g.10gb": 1})
    await followed(service)
    report = {"stage": "api", "since": 1.0, "begun": 1.0, "sentence": "the vCluster starts"}
    async with service.http("provisioner") as http:
        answer = await http.put("/site/teams", json={"teams": {"audio": report}})
        assert (await http.get("/site/teams")).status_code == 403, "its token is good for nothing else"
    async with service.http("site") as http:
        assert (await http.get("/site/teams")).json() == answer.json()
        assert (await http.put("/site/teams", json={"teams": {}})).status_code == 403
    assert write_granted(tmp_path / "elsewhere", read_answer(answer.json())) == ("audio",)
    assert write_granted(tmp_path / "elsewhere", read_answer(answer.json())) == ()
    making = await shown(service, request)
    assert making["steps"][2] == {"name": "made", "state": "now", "sentence": "api: the vCluster starts"}
    ready = {**report, "stage": "ready", "opened": 9.0, "trouble": "", "todo": "", "version": "vcluster:0.33.1"}
    async with service.http("provisioner") as http:
        await http.put("/site/teams", json={"teams": {"audio": ready}})
    assert steps(await shown(service, request))[2:] == [("made", "done"), ("ready", "done")]
    async with service.http("root") as http:
        states = (await http.get("/platform/teams")).json()
    by_name = {each["tenant"]: each for each in states["teams"]}
    audio = by_name["audio"]
    assert (audio["stage"], audio["version"], audio["asked_for"]) == ("ready", "0.33.1", True)
    assert by_name["nlp"]["stage"] is None and states["heard_at"] is not None


async def test_a_team_that_is_not_named_any_more_stays(service: RunningService, tmp_path: Path) -> None:
    await asked(service)
    kept = tmp_path / "elsewhere"
    write_granted(kept, await service.context.team_desk.granted())
    assert write_granted(kept, read_answer({"granted": {}, "removed": []})) == ()
    assert (kept / "audio.yaml").exists()
    with pytest.raises(ValueError, match=r"not a valid name"):
        read_answer({"granted": {"../tenants": "x"}, "removed": []})


async def test_a_team_gets_more_time_when_it_is_asked_for_again(service: RunningService, hub: FakeHub) -> None:
    await asked(service, quota={"mig-1g.10gb": 1}, expires="2027-03-01", admins=["teams/audio/admins"][:0])
    await followed(service)
    hub.add("boss", "boss", scopes_for("audio"), groups=["tenant-audio", "tenant-audio-admin"])
    hub.memberships["boss"] = {"standing": "known", "tenants": {"audio": "admin"}, "resolved_at": 0}
    ask_for_more = {"kind": "renewal", "name": "audio", "reason": "not done yet"}
    async with service.http("boss") as http:
        sooner = await http.post("/teams/requests", json={**ask_for_more, "expires": "2027-02-01"})
        assert sooner.status_code == 400 and "lasts until" in sooner.json()["detail"]
        answer = await http.post("/teams/requests", json={**ask_for_more, "expires": "2027-04-01"})
    assert (answer.status_code, answer.json()["state"]) == (201, "GRANTED"), answer.text
    before = service.context.registry.tenants["audio"].retirement
    await followed(service)
    after = service.context.registry.tenants["audio"].retirement
    assert before is not None and after is not None and after.at - before.at == 31 * 86400


async def test_a_team_s_administrators_ask_for_another_size(service: RunningService, hub: FakeHub) -> None:
    await asked(service, quota={"mig-1g.10gb": 1})
    await followed(service)
    hub.add("boss", "boss", scopes_for("audio"), groups=["tenant-audio", "tenant-audio-admin"])
    hub.memberships["boss"] = {"standing": "known", "tenants": {"audio": "admin"}, "resolved_at": 0}
    change = {"kind": "change", "name": "audio", "reason": "more to do", "quota": {"mig-1g.10gb": 2}}
    async with service.http("boss") as http:
        (mine,) = (await http.get("/teams/templates")).json()["teams"]
        assert (mine["name"], mine["quota"], mine["members"]) == ("audio", {"mig-1g.10gb": 1}, ["teams/audio"])
        tried = (await http.post("/teams/requests/check", json=change)).json()
        assert (tried["outcome"], tried["needs_text"]) == ("needs-approval", "one of platform")
        request = (await http.post("/teams/requests", json=change)).json()
        assert (request["state"], steps(request)) == ("WAITING", [("asked", "done"), ("approved", "now")])
        again = (await http.post("/teams/requests", json=change)).json()
        assert again["id"] == request["id"], "asking twice is one request"
        other = await http.post("/teams/requests", json={**change, "display_name": "Sound"})
        assert (other.status_code, other.json()["reason"]) == (409, "team-exists"), "one at a time"
    async with service.http("ada") as http:
        told = (await http.get("/teams/templates")).json()
        assert told["teams"] == [], "ada is none of its administrators"
        assert "1/7" in told["templates"][0]["sizes"][1], told["templates"][0]["sizes"]
        assert (await http.post("/teams/requests", json=change)).status_code == 403
    async with browser(service) as http:
        proof = await sign_in(http, "pat")
        found = (await http.get(f"{PREFIX}api/v1/approvals", params={"subject": request["id"]}, headers=proof)).json()
    assert found["approvals"][0]["title"] == "a change of team audio"
    assert "2 mig-1g.10gb (now: 1 mig-1g.10gb)" in str(found["approvals"][0]["parts"])
    assert (await vote(service, "pat", request)).status_code == 200
    assert (await shown(service, request, "boss"))["state"] == "GRANTED"
    await followed(service)
    tenant = service.context.registry.tenants["audio"]
    assert sum(tenant.quota.nominal.values()) == 2
    assert tenant.retirement is not None, "its last day is as it was"
    async with service.http("boss") as http:
        less = {**change, "quota": {"mig-1g.10gb": 0}, "reason": "done"}
        assert (await http.post("/teams/requests", json=less)).json()["state"] == "GRANTED", "less needs nobody"


async def test_a_granted_team_can_not_be_more_than_its_template(service: RunningService, tmp_path: Path) -> None:
    """Whoever has the job service can name teams, within the site's templates, and nothing else."""
    provider = service.context.provider
    assert provider.granted_folder is not None
    provider.granted_folder.mkdir(exist_ok=True)
    section = "template: small\ngroups: [{group: teams/x, role: member}]\n"
    for more in ("quota: {mig-1g.10gb: 4}\n", "volumes: {a: {claim: a, path: /a}}\n", "sleep_after: 9h\n"):
        (provider.granted_folder / "audio.yaml").write_text(section + more)
        await followed(service)
        assert "audio" not in service.context.registry.tenants, more
        assert "audio.yaml" in provider.status.trouble
    (provider.granted_folder / "audio.yaml").write_text(section.replace("teams/x", "corp/board"))
    await followed(service)
    assert "does not allow the group" in provider.status.trouble
    (provider.granted_folder / "audio.yaml").write_text(section)
    await followed(service)
    assert "audio" in service.context.registry.tenants and provider.status.trouble == ""


async def test_the_site_s_own_team_comes_before_one_that_was_asked_for(service: RunningService, tmp_path: Path) -> None:
    await asked(service)
    folder = tmp_path / "site" / "tenants.d"
    folder.mkdir()
    own = "vcluster: {namespace: vc-audio, name: audio}\nprofiles: [cpu-small]\ngroups: [{group: a, role: member}]\n"
    (folder / "audio.yaml").write_text(own)
    await followed(service)
    assert service.context.provider.status.trouble == ""
    assert service.context.registry.tenants["audio"].profiles == ("cpu-small",)
    assert service.context.registry.granted == ()


async def test_a_restart_between_vote_and_grant_loses_nothing(service: RunningService) -> None:
    """The approval was used, and the process ended before the request was granted."""
    request = await asked(service, template="held", quota={})
    desk = service.context.team_desk
    stored = desk.store.get(request["id"])
    assert stored is not None
    approval = await desk.approval_of(stored)
    assert approval is not None
    assert await desk.approvals.end(approval, ApprovalState.USED, "approved by pat")
    migrate(service.context.jobs.db)
    assert TeamRequests(service.context.jobs.db).waiting() == [stored]
    await desk.tick()
    assert (await shown(service, request))["why"] == "approved by pat"
