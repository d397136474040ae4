"""What the reconciler does when something is silent, refuses, or was left behind."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from aifactory_hub import constants
from aifactory_hub.admission.base import AdmissionRefused, AdmissionUnavailable
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.tickets import TicketRequest
from aifactory_hub.engines.base import EngineRefused, RunSpec

from .world import MIG, World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


async def test_a_vcluster_that_does_not_answer_is_noted_with_the_time_and_changes_no_state(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    world.engine.start("nlp", job_id)
    await world.settle()
    world.engine.unavailable.add("nlp")
    since = world.clock.now
    for _ in range(3):
        assert await world.state(job_id) == ("RUNNING", None)
        job = world.job(job_id)
        assert (job.unreachable, job.unreachable_since) == ("the vCluster of team nlp does not answer", since)
        world.clock.pass_by(60)
    world.engine.end("nlp", job_id, 0)
    assert (await world.state(job_id))[0] == "RUNNING"
    world.engine.unavailable.clear()
    assert await world.state(job_id) == ("SUCCEEDED", None)
    assert world.job(job_id).unreachable_since is None


async def test_what_was_unreachable_and_answers_again_is_noted_so(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    world.engine.unavailable.add("nlp")
    await world.settle()
    assert world.job(job_id).unreachable_since is not None
    world.engine.unavailable.clear()
    await world.settle()
    job = world.job(job_id)
    assert (job.unreachable_since, job.unreachable, job.state) == (None, None, JobState.STARTING)


async def test_a_run_in_a_silent_vcluster_is_created_once_it_answers(world: World) -> None:
    world.engine.unavailable.add("nlp")
    job_id = await world.submit()
    other = await world.submit(tenant="vision")
    assert (await world.state(job_id))[0] == "STARTING"
    assert world.job(job_id).unreachable == "the vCluster of team nlp does not answer"
    assert (await world.state(other))[0] == "STARTING"
    assert [spec.tenant for spec in world.engine.created] == ["vision"]
    world.engine.unavailable.clear()
    assert await world.state(job_id) == ("STARTING", None)
    assert [spec.tenant for spec in world.engine.created] == ["vision", "nlp"]


async def test_a_refused_run_fails_the_job_with_the_vclusters_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(spec: RunSpec) -> None:
        raise EngineRefused("The team's vCluster refused the job: exceeded quota")

    monkeypatch.setattr(world.engine, "create", refuse)
    job_id = await world.submit()
    assert await world.state(job_id) == ("FAILED", "The team's vCluster refused the job: exceeded quota")
    assert await world.admission.tickets("nlp") == []


async def test_a_quota_engine_that_does_not_answer_leaves_jobs_as_they_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: object) -> None:
        raise AdmissionUnavailable("Kueue does not answer")

    job_id = await world.submit()
    with monkeypatch.context() as silence:
        for name in ("get", "tickets"):
            silence.setattr(world.admission, name, silent)
        assert await world.state(job_id) == ("PENDING", None)
        assert world.job(job_id).unreachable == "the cluster does not answer now"
    with monkeypatch.context() as silence:
        silence.setattr(world.admission, "request", silent)
        assert await world.state(job_id) == ("PENDING", None)
        assert world.job(job_id).unreachable == "Kueue does not answer"
    assert await world.state(job_id) == ("STARTING", None)


async def test_a_refused_ticket_fails_the_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: TicketRequest) -> None:
        raise AdmissionRefused("the name is taken")

    monkeypatch.setattr(world.admission, "request", refuse)
    job_id = await world.submit()
    assert await world.state(job_id) == ("FAILED", "the name is taken")


async def test_one_job_that_breaks_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = await world.submit("broken")
    fine = await world.submit("fine")
    create = world.engine.create

    async def sometimes(spec: RunSpec) -> object:
        if spec.run_id == broken:
            raise RuntimeError("a bug")
        return await create(spec)

    monkeypatch.setattr(world.engine, "create", sometimes)
    assert await world.state(fine) == ("STARTING", None)
    assert world.job(broken).state is JobState.STARTING
    assert "could not be taken forward" in caplog.text


async def test_a_job_of_a_profile_or_tenant_that_was_taken_away_says_so(world: World) -> None:
    job_id = await world.submit()
    kept = {name: t for name, t in world.registry.tenants.items() if name != "nlp"}
    world.registry = replace(world.registry, tenants=kept)
    world.restart()
    assert await world.state(job_id) == ("PENDING", "team nlp is not in tenants.yaml any more")


async def test_a_sweep_gives_back_tickets_without_a_job_but_not_while_their_pod_lives(world: World) -> None:
    mine = await world.submit()
    await world.settle()
    profile = world.registry.catalogue.profile(MIG)
    for owner in ("jlost0000000", "jlost1111111"):
        request = TicketRequest(
            "nlp",
            f"job-{owner}",
            "job",
            owner,
            "ada",
            MIG,
            profile.requests,
            constants.PRIORITY_BATCH,
            flavor=profile.flavor,
            database=world.service.reconciler._w.database,
        )
        await world.admission.request(request)
    server = TicketRequest(
        "nlp",
        "nb-ada",
        "server",
        "ada",
        "ada",
        MIG,
        profile.requests,
        constants.PRIORITY_NOTEBOOK,
        flavor=profile.flavor,
    )
    await world.admission.request(server)
    world.engine.slow_to_go.add("jlost1111111")
    await world.service.reconciler.sweep()
    left = sorted(t.name for t in await world.admission.tickets("nlp"))
    assert left == sorted([f"job-{mine}", "job-jlost1111111", "nb-ada"])


async def test_a_lost_database_ends_no_job_and_drops_no_file(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The service comes back with an empty database and an empty journal; jobs run, files are there."""
    jobs = [await world.submit(str(number)) for number in range(6)]
    await world.settle()
    for job_id in jobs:
        with world.service.files.incoming(10) as incoming:
            incoming.write(b"log")
            incoming.keep(world.service.files.log(job_id, 1))
    runs = {run.run_id for run in await world.engine.runs("nlp")}
    assert len(runs) == 2, "as many as the quota lets run"
    world.engine.ages.update(dict.fromkeys(runs, 1e6))
    engine, files = world.service.jobs.db, world.service.files
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM jobs"))
        connection.execute(text("DELETE FROM marks"))
    for journal in files.journal_numbers():
        files.journal_write(journal, b"")
    world.restart()
    world.clock.now = time.time() + 100_000
    for _ in range(3):
        await world.service.reconciler.sweep()
    assert {run.run_id for run in await world.engine.runs("nlp")} == runs
    assert len([t for t in await world.admission.tickets("nlp") if t.kind == "job"]) == 6
    assert all(files.size(files.log(job_id, 1)) is not None for job_id in jobs)
    assert "6 of 6 tickets of jobs belong to no job in the database" in caplog.text
    assert "files of 6 of 6 jobs belong to no job" in caplog.text
    world.admission.ask_release("nlp", f"job-{next(iter(runs))}")
    for _ in range(2):
        await world.service.reconciler.sweep()
    assert len(await world.engine.runs("nlp")) == 1
    assert len([t for t in await world.admission.tickets("nlp") if t.kind == "job"]) == 5


async def test_a_sweep_drops_old_files_that_no_job_stands_behind(world: World) -> None:
    job_id = await world.submit()
    files = world.service.files
    for known in (job_id, "jnobody000"):
        with files.incoming(10) as incoming:
            incoming.write(b"log")
            incoming.keep(files.log(known, 1))
    world.clock.now = time.time() + 60
    await world.service.reconciler.sweep()
    assert files.size(files.log("jnobody000", 1)) is not None
    world.clock.pass_by(90000)
    await world.service.reconciler.sweep()
    assert files.size(files.log(job_id, 1)) is not None
    assert files.size(files.log("jnobody000", 1)) is None


async def test_a_job_whose_ticket_was_deleted_while_it_runs_is_counted_again(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    (before,) = await world.admission.tickets("nlp")
    await world.admission.release("nlp", before.name)
    await world.settle()
    (after,) = await world.admission.tickets("nlp")
    assert (after.name, after.devices, after.active) == (before.name, before.devices, True)
    assert after.uid != before.uid and (await world.state(job_id))[0] in ("STARTING", "RUNNING")
