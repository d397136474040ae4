"""A rule holds a job: nothing of it exists until the right people have approved it in a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from aifactory_hub.admission import AdmissionUnavailable
from aifactory_hub.domain.engines import EngineFacts, Published
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.verdicts import Need, Question, Target, Verb
from aifactory_hub.engines.memory import MemoryEngine
from aifactory_hub.registry.model import ApprovalsConfig, JobsConfig, Registry
from aifactory_hub.service.approvals import Desk
from aifactory_hub.service.auth import hub_auth
from aifactory_hub.service.auth.runner_tokens import token_hash

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import PREFIX, Clock, RunningService, make_registry, running_service
from ..support.rules import change_rules, site_rules
from .test_gates import about
from .test_sessions import browser, sign_in
from .world import MIG

ARGO = EngineFacts("argo-workflow", "steps", publishes="WorkflowTemplate", runs_commands=True, most_nodes=4)
HOOK = "http://hooks.internal/a"
SECRET = "secret-value"
ASKED = {"command": "python train.py", "profile": MIG, "key": "k", "template": "train"}


NEEDS = ("admin", "security")
ADMIN = "one of the team's administrators"
BOTH = f"{ADMIN} and one of security"


def holding(*roles: str) -> dict[str, Any]:
    """A rule that holds every job until one of each of these has approved it."""
    asked = [{"role": role} for role in roles]
    return about("long-jobs", "false", approval=asked or None, message="'It runs for long.'")


class Rules:
    """The site's rules, which a test changes while the service runs."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self.gates = site_rules(folder, holding(*NEEDS), clock=clock)

    def change(self, *rules: dict[str, Any]) -> None:
        change_rules(self.gates, self._folder, *rules)


OTHER = about("nothing", "true")


def site(url: str) -> Registry:
    config = ApprovalsConfig({"security": ("corp/sec",), "on-call": ("corp/on-call",)}, 1000, "on-call", (HOOK,))
    registry = make_registry(service=url, jobs=JobsConfig("job:test", webhook_hosts=("hooks.internal",)))
    return replace(registry, approvals=config)


@pytest.fixture(autouse=True)
def asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_auth, "SHARED", -1.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rules(tmp_path: Path, clock: Clock) -> Rules:
    return Rules(tmp_path / "rules", clock)


def belongs(hub: FakeHub, name: str, tenants: dict[str, str], *approves: str) -> None:
    hub.memberships[name] = {"standing": "known", "tenants": tenants, "resolved_at": 0, "approves": list(approves)}


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    hub = FakeHub()
    hub.start()
    for name in ("ada", "ann", "bea", "max"):
        hub.add(name, name, scopes_for("nlp"), groups=["tenant-nlp"])
    for name in ("sid", "olga"):
        hub.add(name, name, scopes_for())
    belongs(hub, "ada", {"nlp": "admin"}, "security")
    belongs(hub, "ann", {"nlp": "admin"})
    belongs(hub, "bea", {"nlp": "admin"}, "security")
    belongs(hub, "max", {"nlp": "member"})
    belongs(hub, "sid", {}, "security")
    belongs(hub, "olga", {}, "on-call")
    yield hub
    await hub.stop()


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub, rules: Rules, clock: Clock) -> AsyncIterator[RunningService]:
    engine = MemoryEngine(facts=ARGO, templates=[Published("argo-workflow", "train", version="u/1")])
    async with running_service(
        tmp_path, hub=hub, registry=site, engine=engine, reconciling=False, clock=clock, gates=rules.gates
    ) as running:
        yield running


async def submit(service: RunningService, needs: str = BOTH, **changes: Any) -> str:
    asked = {**ASKED, "environment": {"TOKEN": SECRET}, **changes}
    async with service.http("ada") as http:
        answer = await http.post("/jobs", json=asked)
    assert answer.status_code == 201, answer.text
    job: dict[str, Any] = answer.json()
    assert (job["state"], job["reason"]) == ("HELD", f"held until {needs} approves it")
    await service.reconciler.settle()
    return str(job["id"])


async def approval_of(service: RunningService, job: str) -> dict[str, Any]:
    async with service.http("max") as http:
        page = (await http.get("/approvals", params={"subject": job})).json()
    first: dict[str, Any] = page["approvals"][0]
    return first


async def vote(service: RunningService, who: str, approval: dict[str, Any], **said: Any) -> httpx.Response:
    async with browser(service) as http:
        proof = await sign_in(http, who)
        body = {"vote": "yes", "digest": approval["digest"], **said}
        service.context.clock.pass_by(1)  # type: ignore[attr-defined]
        answer = await http.put(f"{PREFIX}api/v1/approvals/{approval['id']}/vote", json=body, headers=proof)
    await service.reconciler.settle()
    return answer


def state(service: RunningService, job: str) -> tuple[str, str]:
    found = service.context.jobs.get(job)
    assert found is not None
    return found.state.value, found.reason or ""


async def nothing_there(service: RunningService) -> bool:
    return service.engine.created == [] and await service.admission.tickets("nlp") == []


async def test_nothing_exists_until_both_have_approved(service: RunningService) -> None:
    job = await submit(service)
    assert await nothing_there(service)
    approval = await approval_of(service, job)
    assert (approval["state"], approval["rules"]) == ("OPEN", [{"rule": "long-jobs", "message": "It runs for long."}])
    assert approval["parts"]["command"] == "python train.py"
    assert SECRET not in str(approval)
    answer = await vote(service, "ann", approval)
    assert answer.status_code == 200, answer.text
    assert answer.json()["missing"] == [{"role": "security", "count": 1}]
    assert state(service, job) == ("HELD", "held until one of security approves it")
    assert await nothing_there(service)
    await vote(service, "sid", approval)
    assert state(service, job)[0] in ("STARTING", "QUEUED")
    assert len(service.engine.created) == 1
    after = await approval_of(service, job)
    assert (after["state"], after["why"]) == ("USED", "approved by ann and sid")


@pytest.mark.parametrize("token", ["ann", "sid"])
async def test_a_token_cannot_vote(service: RunningService, token: str) -> None:
    """A notebook's, a job's and a personal token alike: only the session of a browser at the service."""
    job = await submit(service)
    approval = await approval_of(service, job)
    async with service.http(token) as http:
        body = {"vote": "yes", "digest": approval["digest"]}
        answer = await http.put(f"/approvals/{approval['id']}/vote", json=body)
    assert answer.status_code == 403 and "in your browser" in answer.json()["detail"]
    async with browser(service) as http:
        await sign_in(http, token)
        # The cookie alone, as another page of the same host would send it.
        answer = await http.put(f"{PREFIX}api/v1/approvals/{approval['id']}/vote", json=body)
    assert answer.status_code == 403
    assert (await approval_of(service, job))["votes"] == []


@pytest.mark.parametrize(("who", "words"), [("ada", "yourself"), ("max", "none of those"), ("olga", "none of those")])
async def test_who_may_not_vote_reads_why(service: RunningService, who: str, words: str) -> None:
    job = await submit(service)
    answer = await vote(service, who, await approval_of(service, job))
    assert answer.status_code == 403 and words in answer.json()["detail"]


async def test_one_person_is_not_two(service: RunningService) -> None:
    job = await submit(service)
    await vote(service, "bea", await approval_of(service, job))
    assert state(service, job)[0] == "HELD"


async def test_the_vote_of_a_leaver_falls_before_it_is_used(service: RunningService, hub: FakeHub) -> None:
    job = await submit(service)
    approval = await approval_of(service, job)
    await vote(service, "ann", approval)
    belongs(hub, "ann", {"nlp": "member"})
    answer = await vote(service, "sid", approval)
    assert state(service, job) == ("HELD", "held until one of the team's administrators approves it")
    assert {v["voter"]: v["counts"] for v in answer.json()["votes"]} == {"ann": False, "sid": True}
    await vote(service, "bea", approval)
    assert state(service, job)[0] != "HELD"


async def test_while_the_hub_is_silent_nothing_is_counted_and_nothing_lost(
    service: RunningService, hub: FakeHub
) -> None:
    job = await submit(service)
    approval = await approval_of(service, job)
    await vote(service, "ann", approval)
    await vote(service, "sid", {**approval, "digest": "0" * 64})
    hub.memberships_status = 503
    service.reconciler.hurry(job)
    await service.reconciler.settle()
    assert state(service, job)[0] == "HELD"
    hub.memberships_status = 200
    await vote(service, "sid", approval)
    assert state(service, job)[0] != "HELD"


async def test_a_no_ends_it_with_its_word(service: RunningService) -> None:
    job = await submit(service)
    approval = await approval_of(service, job)
    empty = await vote(service, "sid", approval, vote="no")
    assert empty.status_code == 400 and empty.json()["field"] == "comment"
    await vote(service, "sid", approval, vote="no", comment="not on personal data")
    assert state(service, job) == ("CANCELLED", "its approval was not given: refused by sid: not on personal data")
    late = await vote(service, "ann", approval)
    assert late.status_code == 409 and "not on personal data" in late.json()["detail"]


async def test_what_nobody_decides_expires(service: RunningService, clock: Clock) -> None:
    job = await submit(service)
    clock.pass_by(600)
    service.reconciler.hurry(job)
    await service.reconciler.settle()
    assert state(service, job)[0] == "HELD"
    clock.pass_by(600)
    service.reconciler.hurry(job)
    await service.reconciler.settle()
    assert state(service, job) == ("CANCELLED", "its approval was not given: nobody decided in time")
    assert events(service) == ["approval.requested", "approval.reminder", "approval.expired"]


def events(service: RunningService) -> list[str]:
    found = service.context.messenger.deliveries.due(now=service.context.clock() + 1e6, limit=100)
    assert all(one.url == HOOK and SECRET not in str(one.body) for one in found)
    return [one.event for one in sorted(found, key=lambda one: one.created_at)]


async def test_cancelling_takes_the_question_back(service: RunningService) -> None:
    job = await submit(service)
    async with service.http("ada") as http:
        assert (await http.delete(f"/jobs/{job}")).status_code == 202
    await service.reconciler.settle()
    assert state(service, job)[0] == "CANCELLED"
    assert (await approval_of(service, job))["state"] == "WITHDRAWN"


async def test_a_template_that_changes_makes_the_votes_stale(service: RunningService) -> None:
    """Before it is let go, the votes are asked for anew; the answer names what changed."""
    job = await submit(service)
    approval = await approval_of(service, job)
    await vote(service, "ann", approval)
    service.engine.templates[:] = [Published("argo-workflow", "train", version="u/2")]
    await vote(service, "sid", approval)
    assert state(service, job)[0] == "HELD" and await nothing_there(service)
    new = await approval_of(service, job)
    assert new["id"] != approval["id"] and new["votes"] == [] and new["state"] == "OPEN"
    async with service.http("max") as http:
        old = (await http.get(f"/approvals/{approval['id']}")).json()
    assert (old["state"], old["why"]) == ("STALE", "changed since the approval was asked for: template")
    assert (await vote(service, "sid", {**new, "digest": approval["digest"]})).status_code == 409


async def test_a_template_that_changes_after_the_approval_never_runs(service: RunningService, rules: Rules) -> None:
    """Between the approval and the first object it may wait in the queue for hours."""
    rules.change(OTHER)
    async with service.http("max") as http:
        for number in range(2):
            assert (await http.post("/jobs", json={**ASKED, "key": f"fill{number}"})).status_code == 201
    await service.reconciler.settle()
    rules.change(holding(*NEEDS))
    job = await submit(service)
    approval = await approval_of(service, job)
    await vote(service, "ann", approval)
    await vote(service, "sid", approval)
    assert state(service, job)[0] == "QUEUED"
    service.engine.templates[:] = [Published("argo-workflow", "train", version="u/2")]
    before = len(service.engine.created)
    for spec in list(service.engine.created):
        service.engine.end(spec.tenant, spec.run_id, 0)
    await service.reconciler.settle()
    assert state(service, job)[0] == "FAILED" and "has changed since: template" in state(service, job)[1]
    assert len(service.engine.created) == before


async def test_a_silent_vcluster_keeps_it_held(service: RunningService) -> None:
    job = await submit(service)
    approval = await approval_of(service, job)
    service.engine.unavailable.add("nlp")
    await vote(service, "ann", approval)
    await vote(service, "sid", approval)
    assert state(service, job)[0] == "HELD"
    service.engine.unavailable.clear()
    service.reconciler.hurry(job)
    await service.reconciler.settle()
    assert state(service, job)[0] != "HELD"


async def test_rules_that_change_are_asked_again(service: RunningService, rules: Rules) -> None:
    first = await submit(service)
    rules.change(OTHER)
    service.reconciler.hurry(first)
    await service.reconciler.settle()
    assert state(service, first)[0] in ("STARTING", "QUEUED")
    assert (await approval_of(service, first))["state"] == "WITHDRAWN"
    rules.change(holding(*NEEDS))
    second = await submit(service, key="k2")
    rules.change(about("sunday", "false", message="'Not on a Sunday.'"))
    service.reconciler.hurry(second)
    await service.reconciler.settle()
    assert state(service, second)[0] == "FAILED" and "Not on a Sunday." in state(service, second)[1]


async def test_an_emergency_is_one_person_with_a_reason_and_everybody_is_told(service: RunningService) -> None:
    job = await submit(service)
    approval = await approval_of(service, job)
    assert (await vote(service, "olga", approval, emergency=True)).status_code == 400
    assert (await vote(service, "ann", approval, emergency=True, comment="quick")).status_code == 403
    answer = await vote(service, "olga", approval, emergency=True, comment="the site is down")
    assert answer.status_code == 200, answer.text
    assert state(service, job)[0] != "HELD"
    after = await approval_of(service, job)
    assert after["why"] == "let go in an emergency by olga: the site is down"
    assert events(service) == ["approval.requested", "approval.emergency", "approval.granted"]


async def test_who_sees_what(service: RunningService, hub: FakeHub) -> None:
    hub.add("eve", "eve", scopes_for("vision"), groups=["tenant-vision"])
    job = await submit(service)
    approval = await approval_of(service, job)
    for token in ("eve", "sid"):
        async with service.http(token) as http:
            assert (await http.get("/approvals")).json() == {"approvals": [], "waiting": 0}, token
            assert (await http.get(f"/approvals/{approval['id']}")).status_code == 404
    async with browser(service) as http:
        proof = await sign_in(http, "sid")
        page = (await http.get(f"{PREFIX}api/v1/approvals", headers=proof)).json()
    assert ([one["id"] for one in page["approvals"]], page["waiting"]) == ([approval["id"]], 1)


async def test_home_is_told_how_many_wait_and_that_nobody_knows_is_not_0(service: RunningService, hub: FakeHub) -> None:
    object.__setattr__(service.context, "site_token_hash", token_hash("shared"))
    address = f"{service.url}api/v1/site/approvals"

    async def waiting(user: str) -> object:
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(address, params={"user": user}, headers={"Authorization": "Bearer shared"})
        return answer.json()["waiting"]

    assert await waiting("ann") == 0
    await submit(service)
    assert [await waiting(user) for user in ("ann", "sid", "ada")] == [1, 1, 0]
    hub.memberships_status = 503
    assert await waiting("ann") is None


async def test_an_approval_and_its_job_change_together_or_not_at_all(service: RunningService) -> None:
    job = await submit(service)
    approval = await approval_of(service, job)
    desk = service.context.approvals
    assert isinstance(desk, Desk)
    found = desk.store.get(approval["id"])
    assert found is not None
    # The job ends between the count of the votes and their use: then the approval is not used either.
    service.context.jobs.finish(job, JobState.CANCELLED, reason="x", exit_code=None, now=1.0)
    assert not desk.store.let_go(found, "approved", now=2.0)
    assert (await approval_of(service, job))["state"] == "OPEN"
    assert state(service, job)[0] == "CANCELLED"


async def test_other_things_than_jobs_are_approved_once(service: RunningService, clock: Clock) -> None:
    desk = service.context.approvals
    question = Question(Verb.PROMOTE, Target.MODEL, "nlp", "ada", "fraud/3@prod", "d" * 64, title="fraud 3 to prod")
    needs = (Need("security"),)
    assert await desk.granted(question, needs) is None
    async with service.http("max") as http:
        (approval,) = (await http.get("/approvals", params={"subject": "fraud/3@prod"})).json()["approvals"]
    assert approval["title"] == "fraud 3 to prod"
    await vote(service, "sid", approval)
    assert await desk.granted(question, needs) == approval["id"]
    assert await desk.granted(question, needs) is None  # used: the next time is another question


async def no_answer(*_: object) -> None:
    raise AdmissionUnavailable("the quota engine does not answer")


async def test_rules_that_ask_for_more_while_it_queues_are_answered_by_votes(
    service: RunningService, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was approved by the rules of then, and its ticket is filed by those of now."""
    rules.change(holding("admin"))
    job = await submit(service, ADMIN)
    approval = await approval_of(service, job)
    with monkeypatch.context() as silent:
        silent.setattr(service.admission, "request", no_answer)
        await vote(service, "ann", approval)
    assert state(service, job)[0] == "PENDING"
    rules.change(holding(*NEEDS))
    service.reconciler.hurry(job)
    await service.reconciler.settle()
    assert await nothing_there(service)
    more = await approval_of(service, job)
    assert (more["state"], more["needs"]) == ("OPEN", [{"role": "admin", "count": 1}, {"role": "security", "count": 1}])
    await vote(service, "ann", more)
    await vote(service, "sid", more)
    assert state(service, job)[0] in ("STARTING", "QUEUED")


async def test_who_pushed_the_commit_cannot_vote(service: RunningService) -> None:
    job = await submit(service, provenance={"commit": "c" * 40, "pushed_by": "ann"})
    approval = await approval_of(service, job)
    assert approval["excluded"] == ["ann"]
    answer = await vote(service, "ann", approval)
    assert answer.status_code == 403 and "a part in this" in answer.json()["detail"]


async def test_who_overrode_a_rule_for_it_cannot_vote(service: RunningService, rules: Rules) -> None:
    soft = about("soft", "false", severity="soft", overridable_by="admin")
    rules.change(soft, holding(*NEEDS))
    async with service.http("ada") as http:
        refused = (await http.post("/jobs", json={**ASKED, "environment": {"TOKEN": SECRET}})).json()
    override = {
        "verdict": refused["verdict"],
        "rule": "soft",
        "reason": "once",
        "until": int(service.context.clock()) + 900,
    }
    async with browser(service) as http:
        proof = await sign_in(http, "ann")
        made = await http.post(f"{PREFIX}api/v1/tenants/nlp/overrides", json=override, headers=proof)
    assert made.status_code == 201, made.text
    job = await submit(service)
    assert (await approval_of(service, job))["excluded"] == ["ann"]


async def test_what_waits_of_models_is_reminded_of_and_ends_in_time(service: RunningService, clock: Clock) -> None:
    desk = service.context.approvals
    assert isinstance(desk, Desk)
    question = Question(Verb.PROMOTE, Target.MODEL, "nlp", "ada", "v1@prod", "d" * 64)
    needs = (Need("security"),)
    assert await desk.granted(question, needs) is None
    clock.pass_by(600)
    await desk.tend()
    [waiting] = desk.store.about("v1@prod")
    assert (waiting.state.value, waiting.reminded) == ("OPEN", True)
    clock.pass_by(600)
    await desk.tend()
    [over] = desk.store.about("v1@prod")
    assert (over.state.value, over.why) == ("EXPIRED", "nobody decided in time")
    assert await desk.granted(question, needs) is None
    clock.pass_by(1200)  # asked again after its time, it is over, and another one is open
    assert await desk.granted(question, needs) is None
    assert [each.state.value for each in desk.store.about("v1@prod")] == ["OPEN", "EXPIRED", "EXPIRED"]
