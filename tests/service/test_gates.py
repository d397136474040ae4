"""What the site's rules stop, before anything of a job exists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from aifactory_hub.domain.gates import Override
from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.verdicts import Severity, Target, Verb
from aifactory_hub.engines.kubernetes_job.translate import render_job
from aifactory_hub.registry import RegistryProvider
from aifactory_hub.registry.model import PoliciesConfig
from aifactory_hub.service.gates import SiteRules
from aifactory_hub.service.real_site import site_rules as site_rules_of
from aifactory_hub.service.real_site import with_overrides
from aifactory_hub.service.request_types import Submission
from aifactory_hub.service.submissions import SubmitResult
from aifactory_hub.store import intake

from ..policy.rules import rule
from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import Clock, RunningService, running_service
from ..support.rules import change_rules, site_rules
from .world import MIG, World

SHORT = rule(
    id="short",
    title="Jobs are short",
    assert_="job.max_seconds <= 3600",
    message="'it may run for ' + string(job.max_seconds) + ' s'",
    fix="Set max_seconds to 3600 or less.",
    field="max_seconds",
    cases=[{"expect": "pass", "view": {"job": {"max_seconds": 60}}}, {"expect": "fail"}],
)
JOB: dict[str, Any] = {"command": "python train.py", "profile": MIG, "environment": {"API_KEY": "hunter2"}}
CASES = [
    {"expect": "fail", "view": {"user": {"name": "somebody"}}},
    {"expect": "pass", "view": {"user": {"name": "nobody"}}},
]


def about(name: str, holds: str, **changes: Any) -> dict[str, Any]:
    """A rule that nobody always passes and somebody never."""
    text = f"user.name == 'nobody' || (user.name != 'somebody' && ({holds}))"
    return rule(id=name, assert_=text, message=f"'{name} says no'", cases=CASES) | changes


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return tmp_path / "rules"


@pytest.fixture
def world(tmp_path: Path, rules: Path) -> Iterator[World]:
    clock = Clock()
    made = World(tmp_path / "disk", clock=clock, gates=site_rules(rules, SHORT, clock=clock))
    yield made
    made.close()


async def ask(world: World, key: str = "k", **asked: Any) -> SubmitResult | Refusal:
    submission = Submission(**{**JOB, "key": key, **asked})
    return await world.service.submissions.submit("ada", "nlp", submission)


def gates(world: World) -> SiteRules:
    assert world.gates is not None
    return world.gates


async def test_what_a_rule_refuses_has_no_row_and_no_ticket(world: World) -> None:
    refused = await ask(world)
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.field) == (RefusalReason.POLICY, "max_seconds")
    assert refused.message == "it may run for 86400 s (rule short) Set max_seconds to 3600 or less."
    assert [finding["rule"] for finding in refused.findings] == ["short"]
    await world.settle()
    assert world.service.jobs.live() == []
    assert await world.admission.tickets("nlp") == []
    kept = world.service.verdicts.get(refused.verdict)
    assert kept is not None
    assert (kept.outcome, kept.question.verb, kept.question.user) == ("refused", Verb.SUBMIT, "ada")


async def test_what_passes_is_recorded_with_its_job(world: World) -> None:
    job = await world.submit(max_seconds=60)
    kept = world.service.verdicts.last_of(job)
    assert kept is not None
    assert (kept.outcome, kept.verdict.bundle) == ("allowed", gates(world).bundle)
    assert kept.question.target is Target.JOB
    assert kept.question.view["job"]["max_seconds"] == 60


async def test_neither_view_nor_record_has_the_command_or_values_of_the_environment(world: World) -> None:
    await ask(world, name="train", max_seconds=60)
    [kept] = world.service.verdicts.newest("nlp", limit=10)
    assert kept.question.view["job"]["environment"] == ["API_KEY"]
    assert "hunter2" not in json.dumps(kept.question.view, default=str)
    assert "train.py" not in json.dumps(kept.question.view, default=str)


async def test_a_key_that_was_used_answers_its_job_whatever_the_rules_say_now(world: World, rules: Path) -> None:
    job = await world.submit(max_seconds=60)
    change_rules(gates(world), rules, about("closed", "false"))
    again = await world.service.submissions.submit(
        "ada", "nlp", Submission(command="python train.py", profile=MIG, key="k", max_seconds=60)
    )
    assert isinstance(again, SubmitResult) and again.job.id == job
    assert isinstance(await ask(world, "other", max_seconds=60), Refusal)


async def test_a_retry_is_judged_as_a_new_job(world: World, rules: Path) -> None:
    job = await world.submit(max_seconds=60)
    await world.settle()
    world.service.jobs.ask_cancel(job, by="ada", now=world.clock.now, word="")
    await world.settle()
    change_rules(gates(world), rules, about("closed", "verb != 'retry'"))
    refused = await world.service.submissions.retry(world.job(job), "again")
    assert isinstance(refused, Refusal) and refused.message.startswith("closed says no")


async def test_a_queued_job_that_a_new_rule_forbids_ends_with_its_words(world: World, rules: Path) -> None:
    jobs = [await world.submit(f"k{n}", max_seconds=60) for n in range(2)]
    change_rules(gates(world), rules, about("closed", "false"))
    assert await world.state(jobs[0]) == ("FAILED", "closed says no (rule closed) Name it by its digest.")
    assert await world.admission.tickets("nlp") == []
    kept = world.service.verdicts.last_of(jobs[0])
    assert kept is not None and kept.outcome == "refused"


async def test_what_runs_is_not_stopped_by_a_rule(world: World, rules: Path) -> None:
    job = await world.submit(max_seconds=60)
    await world.settle()
    world.engine.start("nlp", world.job(job).run_id)
    assert (await world.state(job))[0] == "RUNNING"
    change_rules(gates(world), rules, about("closed", "false"))
    assert (await world.state(job))[0] == "RUNNING"


async def test_it_is_judged_again_with_what_was_known_when_it_was_asked(world: World, rules: Path) -> None:
    submission = Submission(**{**JOB, "key": "k", "max_seconds": 60})
    taken = await world.service.submissions.submit("ada", "nlp", submission, role=Role.ADMIN)
    assert isinstance(taken, SubmitResult)
    change_rules(gates(world), rules, about("admins", "user.role == 'admin'"))
    assert (await world.state(taken.job.id))[0] == "STARTING"
    kept = world.service.verdicts.last_of(taken.job.id)
    assert kept is not None and kept.verdict.bundle == gates(world).bundle


async def test_rules_that_break_while_it_runs_leave_the_last_good_ones(world: World, rules: Path) -> None:
    before = gates(world).bundle
    (rules / "site.yaml").write_text("rules: [")
    gates(world).rules.look()
    gates(world).rules.look()
    assert gates(world).bundle == before
    assert "can't be used, so the last good ones are in use" in gates(world).rules.status.trouble
    assert isinstance(await ask(world), Refusal)


async def test_rules_of_pods_see_what_the_engine_would_make(
    world: World, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.engine, "render", lambda spec: [render_job(spec, "test")])
    listed = rule(
        id="listed",
        target="pod",
        assert_="object.spec.containers.all(c, c.image.startsWith('images.example.org/'))",
        message="'image ' + object.spec.containers[0].image + ' is not from our registry'",
        cases=[{"expect": "pass"}, {"expect": "fail", "view": {"object": {"spec": {"containers": [{"image": "a"}]}}}}],
    )
    change_rules(gates(world), rules, listed)
    refused = await ask(world)
    assert isinstance(refused, Refusal), refused
    assert "image job:test is not from our registry" in refused.message


async def test_a_rule_that_needs_approval_lets_nothing_go_on_by_itself(world: World, rules: Path) -> None:
    change_rules(gates(world), rules, about("asks", "false", approval=[{"role": "admin"}]))
    taken = await ask(world)
    assert isinstance(taken, SubmitResult)
    await world.settle()
    held = world.job(taken.job.id)
    assert (held.state.value, held.reason) == ("HELD", "held until one of the team's administrators approves it")
    assert await world.admission.tickets("nlp") == []


async def test_a_new_need_holds_a_queued_job_back(world: World, rules: Path) -> None:
    job = await world.submit(max_seconds=60)
    change_rules(gates(world), rules, about("asks", "false", approval=[{"role": "admin"}]))
    await world.settle()
    found = world.job(job)
    assert found.state.value in ("PENDING", "QUEUED")
    assert await world.admission.tickets("nlp") == []
    assert "it waits for 1 of admin" in (found.unreachable or "")


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub, rules: Path) -> AsyncIterator[RunningService]:
    clock = Clock()
    made = site_rules(rules, SHORT, about("word", "false", severity="advisory", field=None), clock=clock)
    async with running_service(tmp_path / "disk", hub=hub, reconciling=False, gates=made, clock=clock) as running:
        yield running


async def post(service: RunningService, path: str, body: Any, who: str = "ada") -> httpx.Response:
    async with service.http(who) as http:
        return await http.post(path, json=body)


async def test_a_refusal_names_all_findings_and_its_record(service: RunningService) -> None:
    answer = await post(service, "/jobs", {**JOB, "key": "k"})
    said = answer.json()
    assert (answer.status_code, said["reason"], said["field"]) == (403, "policy", "max_seconds")
    assert [(each["rule"], each["refuses"]) for each in said["findings"]] == [("short", True), ("word", False)]
    assert service.context.verdicts.get(said["verdict"]) is not None


async def test_a_dry_run_says_the_same_and_records_nothing(service: RunningService) -> None:
    refused = (await post(service, "/jobs/dry-run", JOB)).json()
    assert (refused["accepted"], refused["refusal"]["field"]) == (False, "max_seconds")
    assert [each["rule"] for each in refused["findings"]] == ["short", "word"]
    assert [each["check"] for each in refused["verdicts"]] == ["max_seconds", "rule word"]
    taken = (await post(service, "/jobs/dry-run", {**JOB, "max_seconds": 60})).json()
    assert (taken["accepted"], [each["rule"] for each in taken["findings"]]) == (True, ["word"])
    assert taken["findings"][0]["severity"] == "advisory"
    assert service.context.verdicts.newest("nlp", limit=10) == []


async def test_roles_are_those_of_the_token(service: RunningService, hub: FakeHub, rules: Path) -> None:
    hub.add("boss", "boss", scopes_for("nlp"), groups=["tenant-nlp", "tenant-nlp-admin"])
    change_rules(service.context.gates, rules, about("admins", "has(user.role) && user.role == 'admin'"))
    assert (await post(service, "/jobs", {**JOB, "key": "k"})).status_code == 403
    assert (await post(service, "/jobs", {**JOB, "key": "k"}, "boss")).status_code == 201


async def test_a_schedule_is_judged_as_its_job_would_be(service: RunningService, rules: Path) -> None:
    asked = {"key": "s", "cron": "0 5 * * *", "job": JOB}
    answer = await post(service, "/schedules", asked)
    assert (answer.status_code, answer.json()["field"]) == (403, "max_seconds")
    good = await post(service, "/schedules", {**asked, "job": {**JOB, "max_seconds": 60}})
    assert good.status_code == 201
    run = await post(service, f"/schedules/{good.json()['id']}/runs", {"key": "r"})
    assert run.status_code == 201
    change_rules(service.context.gates, rules, about("closed", "verb != 'schedule'"))
    run = await post(service, f"/schedules/{good.json()['id']}/runs", {"key": "r2"})
    assert (run.status_code, run.json()["reason"]) == (403, "policy")


async def test_a_job_that_is_resumed_is_judged_again(service: RunningService, rules: Path) -> None:
    job = (await post(service, "/jobs", {**JOB, "key": "k", "max_seconds": 60})).json()["id"]
    assert (await post(service, f"/jobs/{job}/suspend", None)).status_code == 202
    change_rules(service.context.gates, rules, about("closed", "verb != 'resume'"))
    answer = await post(service, f"/jobs/{job}/resume", None)
    assert (answer.status_code, answer.json()["reason"]) == (403, "policy")
    change_rules(service.context.gates, rules, about("open", "true"))
    assert (await post(service, f"/jobs/{job}/resume", None)).status_code == 202


def test_severities_are_ordered() -> None:
    assert Severity.ADVISORY < Severity.SOFT < Severity.HARD


async def test_the_verdict_and_its_job_are_stored_together_or_neither_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise RuntimeError("killed between the two")

    with monkeypatch.context() as patched:
        patched.setattr(intake, "_keep_verdicts", killed)
        with pytest.raises(RuntimeError):
            await ask(world, max_seconds=60)
    assert world.service.jobs.newest(["nlp"], limit=10) == []
    assert world.service.verdicts.newest("nlp", limit=10) == []
    assert isinstance(await ask(world, max_seconds=60), SubmitResult)
    assert len(world.service.verdicts.newest("nlp", limit=10)) == 1


async def test_one_request_that_comes_twice_at_once_has_one_verdict(world: World) -> None:
    first, second = await asyncio.gather(ask(world, max_seconds=60), ask(world, max_seconds=60))
    assert isinstance(first, SubmitResult) and isinstance(second, SubmitResult)
    assert (first.job.id, {first.new, second.new}) == (second.job.id, {True, False})
    [kept] = world.service.verdicts.newest("nlp", limit=10)
    assert kept.question.subject == first.job.id


async def test_a_new_process_knows_the_rules_and_the_overrides_that_count(world: World, tmp_path: Path) -> None:
    verdicts, now = world.service.verdicts, world.clock.now
    for number, until in enumerate((now + 60, now - 60)):
        verdicts.add_override(Override(f"o{number}", "short", "nlp", "ada", "d", "grace", "why", now - 90, until))
    registry = replace(world.registry, source=str(tmp_path / "tenants.yaml"), policies=PoliciesConfig(folder="rules"))
    made = with_overrides(site_rules_of(RegistryProvider(registry), tmp_path), verdicts, world.clock)
    assert made.bundle == gates(world).bundle
    assert [each.id for each in made._overrides] == ["o0"]


async def test_a_job_from_before_the_site_had_rules_is_judged_before_its_ticket(tmp_path: Path, rules: Path) -> None:
    clock = Clock()
    before = World(tmp_path / "disk", clock=clock)
    job = await before.submit()
    before.close()
    after = World(tmp_path / "disk", clock=clock, gates=site_rules(rules, SHORT, clock=clock))
    assert (await after.state(job))[0] == "FAILED"
    assert "it may run for 86400 s" in (after.job(job).reason or "")
    after.close()
