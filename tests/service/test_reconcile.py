"""Jobs through the reconciler, with a cluster in memory that outlives the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from aifactory_hub import constants
from aifactory_hub.admission.base import AdmissionRefused, AdmissionUnavailable
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.tickets import TicketRequest, TicketState
from aifactory_hub.pipelines.base import PipelineRefused, RunSpec
from aifactory_hub.service.tokens import matches

from ..support.job_service import make_registry
from ..support.tenants import SMALL, make_tenant
from .world import MIG, World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


async def test_a_job_goes_from_pending_to_succeeded_and_leaves_nothing(world: World) -> None:
    job_id = await world.submit()
    assert await world.state(job_id) == ("STARTING", None)
    world.pipeline.start("nlp", job_id)
    assert await world.state(job_id) == ("RUNNING", None)
    world.pipeline.print_line("nlp", job_id, "accuracy 0.97")
    world.pipeline.end("nlp", job_id, 0)
    assert await world.state(job_id) == ("SUCCEEDED", None)
    job = world.job(job_id)
    assert (job.exit_code, job.live) == (0, False)
    assert world.service.files.log(job_id).read_text() == "accuracy 0.97\n"
    assert await world.admission.tickets("nlp") == []
    assert not (await world.pipeline.get("nlp", job_id)).exists


async def test_the_ticket_says_who_what_and_how_urgent(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    (ticket,) = await world.admission.tickets("nlp")
    assert (ticket.name, ticket.kind, ticket.owner, ticket.user) == (f"job-{job_id}", "job", job_id, "ada")
    assert (ticket.profile, dict(ticket.devices)) == (MIG, {SMALL: 1})
    assert (ticket.state, ticket.active) == (TicketState.ADMITTED, True)


async def test_the_run_gets_the_command_in_a_secret_file_and_nothing_of_it_in_its_spec(world: World) -> None:
    job_id = await world.submit(environment={"API_KEY": "hunter2"})
    await world.settle()
    (spec,) = world.pipeline.created
    assert set(spec.secret_files) == {"token", "job.json"}
    visible = repr(replace(spec, secret_files={}))
    assert "hunter2" not in visible
    assert "train.py" not in visible
    assert "hunter2" in spec.secret_files["job.json"]
    assert matches(spec.secret_files["token"], world.job(job_id).token_hash)
    assert spec.secret_files["token"] not in repr(world.job(job_id))
    assert spec.labels[constants.LABEL_USER] == "ada"
    assert spec.node_selector == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}


async def test_a_job_beyond_the_quota_waits_and_says_why_and_starts_in_its_turn(world: World) -> None:
    ids = [await world.submit(f"k{n}") for n in range(3)]
    assert [(await world.state(i))[0] for i in ids] == ["STARTING", "STARTING", "QUEUED"]
    assert world.job(ids[2]).reason
    assert len(world.pipeline.created) == 2
    world.pipeline.end("nlp", ids[0], 0)
    assert [(await world.state(i))[0] for i in ids] == ["SUCCEEDED", "STARTING", "STARTING"]


async def test_a_job_without_devices_needs_no_quota(world: World) -> None:
    job_id = await world.submit(profile="cpu-small")
    assert (await world.state(job_id))[0] == "STARTING"


async def test_a_failed_run_is_a_failed_job_with_the_clusters_reason(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    world.pipeline.end("nlp", job_id, 137, "it used more memory than its profile has (OOMKilled)")
    reason = "it used more memory than its profile has (OOMKilled)"
    assert await world.state(job_id) == ("FAILED", reason)
    assert world.job(job_id).exit_code == 137


async def test_a_run_that_somebody_removed_is_a_failed_job_and_not_made_again(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    world.pipeline.lose("nlp", job_id)
    assert await world.state(job_id) == ("FAILED", "its run was removed from the team's vCluster")
    assert len(world.pipeline.created) == 1


async def test_a_vcluster_that_does_not_answer_changes_nothing_but_the_reason(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    world.pipeline.start("nlp", job_id)
    await world.settle()
    world.pipeline.unavailable.add("nlp")
    assert await world.state(job_id) == ("RUNNING", "the vCluster of team nlp does not answer")
    world.pipeline.end("nlp", job_id, 0)
    assert (await world.state(job_id))[0] == "RUNNING"
    world.pipeline.unavailable.clear()
    assert await world.state(job_id) == ("SUCCEEDED", None)


async def test_a_run_in_a_silent_vcluster_is_created_once_it_answers(world: World) -> None:
    world.pipeline.unavailable.add("nlp")
    job_id = await world.submit()
    other = await world.submit(tenant="vision")
    assert (await world.state(job_id))[0] == "STARTING"
    assert world.job(job_id).reason == "the vCluster of team nlp does not answer"
    assert (await world.state(other))[0] == "STARTING"
    assert [spec.tenant for spec in world.pipeline.created] == ["vision"]
    world.pipeline.unavailable.clear()
    assert await world.state(job_id) == ("STARTING", None)
    assert [spec.tenant for spec in world.pipeline.created] == ["vision", "nlp"]


async def test_a_pod_that_is_slow_to_go_keeps_its_ticket(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    world.pipeline.slow_to_go.add(job_id)
    world.pipeline.end("nlp", job_id, 0)
    assert (await world.state(job_id))[0] == "SUCCEEDED"
    assert len(await world.admission.tickets("nlp")) == 1
    assert world.job(job_id).live
    world.pipeline.slow_to_go.clear()
    await world.settle()
    assert await world.admission.tickets("nlp") == []


@pytest.mark.parametrize("state", ["PENDING", "QUEUED", "STARTING", "RUNNING"])
async def test_a_job_can_be_cancelled_in_every_state(world: World, state: str) -> None:
    if state == "QUEUED":
        for n in range(2):
            await world.submit(f"before-{n}")
    job_id = await world.submit()
    if state != "PENDING":
        await world.settle()
    if state == "RUNNING":
        world.pipeline.start("nlp", job_id)
        await world.settle()
    assert world.job(job_id).state.value == state
    world.service.jobs.ask_cancel(job_id, by="grace", now=1.0)
    assert await world.state(job_id) == ("CANCELLED", "cancelled by grace")
    assert not world.job(job_id).live
    assert not (await world.pipeline.get("nlp", job_id)).exists
    assert f"job-{job_id}" not in [t.name for t in await world.admission.tickets("nlp")]


async def test_an_evicted_job_is_stopped_and_gives_its_quota_back(tmp_path: Path) -> None:
    tenants = {
        "nlp": make_tenant("nlp", quota={SMALL: 1}, borrowing={SMALL: 1}),
        "vision": make_tenant("vision", quota={SMALL: 1}),
    }
    world = World(tmp_path, registry=make_registry(tenants=tenants))
    try:
        borrower = [await world.submit(f"k{n}") for n in range(2)]
        await world.settle()
        owner = await world.submit(tenant="vision")
        await world.settle()
        states = {(await world.state(i))[0] for i in borrower}
        assert states == {"STARTING", "FAILED"}
        failed = next(j for j in map(world.job, borrower) if j.state is JobState.FAILED)
        assert failed.reason is not None
        assert failed.reason.startswith("stopped to give its quota back")
        assert (await world.state(owner))[0] == "STARTING"
    finally:
        world.close()


async def test_a_refused_run_fails_the_job_with_the_vclusters_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(spec: RunSpec) -> None:
        raise PipelineRefused("The team's vCluster refused the job: exceeded quota")

    monkeypatch.setattr(world.pipeline, "create", refuse)
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
        silence.setattr(world.admission, "tickets", silent)
        assert await world.state(job_id) == ("PENDING", "the cluster does not answer now")
    with monkeypatch.context() as silence:
        silence.setattr(world.admission, "request", silent)
        assert await world.state(job_id) == ("PENDING", "Kueue does not answer")
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
    create = world.pipeline.create

    async def sometimes(spec: RunSpec) -> object:
        if spec.run_id == broken:
            raise RuntimeError("a bug")
        return await create(spec)

    monkeypatch.setattr(world.pipeline, "create", sometimes)
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
    world.pipeline.slow_to_go.add("jlost1111111")
    await world.service.reconciler.sweep()
    left = sorted(t.name for t in await world.admission.tickets("nlp"))
    assert left == sorted([f"job-{mine}", "job-jlost1111111", "nb-ada"])


async def test_a_sweep_drops_old_files_that_no_job_stands_behind(world: World) -> None:
    job_id = await world.submit()
    files = world.service.files
    for known in (job_id, "jnobody000"):
        with files.incoming(10) as incoming:
            incoming.write(b"log")
            incoming.keep(files.log(known))
    world.clock.now = files.log(job_id).stat().st_mtime + 60
    await world.service.reconciler.sweep()
    assert files.log("jnobody000").exists()
    world.clock.pass_by(7200)
    await world.service.reconciler.sweep()
    assert files.log(job_id).exists()
    assert not files.log("jnobody000").exists()


async def test_the_running_loop_takes_jobs_forward_by_itself_and_stops_when_cancelled(world: World) -> None:
    loop = asyncio.create_task(world.service.reconciler.run())
    job_id = await world.submit()
    world.service.reconciler.hurry()
    async with asyncio.timeout(5):
        while world.job(job_id).run_created_at is None:
            await asyncio.sleep(0.01)
        world.pipeline.end("nlp", job_id, 0)
        world.service.reconciler.wake()
        while world.job(job_id).live:
            await asyncio.sleep(0.01)
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
