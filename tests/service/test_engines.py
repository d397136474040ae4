"""Engines, over HTTP and in the reconciler: chosen, refused, followed step by step, given up when stuck."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from aifactory_hub.domain.blocked_pods import Blocked
from aifactory_hub.domain.engines import EngineFacts, Parameter, Published
from aifactory_hub.domain.jobs import JobRun, JobState, RunStep, StepState
from aifactory_hub.engines.base import Site
from aifactory_hub.engines.installed import UnknownEngine, load_engines
from aifactory_hub.engines.memory import MemoryEngine

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import RunningService, running_service
from .world import MIG, World

ARGO = EngineFacts("argo-workflow", "steps", publishes="WorkflowTemplate", runs_commands=False, most_nodes=4)
TRAIN = Published("argo-workflow", "train", "Trains it.", (Parameter("data"), Parameter("epochs", "3")))


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[RunningService]:
    hub = FakeHub()
    hub.start()
    hub.add("ada-token", "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    engine = MemoryEngine(facts=ARGO, templates=[TRAIN])
    async with running_service(tmp_path, hub=hub, engine=engine, reconciling=False) as running:
        yield running
    await hub.stop()


def asked(**changes: object) -> dict[str, object]:
    return {"key": "k", "profile": MIG, "engine": "argo-workflow", "template": "train", **changes}


async def test_engines_and_templates_are_listed(service: RunningService) -> None:
    async with service.http("ada-token") as http:
        (engine,) = (await http.get("/engines")).json()["engines"]
        assert (engine["name"], engine["publishes"], engine["default"]) == ("argo-workflow", "WorkflowTemplate", True)
        answer = (await http.get("/tenants/nlp/templates")).json()
        assert answer["unavailable"] == {}
        (template,) = answer["templates"]
        assert template["name"] == "train"
        assert [(p["name"], p["default"]) for p in template["parameters"]] == [("data", None), ("epochs", "3")]
        service.engine.unavailable.add("nlp")
        silent = (await http.get("/tenants/nlp/templates")).json()
        assert silent["templates"] == []
        assert "does not answer" in silent["unavailable"]["argo-workflow"]
        assert (await http.get("/tenants/vision/templates")).status_code == 403


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"engine": "spark"}, "engine", "Engines: argo-workflow"),
        ({"template": "tran"}, "template", "It has: train."),
        ({"parameters": {}}, "parameters", "'data'"),
        ({"parameters": {"data": "x", "nope": "y"}}, "parameters", "'nope'"),
        ({"command": "make"}, "command", "leave command out"),
        ({"nodes": 5}, "nodes", "4 nodes at most"),
        ({"nodes": 0}, "nodes", "greater than or equal to 1"),
    ],
)
async def test_what_an_engine_can_not_do_is_refused_by_field(
    service: RunningService, changes: dict[str, object], field: str, said: str
) -> None:
    body = asked(**{"parameters": {"data": "s3://b"}, **changes})
    async with service.http("ada-token") as http:
        answer = await http.post("/jobs", json=body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["field"] == field
        assert said in answer.json()["detail"]
        dry = (await http.post("/jobs/dry-run", json={k: v for k, v in body.items() if k != "key"})).json()
        assert dry.get("accepted", False) is False


async def test_a_job_of_a_template_is_taken_once_even_while_the_vcluster_is_silent(service: RunningService) -> None:
    body = asked(parameters={"data": "s3://b"}, nodes=2)
    async with service.http("ada-token") as http:
        first = await http.post("/jobs", json=body)
        assert first.status_code == 201, first.text
        job = first.json()
        assert (job["engine"], job["template"], job["nodes"]) == ("argo-workflow", "train", 2)
        assert (job["name"], job["parameters"], job["steps"]) == ("train", {"data": "s3://b"}, [])
        # The template may be gone by now, or the vCluster silent: the same request is the same job.
        service.engine.templates.clear()
        assert (await http.post("/jobs", json=body)).json()["id"] == job["id"]
        service.engine.unavailable.add("nlp")
        assert (await http.post("/jobs", json={**body, "key": "other"})).status_code == 201


@pytest.fixture
def world(tmp_path: Path) -> object:
    made = World(tmp_path)
    yield made
    made.close()


def shown(world: World, job_id: str, run: JobRun) -> None:
    """What the engine says of the job's run from now on."""
    found = world.engine._runs["nlp", job_id]
    found.run = replace(run, exists=True, uid=found.run.uid)


async def test_one_ticket_holds_all_nodes(world: World) -> None:
    world.engine.facts = EngineFacts("jobset", "nodes", most_nodes=8)
    world.restart()
    job_id = await world.submit(engine="jobset", nodes=2)
    await world.settle()
    (ticket,) = await world.admission.tickets("nlp")
    assert sum(ticket.devices.values()) == 2
    assert world.engine.created[0].nodes == 2
    assert world.job(job_id).spec.backend == "jobset"


async def test_a_job_that_named_no_engine_stays_with_its_own_when_the_site_puts_another_first(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    assert world.job(job_id).spec.backend == world.engine.facts.name
    world.engine.facts = EngineFacts("jobset", "nodes", most_nodes=8)
    world.restart()
    await world.settle()
    # Its engine is not set up now: nothing is known of the job, so nothing is concluded, least of all from another's.
    assert "kubernetes-job is not set up" in (world.job(job_id).unreachable or "")
    assert world.job(job_id).state is JobState.STARTING
    assert len(world.engine.created) == 1


async def test_a_run_is_followed_step_by_step_and_a_new_attempt_begins_without_steps(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    steps = (RunStep("load", StepState.SUCCEEDED), RunStep("train", StepState.RUNNING))
    shown(world, job_id, JobRun(True, state=JobState.RUNNING, steps=steps))
    await world.settle()
    assert [(step["name"], step["state"]) for step in world.job(job_id).current.steps] == [
        ("load", "SUCCEEDED"),
        ("train", "RUNNING"),
    ]
    world.service.jobs.ask_suspend(job_id, by="ada", now=world.clock())
    await world.settle()
    assert world.job(job_id).current.steps == ()


@pytest.mark.parametrize(("blocked", "timeout"), [(Blocked.REFUSED, 20), (Blocked.STUCK, 600)])
async def test_a_run_that_can_not_start_gives_its_devices_back_after_a_while(
    world: World, blocked: Blocked, timeout: float
) -> None:
    job_id = await world.submit(retries=3)
    await world.settle()
    shown(world, job_id, JobRun(True, reason="no such image", blocked=blocked))
    world.clock.pass_by(timeout - 5)
    assert await world.state(job_id) == ("STARTING", "no such image")
    world.clock.pass_by(10)
    assert await world.state(job_id) == ("FAILED", "it could not start: no such image")
    assert await world.admission.tickets("nlp") == []


async def test_a_step_that_can_not_start_ends_the_run_too(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    shown(world, job_id, JobRun(True, state=JobState.RUNNING))
    await world.settle()
    # The cluster's own clock may be hours away: only what lies between two of its times counts.
    made = world.job(job_id).current.run_created_at
    assert made is not None
    stuck = JobRun(True, state=JobState.RUNNING, reason="step b: no image", blocked=Blocked.STUCK, blocked_after=5000.0)
    shown(world, job_id, stuck)
    world.clock.now = made + 5000 + 590
    assert await world.state(job_id) == ("RUNNING", "step b: no image")
    world.clock.now = made + 5000 + 610
    assert await world.state(job_id) == ("FAILED", "it could not start: step b: no image")


async def test_a_run_that_is_made_ready_for_long_is_left_alone(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    world.clock.pass_by(3600)
    assert (await world.state(job_id))[0] == "STARTING"


async def test_a_job_whose_engine_was_taken_away_keeps_its_state_and_says_so(world: World) -> None:
    world.engine.facts = EngineFacts("jobset", "nodes", most_nodes=8)
    world.restart()
    job_id = await world.submit(engine="jobset")
    await world.settle()
    world.engine.facts = EngineFacts("kubernetes-job", "one")
    world.restart()
    assert (await world.state(job_id))[0] == "STARTING"
    assert "engine jobset is not set up here any more" in str(world.job(job_id).unreachable)


def test_engines_come_from_entry_points_and_a_wrong_name_is_told_what_there_is() -> None:
    with pytest.raises(UnknownEngine, match=r"no engine 'spark'.*argo-workflow, jobset, kubernetes-job"):
        load_engines(["spark"], Site("main", {}))
    with pytest.raises(UnknownEngine, match="it is for the demo"):
        load_engines(["local"], Site("main", {}))
    with pytest.raises(UnknownEngine, match="needs a cluster"):
        load_engines(["jobset"], Site("main", {}))
    local = load_engines(["local"], Site("main", {}, folder=Path("/nowhere")))
    assert list(local.facts) == ["local"]
