"""Jobs through the reconciler, with a cluster in memory that outlives the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from aifactory_hub import constants
from aifactory_hub.domain.jobs import EndKind, JobRun, JobState
from aifactory_hub.domain.tickets import TicketState
from aifactory_hub.service.auth.runner_tokens import matches

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
    world.engine.start("nlp", job_id)
    assert await world.state(job_id) == ("RUNNING", None)
    world.engine.print_line("nlp", job_id, "accuracy 0.97")
    world.engine.end("nlp", job_id, 0)
    assert await world.state(job_id) == ("SUCCEEDED", None)
    job = world.job(job_id)
    assert (job.exit_code, job.live) == (0, False)
    assert world.service.files.read(world.service.files.log(job_id, 1)) == b"accuracy 0.97\n"
    assert await world.admission.tickets("nlp") == []
    assert not (await world.engine.get("nlp", job_id)).exists


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
    (spec,) = world.engine.created
    assert set(spec.secret_files) == {"token", "job.json"}
    visible = repr(replace(spec, secret_files={}))
    assert "hunter2" not in visible
    assert "train.py" not in visible
    assert "hunter2" in spec.secret_files["job.json"]
    assert matches(spec.secret_files["token"], world.job(job_id).current.token_hash)
    assert spec.secret_files["token"] not in repr(world.job(job_id))
    assert spec.labels[constants.LABEL_USER] == "ada"
    assert spec.node_selector == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    assert spec.tolerations == ("nvidia.com/gpu",)


async def test_a_job_beyond_the_quota_waits_and_says_why_and_starts_in_its_turn(world: World) -> None:
    ids = [await world.submit(f"k{n}") for n in range(3)]
    assert [(await world.state(i))[0] for i in ids] == ["STARTING", "STARTING", "QUEUED"]
    assert world.job(ids[2]).reason
    assert len(world.engine.created) == 2
    world.engine.end("nlp", ids[0], 0)
    assert [(await world.state(i))[0] for i in ids] == ["SUCCEEDED", "STARTING", "STARTING"]


async def test_a_job_without_devices_needs_no_quota(world: World) -> None:
    job_id = await world.submit(profile="cpu-small")
    assert (await world.state(job_id))[0] == "STARTING"


async def test_a_failed_run_is_a_failed_job_with_the_clusters_reason(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    world.engine.end("nlp", job_id, 137, "it used more memory than its profile has (OOMKilled)")
    reason = "it used more memory than its profile has (OOMKilled)"
    assert await world.state(job_id) == ("FAILED", reason)
    assert world.job(job_id).exit_code == 137


async def test_a_run_that_somebody_removed_is_a_failed_job_and_not_made_again(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    world.engine.lose("nlp", job_id)
    assert await world.state(job_id) == ("FAILED", "its run was removed from the team's vCluster")
    assert len(world.engine.created) == 1


async def test_a_pod_that_is_slow_to_go_keeps_its_ticket(world: World) -> None:
    job_id = await world.submit()
    await world.settle()
    world.engine.slow_to_go.add(job_id)
    world.engine.end("nlp", job_id, 0)
    assert (await world.state(job_id))[0] == "SUCCEEDED"
    assert len(await world.admission.tickets("nlp")) == 1
    assert world.job(job_id).live
    world.engine.slow_to_go.clear()
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
        world.engine.start("nlp", job_id)
        await world.settle()
    assert world.job(job_id).state.value == state
    world.service.jobs.ask_cancel(job_id, by="grace", now=1.0)
    assert await world.state(job_id) == ("CANCELLED", "cancelled by grace")
    assert not world.job(job_id).live
    assert not (await world.engine.get("nlp", job_id)).exists
    assert f"job-{job_id}" not in [t.name for t in await world.admission.tickets("nlp")]


async def test_a_preempted_job_gives_its_quota_back_and_waits_in_the_queue_again(tmp_path: Path) -> None:
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
        assert {(await world.state(i))[0] for i in borrower} == {"STARTING", "QUEUED"}
        queued = next(j for j in map(world.job, borrower) if j.state is JobState.QUEUED)
        assert queued.reason is not None
        assert queued.reason.startswith("preempted and queued again; ")
        assert (queued.attempt, queued.preemptions, queued.retries_used) == (2, 1, 0)
        assert queued.earlier[0].kind is EndKind.PREEMPTED
        assert (await world.state(owner))[0] == "STARTING"
        world.engine.end("vision", owner, 0)
        assert (await world.state(queued.id))[0] == "STARTING"
        assert [spec.run_id for spec in world.engine.created if spec.run_id.startswith(queued.id)] == [
            queued.id,
            f"{queued.id}r2",
        ]
        world.engine.end("nlp", f"{queued.id}r2", 0)
        assert (await world.state(queued.id))[0] == "SUCCEEDED"
    finally:
        world.close()


async def test_a_failed_job_with_retries_is_tried_again_after_a_growing_wait(world: World) -> None:
    job_id = await world.submit(retries=2, retry_backoff=30)
    await world.settle()
    world.engine.print_line("nlp", job_id, "first try")
    world.engine.end("nlp", job_id, 1)
    state, reason = await world.state(job_id)
    assert state == "PENDING"
    assert reason is not None
    assert reason.startswith("retry 1 of 2 at ")
    assert await world.admission.tickets("nlp") == []
    world.clock.pass_by(29)
    assert (await world.state(job_id))[0] == "PENDING"
    world.clock.pass_by(1)
    assert (await world.state(job_id))[0] == "STARTING"
    world.engine.end("nlp", f"{job_id}r2", 1)
    await world.settle()
    world.clock.pass_by(59)
    assert (await world.state(job_id))[0] == "PENDING"
    world.clock.pass_by(1)
    await world.settle()
    world.engine.end("nlp", f"{job_id}r3", 7)
    assert (await world.state(job_id))[0] == "FAILED"
    job = world.job(job_id)
    assert (job.exit_code, job.attempt, job.retries_used, len(job.earlier)) == (7, 3, 2, 2)
    assert world.service.files.read(world.service.files.log(job_id, 1)) == b"first try\n"
    assert len({spec.secret_files["token"] for spec in world.engine.created}) == 3


async def test_a_job_that_ran_too_long_is_not_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = await world.submit(retries=2, max_seconds=60)
    await world.settle()
    assert world.engine.created[0].deadline_seconds == 60

    async def overdue(*_: object) -> JobRun:
        return JobRun(True, "u", JobState.FAILED, 143, "it ran longer than jobs may", overdue=True)

    monkeypatch.setattr(world.engine, "get", overdue)
    assert await world.state(job_id) == ("FAILED", "it ran longer than jobs may")


@pytest.mark.parametrize("when", ["PENDING", "QUEUED", "STARTING", "RUNNING"])
async def test_a_suspended_job_holds_nothing_until_it_is_resumed(world: World, when: str) -> None:
    before = [await world.submit(f"before-{n}") for n in range(2)] if when == "QUEUED" else []
    job_id = await world.submit()
    if when != "PENDING":
        await world.settle()
    if when == "RUNNING":
        world.engine.start("nlp", job_id)
        await world.settle()
    assert world.job(job_id).state.value == when
    world.service.jobs.ask_suspend(job_id, by="ada", now=1.0)
    assert await world.state(job_id) == ("SUSPENDED", "suspended")
    assert f"job-{job_id}" not in [t.name for t in await world.admission.tickets("nlp")]
    assert not (await world.engine.get("nlp", job_id)).exists
    for other in before:
        world.engine.end("nlp", other, 0)
    assert (await world.state(job_id))[0] == "SUSPENDED"
    world.service.jobs.resume(job_id)
    assert (await world.state(job_id))[0] == "STARTING"
    world.engine.end("nlp", world.job(job_id).run_id, 0)
    assert (await world.state(job_id))[0] == "SUCCEEDED"
    assert world.job(job_id).retries_used == 0


async def test_a_suspended_job_can_be_cancelled(world: World) -> None:
    job_id = await world.submit()
    world.service.jobs.ask_suspend(job_id, by="ada", now=1.0)
    await world.settle()
    world.service.jobs.ask_cancel(job_id, by="ada", now=2.0)
    assert await world.state(job_id) == ("CANCELLED", "cancelled by ada")
    assert not world.job(job_id).live


async def test_the_running_loop_takes_jobs_forward_by_itself_and_stops_when_cancelled(world: World) -> None:
    loop = asyncio.create_task(world.service.reconciler.run())
    job_id = await world.submit()
    world.service.reconciler.hurry(job_id)
    async with asyncio.timeout(5):
        while world.job(job_id).current.run_created_at is None:
            await asyncio.sleep(0.01)
        world.engine.end("nlp", job_id, 0)
        world.service.reconciler.wake()
        while world.job(job_id).live:
            await asyncio.sleep(0.01)
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
