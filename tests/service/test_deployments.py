"""Deployments over real HTTP, on an engine in memory: releases, the switch, the return, the way back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub import constants
from aifactory_hub.admission.in_process import _key as admission_key
from aifactory_hub.admission.queue_order import Eviction
from aifactory_hub.domain.deployments import ReleaseState
from aifactory_hub.domain.release_steps import Served
from aifactory_hub.domain.tickets import TicketRequest, TicketState
from aifactory_hub.engines.serving.base import Answer, ServeSpec
from aifactory_hub.engines.serving.memory import MemoryServing
from aifactory_hub.service.deployments.spec import ticket_name

from ..support.deployments import EXAMPLE, PATH, WISH, Site, deploying_site
from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import Clock, running_service
from ..support.models import damage
from ..support.rules import change_rules
from .test_gates import about


@pytest.fixture
async def site(tmp_path: Path, hub: FakeHub) -> AsyncIterator[Site]:
    async with deploying_site(tmp_path, hub) as site:
        yield site


def fails_for(version: int) -> Any:
    def answers(spec: ServeSpec, body: Mapping[str, Any]) -> Answer:
        if json.loads(spec.run.secret_files["release.json"])["version"] == version:
            return Answer(500, b'{"error": "the model failed"}')
        return Answer(200, json.dumps({"model_name": "fraud", "model_version": "1", "outputs": []}).encode())

    return answers


async def test_a_model_is_deployed_and_answers(site: Site) -> None:
    made = await site.deploy()
    assert made.status_code == 201, made.text
    assert made.json()["deployment"]["state"] == "STARTING"
    assert (await site.ask()).json()["reason"] == "not-serving"
    await site.go_on()
    assert await site.now() == ("READY", [(1, 1, "SERVING")])
    answer = await site.ask()
    assert (answer.status_code, answer.headers["X-AIFactory-Release"]) == (200, "1")
    assert answer.json()["outputs"] == EXAMPLE["inputs"]
    [spec] = site.serving.made
    assert site.serving.leads == {("nlp", "fraud"): spec.run.run_id}
    ticket = await site.service.admission.get("nlp", ticket_name(spec.run.run_id))
    assert (ticket.state, ticket.kind, ticket.user, ticket.active) == (TicketState.ADMITTED, "deployment", "ada", True)


async def test_the_same_again_changes_nothing(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    assert (await site.deploy()).status_code == 200
    await site.go_on()
    assert await site.now() == ("READY", [(1, 1, "SERVING")])


async def test_an_alias_that_moves_takes_the_deployment_along(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    await site.version("two")
    await site.go_on()
    assert await site.now() == ("READY", [(2, 2, "SERVING"), (1, 1, "STANDBY")])
    await site.go_on(seconds=200)
    assert await site.now() == ("READY", [(2, 2, "SERVING"), (1, 1, "RETIRED")])
    assert len(await site.held()) == 1


async def test_until_the_next_release_answers_the_one_before_does(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    site.serving.by_itself = False
    await site.version("two")
    await site.go_on()
    assert await site.now() == ("UPDATING", [(2, 2, "STARTING"), (1, 1, "SERVING")])
    assert (await site.ask()).headers["X-AIFactory-Release"] == "1"
    new = site.serving.made[-1].run.run_id
    site.serving.see("nlp", new, Served(True, ready=1))
    await site.go_on()
    assert (await site.ask()).headers["X-AIFactory-Release"] == "2"


async def test_a_release_that_can_t_answer_its_example_never_serves(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    site.serving.answers = fails_for(2)
    await site.version("two", notify=["https://hooks.example.org/a"])
    await site.go_on()
    state, releases = await site.now()
    assert (state, releases) == ("READY", [(2, 2, "FAILED"), (1, 1, "SERVING")])
    async with site.service.http("ada") as http:
        told = (await http.get(PATH)).json()
        alias = (await http.get("/models/fraud/aliases/prod")).json()["alias"]
        again = await http.post("/models/fraud/aliases/prod/promote", json={"version": "1"})
    assert "the example request was answered 500" in told["releases"][0]["reason"]
    assert (alias["frozen"]["by"], alias["version"]) == ("the service", 2)
    assert again.json()["reason"] == "alias-frozen"
    [message] = site.service.context.messenger.deliveries.due(now=site.clock(), limit=9)
    assert (message.event, message.body["release"]["serves"]) == ("release.failed", 1)
    await site.go_on()
    assert await site.now() == ("READY", [(2, 2, "FAILED"), (1, 1, "SERVING")])
    assert len(await site.held()) == 1


async def test_a_release_that_fails_at_requests_is_taken_back(site: Site) -> None:
    await site.deploy(example=None)
    await site.go_on()
    await site.version("two")
    await site.go_on()
    assert (await site.now())[1][0] == (2, 2, "SERVING")
    site.serving.answers = fails_for(2)
    for _ in range(6):
        assert (await site.ask()).json()["reason"] == "model-failed"
    await site.go_on()
    assert await site.now() == ("READY", [(2, 2, "FAILED"), (1, 1, "SERVING")])
    assert (await site.ask()).status_code == 200
    async with site.service.http("ada") as http:
        usage = (await http.get(f"{PATH}/usage")).json()
        days = (await http.get(f"{PATH}/usage?step=1440&hours=48")).json()["minutes"]
        refused = (await http.get(f"{PATH}/usage?step=0")).json()
    assert (usage["asked"], usage["failed"]) == (7, 6)
    assert usage["p50"] is not None and all(each["p95"] is not None for each in usage["minutes"])
    assert sum(each["asked"] for each in days) == 7 and len(days) <= 2
    assert (refused["reason"], refused["field"]) == ("bad-field", "step")


async def test_a_rollback_takes_release_and_alias_back_at_once(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    await site.version("two")
    await site.go_on()
    async with site.service.http("bob") as http:
        wrong = await http.post(f"{PATH}/rollback", json={})
        assert (wrong.status_code, wrong.json()["field"]) == (400, "reason")
        back = await http.post(f"{PATH}/rollback", json={"reason": "it is worse"})
        assert back.status_code == 200, back.text
        alias = (await http.get("/models/fraud/aliases/prod")).json()["alias"]
    assert back.json()["deployment"]["serving"]["number"] == 1
    assert (alias["version"], alias["frozen"]["reason"], alias["frozen"]["by"]) == (1, "it is worse", "bob")
    await site.go_on()
    assert await site.now() == ("READY", [(2, 2, "RETIRED"), (1, 1, "SERVING")])
    assert site.serving.leads["nlp", "fraud"] == site.serving.made[0].run.run_id


async def test_a_rollback_to_what_has_ended_makes_it_anew(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    await site.version("two")
    await site.go_on(seconds=200)
    async with site.service.http("ada") as http:
        back = await http.post(f"{PATH}/rollback", json={"reason": "it is worse", "release": 1})
    assert back.status_code == 200, back.text
    await site.go_on()
    assert await site.now() == ("READY", [(3, 1, "SERVING"), (2, 2, "STANDBY"), (1, 1, "RETIRED")])


async def test_what_was_changed_or_removed_by_hand_is_put_back(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    [spec] = site.serving.made
    site.serving.see("nlp", spec.run.run_id, Served(True, ready=1, changed="its image was changed by hand"))
    await site.go_on()
    assert (await site.serving.look(spec)).changed == ""
    site.serving.lose("nlp", spec.run.run_id)
    await site.go_on()
    assert await site.now() == ("READY", [(1, 1, "SERVING")])
    assert len(site.serving.made) == 2


async def test_a_silent_vcluster_ends_nothing(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    site.serving.unavailable.add("nlp")
    await site.go_on()
    state, releases = await site.now()
    assert (state, releases) == ("DEGRADED", [(1, 1, "SERVING")])
    assert (await site.ask()).json()["reason"] == "tenant-unavailable"
    site.serving.unavailable.clear()
    await site.go_on()
    assert (await site.now())[0] == "READY"


async def test_stopping_gives_everything_back(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    [spec] = site.serving.made
    site.serving.slow_to_go.add(spec.run.run_id)
    async with site.service.http("bob") as http:
        assert (await http.delete(PATH)).status_code == 403
    async with site.service.http("ada") as http:
        assert (await http.delete(PATH)).json()["deployment"]["state"] == "STOPPED"
    await site.go_on()
    assert len(await site.held()) == 1
    site.serving.slow_to_go.clear()
    await site.go_on()
    assert (await site.held(), site.serving.leads) == ({}, {})
    assert (await site.ask()).json()["reason"] == "not-serving"
    assert (await site.deploy()).status_code == 200
    await site.go_on()
    assert await site.now() == ("READY", [(2, 1, "SERVING"), (1, 1, "RETIRED")])


async def test_without_quota_for_both_the_next_waits_or_takes_the_place(site: Site) -> None:
    await site.deploy(replicas=2)
    await site.go_on()
    await site.version("two")
    await site.go_on()
    assert await site.now() == ("UPDATING", [(2, 2, "QUEUED"), (1, 1, "SERVING")])
    await site.deploy(replicas=2, recreate=True)
    await site.go_on()
    assert (await site.now())[1][0] == (3, 2, "SERVING")
    assert [state for _, _, state in (await site.now())[1]] == ["SERVING", "RETIRED", "RETIRED"]


async def test_a_preempted_release_queues_again(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    [spec] = site.serving.made
    name = ticket_name(spec.run.run_id)
    admission = site.service.admission
    admission._evict(Eviction(admission_key("nlp", name), "another team needs it"))
    await site.go_on()
    stored = site.service.context.deployments.stored
    found = stored.release(spec.run.run_id)
    assert found is not None and found.state is ReleaseState.SERVING
    assert len(site.serving.made) == 2


async def test_what_no_record_stands_behind_is_removed(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    [spec] = site.serving.made
    lost = replace(spec, run=replace(spec.run, run_id="e9"))
    await site.serving.apply(lost)
    parts = site.service.context.deployments
    assert parts.sweeper is not None
    for name, database in (("e9", parts.sweeper._database), ("e8", "another")):
        request = TicketRequest(
            tenant="nlp",
            name=ticket_name(name),
            kind=constants.KIND_DEPLOYMENT,
            owner=name,
            user="ada",
            profile="mig-1g.10gb",
            resources=spec.run.requests,
            priority=constants.PRIORITY_DEPLOYMENT,
            flavor="h100-80gb",
            database=database,
        )
        await site.service.context.admission.request(request)
    await parts.sweep()
    assert [each.run_id for each in await site.serving.releases("nlp")] == [spec.run.run_id]
    left = {ticket.owner for ticket in await site.service.context.admission.tickets("nlp")}
    assert left == {spec.run.run_id, "e8"}


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"model": "fraud"}, 400, "model"),
        ({"model": "fraud@nowhere"}, 400, "model"),
        ({"model": "other@prod"}, 404, "model"),
        ({"profile": "none"}, 403, "profile"),
        ({"replicas": 9}, 409, "nodes"),
        ({"replicas": 0}, 400, "replicas"),
        ({"framework": "command"}, 400, "command"),
        ({"framework": "torch"}, 400, "framework"),
        ({"command": "true"}, 400, "command"),
        ({"example": {"inputs": 1}}, 400, "example"),
        ({"colour": 1}, 400, "colour"),
    ],
)
async def test_a_wrong_wish_is_refused_by_its_field(
    site: Site, changes: dict[str, Any], status: int, field: str
) -> None:
    answer = await site.deploy(**changes)
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text


async def test_a_wrong_name_is_refused(site: Site) -> None:
    async with site.service.http("ada") as http:
        answer = await http.put("/tenants/nlp/deployments/Fraud_1", json=WISH)
        assert (answer.status_code, answer.json()["field"]) == (400, "deployment")
        assert (await http.get("/tenants/nlp/deployments/none")).status_code == 404


async def test_a_site_without_an_engine_says_so(tmp_path: Path, hub: FakeHub) -> None:
    async with running_service(tmp_path, hub=hub, reconciling=False) as service:
        plain = Site(service, MemoryServing(), Clock(), tmp_path)
        await plain.version("one")
        answer = await plain.deploy()
        assert (answer.status_code, answer.json()["reason"]) == (409, "no-deployments")


def rule(asserted: str) -> dict[str, Any]:
    fails = {"expect": "fail", "view": {"deployment": {"replicas": 9}}}
    cases = [{"expect": "pass", "view": {"deployment": {"replicas": 1}}}, fails]
    changes = {"assert": asserted, "message": "'one replica is enough'", "cases": cases}
    return about("of-deployments", "true", target="deployment") | changes


async def test_the_site_s_rules_are_asked(site: Site) -> None:
    change_rules(site.service.context.gates, site.rules, rule("deployment.replicas <= 1"))
    refused = await site.deploy(replicas=2)
    assert (refused.status_code, refused.json()["reason"]) == (403, "policy"), refused.text
    assert (await site.deploy()).status_code == 201


async def test_a_version_that_the_rules_hold_is_not_deployed_by_its_alias(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    cases = [{"expect": "pass", "view": {"deployment": {"model": {"version": 1}}}}, {"expect": "fail"}]
    strict = rule("deployment.model.version < 2") | {"cases": cases}
    change_rules(site.service.context.gates, site.rules, strict)
    await site.version("two")
    await site.go_on()
    async with site.service.http("ada") as http:
        told = (await http.get(PATH)).json()["deployment"]
    assert told["serving"]["version"] == 1 and told["newest"]["number"] == 1
    assert told["reason"].startswith("version 2 is not deployed: one replica is enough")


async def test_who_may_ask_needs_the_scope_of_deployments(site: Site, hub: FakeHub) -> None:
    await site.deploy()
    await site.go_on()
    hub.add("asker", "asker", scopes_for("nlp", names=[constants.SCOPE_PREDICT]), groups=["tenant-nlp"])
    hub.add("worker", "worker", scopes_for("nlp", names=[constants.SCOPE_SUBMIT]), groups=["tenant-nlp"])
    assert (await site.ask("asker")).status_code == 200
    assert [(await site.ask(who)).status_code for who in ("worker", "eve", "stranger")] == [403, 403, 403]


async def test_a_pod_fetches_its_own_version_alone_and_may_say_why_not(site: Site) -> None:
    await site.deploy()
    site.serving.by_itself = False
    await site.go_on()
    [spec] = site.serving.made
    token, release = spec.run.secret_files["token"], spec.run.run_id
    inside = f"/internal/releases/{release}"
    async with site.service.http(token) as http:
        [given] = (await http.get(f"{inside}/models")).json()["models"]
        version = given["version"]["id"]
        file = await http.get(f"{inside}/models/{version}/files/model.pkl")
        assert file.content == b"one"
        assert (await http.get(f"{inside}/models/v0/files/model.pkl")).status_code == 404
        assert (await http.get(f"{inside}/models/{version}/files/other")).status_code == 404
        assert (await http.get(PATH)).status_code == 401
        said = await http.post(f"{inside}/problem", json={"problem": "model.pkl: a wrong byte"})
        assert said.status_code == 200
        await site.go_on()
        assert await site.now() == ("FAILED", [(1, 1, "FAILED")])
        assert (await http.get(f"{inside}/models")).status_code == 403
    async with site.service.http("0" * 64) as http:
        assert (await http.get(f"{inside}/models")).status_code == 403


@pytest.mark.parametrize(("wrong", "state"), [(True, "QUARANTINED"), (False, "REGISTERED")])
async def test_a_pod_s_word_of_a_wrong_byte_has_the_service_look_itself(site: Site, wrong: bool, state: str) -> None:
    await site.deploy()
    site.serving.by_itself = False
    await site.go_on()
    [spec] = site.serving.made
    registry = site.service.context.models.registry
    model = registry.find("nlp", "fraud")
    version = None if model is None else registry.of_number(model.id, 1)
    assert version is not None
    if wrong:
        damage(site.service.context, version.job, "model.pkl")
    async with site.service.http(spec.run.secret_files["token"]) as http:
        said = await http.post(f"/internal/releases/{spec.run.run_id}/problem", json={"problem": "a wrong byte"})
    assert said.status_code == 200
    async with site.service.http("ada") as http:
        told = (await http.get("/models/fraud/versions/1")).json()["version"]
    assert (told["state"], "model.pkl" in told["why"]) == (state, wrong)


async def test_a_damaged_version_is_given_to_no_pod(site: Site) -> None:
    await site.deploy()
    site.serving.by_itself = False
    await site.go_on()
    [spec] = site.serving.made
    registry = site.service.context.models.registry
    model = registry.find("nlp", "fraud")
    assert model is not None
    version = registry.of_number(model.id, 1)
    assert version is not None
    damage(site.service.context, version.job, "model.pkl")
    async with site.service.http("ada") as http:
        await http.post("/models/fraud/versions/1/verify")
    async with site.service.http(spec.run.secret_files["token"]) as http:
        answer = await http.get(f"/internal/releases/{spec.run.run_id}/models")
    assert (answer.status_code, answer.json()["reason"]) == (409, "quarantined")
