"""What the service says of a job's attempts, and of what all of them cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.jobs import EndKind, JobRun, JobState, Onward
from aifactory_hub.service.api.answers import job_answer

from ..support.job_service import RunningService
from .world import MIG, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def answer(world: World, job_id: str) -> Any:
    return job_answer(world.job(job_id), world.service.registry, now=world.clock())


PRICE = {"per_hour": "0.40", "currency": "EUR"}


async def test_a_job_costs_what_all_its_attempts_cost(world: World) -> None:
    job_id = await world.submit(retries=2, retry_backoff=30, max_seconds=7200)
    assert answer(world, job_id)["cost"] == {
        "per_hour": "0.40",
        "currency": "EUR",
        "hours": 6.0,
        "at_most": "2.40",
        "so_far": "0.00",
    }
    await world.settle()
    world.clock.pass_by(3600)
    world.engine.end("nlp", job_id, 1)
    await world.settle()
    world.clock.pass_by(3600)  # it waits, and holds nothing
    await world.settle()
    world.clock.pass_by(1800)
    cost = answer(world, job_id)["cost"]
    assert cost == {**PRICE, "hours": 5.0, "at_most": "2.00", "so_far": "0.60"}
    world.engine.end("nlp", f"{job_id}r2", 0)
    await world.settle()
    world.clock.pass_by(3600)
    assert answer(world, job_id)["cost"] == {
        "per_hour": "0.40",
        "currency": "EUR",
        "hours": 1.5,
        "at_most": "0.60",
        "so_far": "0.60",
    }


async def test_each_attempt_tells_what_it_held_and_for_how_long(world: World) -> None:
    job_id = await world.submit(retries=1, retry_backoff=30)
    assert (answer(world, job_id)["attempts"], answer(world, job_id)["history"]) == ([], [])
    await world.settle()
    world.engine.print_line("nlp", job_id, "first try")
    world.clock.pass_by(60)
    world.engine.end("nlp", job_id, 7)
    await world.settle()
    world.clock.pass_by(30)
    await world.settle()
    world.clock.pass_by(5)
    first, second = answer(world, job_id)["attempts"]
    held = [{"resource": "nvidia.com/mig-1g.10gb", "flavor": "h100-80gb", "count": 1}]
    told = ("attempt", "kind", "exit_code", "held_seconds", "devices", "log_size")
    assert [first[name] for name in told] == [1, "retry", 7, 60.0, held, 10]
    assert [second[name] for name in told] == [2, None, None, None, held, None]
    assert (first["starting"] < first["ended"] < second["starting"], second["ended"]) == (True, None)
    assert [entry["attempt"] for entry in answer(world, job_id)["history"]] == [1]


async def test_the_nodes_that_an_attempt_was_seen_on_stay_known(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = await world.submit()
    await world.settle()
    for nodes in (("gpu-2",), ("gpu-1", "gpu-2"), ()):
        run = JobRun(True, "u", JobState.RUNNING, nodes=nodes)

        async def seen(*_: object, run: JobRun = run) -> JobRun:
            return run

        monkeypatch.setattr(world.engine, "get", seen)
        await world.settle()
    assert answer(world, job_id)["attempts"][0]["nodes"] == ["gpu-1", "gpu-2"]
    assert world.job(job_id).spec.profile == MIG


async def test_the_log_of_each_attempt_can_be_read(service: RunningService) -> None:
    async with service.http("ada") as http, service.http("eve") as other:
        job_id = (await http.post("/jobs", json={"command": "true", "profile": MIG, "key": "k"})).json()["id"]
        logs = f"/jobs/{job_id}/logs"
        for line, run_id in (("one", job_id), ("two", f"{job_id}r2")):
            await service.reconciler.settle()
            service.engine.print_line("nlp", run_id, line)
            if run_id == job_id:
                await http.post(f"/jobs/{job_id}/suspend")
                await service.reconciler.settle()
                await http.post(f"/jobs/{job_id}/resume")
        first, present, named = [await http.get(f"{logs}{which}") for which in ("?attempt=1", "", "?attempt=2")]
        assert (first.text, first.headers["X-AIFactory-Log"]) == ("one\n", "stored")
        assert (present.text, named.text, present.headers["X-AIFactory-Log"]) == ("two\n", "two\n", "live")
        later, none = await http.get(f"{logs}?attempt=3"), await http.get(f"{logs}?attempt=0")
        assert (later.status_code, later.json()["reason"], later.json()["field"]) == (404, "unknown-attempt", "attempt")
        assert (none.status_code, none.json()["field"]) == (400, "attempt")
        assert (await other.get(f"{logs}?attempt=1")).status_code == 404
        service.context.jobs.mark_dropped(job_id, "log", now=1.0)
        assert (await http.get(f"{logs}?attempt=1")).status_code == 410


async def test_what_an_earlier_attempt_sent_is_read_until_its_log_is_stored(service: RunningService) -> None:
    async with service.http("ada") as http:
        job_id = (await http.post("/jobs", json={"command": "true", "profile": MIG, "key": "k"})).json()["id"]
        await service.reconciler.settle()
        service.context.spool.append(job_id, 0, b"sent\n")
        jobs = service.context.jobs
        jobs.begin_ending(job_id, EndKind.RETRY, reason="oom", exit_code=1, shown="", now=5.0)
        found = jobs.get(job_id)
        assert found is not None
        jobs.next_attempt(found, Onward(JobState.PENDING, "failed", None), now=9.0)
        assert (await http.get(f"/jobs/{job_id}/logs?attempt=1")).text == "sent\n"
        assert (await http.get(f"/jobs/{job_id}/logs")).text == ""


@pytest.mark.parametrize(("exit_code", "by"), [(None, "ada"), (0, None)], ids=["cancelled", "it had ended by itself"])
async def test_who_cancelled_a_job_is_a_field_of_it(world: World, exit_code: int | None, by: str | None) -> None:
    job_id = await world.submit()
    await world.settle()
    assert answer(world, job_id)["cancelled_by"] is None
    if exit_code is not None:
        world.engine.end("nlp", job_id, exit_code)
    world.service.jobs.ask_cancel(job_id, by="ada", now=world.clock())
    assert answer(world, job_id)["cancelled_by"] == "ada"
    await world.settle()
    assert (answer(world, job_id)["final"], answer(world, job_id)["cancelled_by"]) == (True, by)
