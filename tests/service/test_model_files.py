"""Files that versions refer to are never removed, whoever removes files: the trap in which models are lost."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.service.models.registrar import Wish
from aifactory_hub.store import Artifact
from aifactory_hub.store.room import held_bytes

from ..support.models import MODEL, give_back
from .world import World

DAY = 86400.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    world.registry = replace(world.registry, jobs=replace(world.registry.jobs, keep_artifacts=3 * 86400))
    world.restart()
    yield world
    world.close()


async def ended(world: World, key: str = "k") -> str:
    job = await world.submit(key)
    await world.settle()
    give_back(world.service, job, MODEL)
    world.engine.end("nlp", job, 0)
    await world.settle()
    assert world.job(job).state is JobState.SUCCEEDED
    return job


def register(world: World, job: str, files: str = "model/") -> str:
    """The problem, empty where there was none."""
    desk, record = world.service.models, world.job(job)
    draught = desk.registration.registrar.plan(Wish(record, "fraud", files, "", "ada"))
    if isinstance(draught, Refusal):
        return draught.message
    added = desk.registration.registrar.register(draught, desk.facts_of_job(record, record.attempt))
    return added.message if isinstance(added, Refusal) else ""


def kept(world: World, job: str) -> list[str]:
    files = world.service.files
    return sorted(name for name in MODEL if files.size(files.artifact(job, name)) is not None)


async def retain(world: World, days: float) -> None:
    world.clock.pass_by(days * DAY)
    await world.service.periodic_tasks.calls["retention"][1]()
    await world.service.reconciler.sweep()


async def test_time_takes_all_but_what_versions_refer_to(world: World) -> None:
    job, other = await ended(world), await ended(world, "other")
    assert register(world, job) == ""
    await retain(world, 2)
    assert (kept(world, job), kept(world, other)) == (sorted(MODEL), sorted(MODEL))
    await retain(world, 2)
    assert kept(world, job) == ["model/config.json", "model/weights.safetensors"]
    assert kept(world, other) == []
    # Again, and in a new process.
    world.restart()
    await retain(world, 400)
    assert kept(world, job) == ["model/config.json", "model/weights.safetensors"]
    assert "not kept any more" in register(world, job, "report.txt")


async def test_files_of_a_job_that_the_database_lost_stay_with_their_version(world: World) -> None:
    jobs = [await ended(world, key) for key in ("a", "b", "c")]
    assert register(world, jobs[0]) == ""
    with world.service.jobs.db.begin() as connection:
        connection.execute(text("PRAGMA foreign_keys=OFF"))
        for table, column in (("artifacts", "job_id"), ("attempts", "job_id"), ("jobs", "id")):
            connection.execute(text(f"DELETE FROM {table} WHERE {column} IN (:a, :b)"), {"a": jobs[0], "b": jobs[1]})  # noqa: S608
    import time

    world.clock.now = time.time() + 2 * DAY
    world.service.reconciler._sweeper._sweep_lost(world.clock.now)
    assert kept(world, jobs[0]) == sorted(MODEL)
    assert kept(world, jobs[1]) == []


async def test_whoever_comes_first_while_files_are_removed_and_registered(world: World) -> None:
    """Many times at once: either the version is refused, or all of its files are there."""
    outcomes = set()
    for number in range(30):
        job = await ended(world, f"k{number}")
        start = threading.Barrier(2)

        def drop(job: str = job, start: threading.Barrier = start) -> None:
            start.wait()
            world.service.job_files.drop(job, "artifacts", now=world.clock.now)

        thread = threading.Thread(target=drop)
        thread.start()
        start.wait()
        problem = register(world, job)
        thread.join()
        outcomes.add(problem == "")
        expected = [] if problem else ["model/config.json", "model/weights.safetensors"]
        assert kept(world, job) == expected, problem
    assert outcomes  # which of both it was depends on the machine


async def test_a_registration_that_planned_before_the_files_went_is_refused(world: World) -> None:
    job = await ended(world)
    desk, record = world.service.models, world.job(job)
    draught = desk.registration.registrar.plan(Wish(record, "fraud", "model/", "", "ada"))
    assert not isinstance(draught, Refusal)
    world.service.job_files.drop(job, "artifacts", now=world.clock.now)
    added = desk.registration.registrar.register(draught, desk.facts_of_job(record, 1))
    assert isinstance(added, Refusal)
    assert desk.registry.find("nlp", "fraud") is None


async def test_a_restored_database_takes_models_from_the_journal(world: World) -> None:
    job = await ended(world)
    assert register(world, job) == ""
    await world.service.periodic_tasks.calls["journal of models"][1]()
    with world.service.jobs.db.begin() as connection:
        for table in ("statements", "model_versions"):
            connection.execute(text(f"DROP TRIGGER {table}_no_removal"))
        for table in ("statements", "model_versions", "models", "signing_keys"):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608
    service = world.restart()
    model = service.models.registry.find("nlp", "fraud")
    assert model is not None
    version = service.models.registry.of_number(model.id, 1)
    assert version is not None
    assert service.models.checks.look(model, version).ok


async def test_a_file_is_registered_as_its_runner_sent_it(world: World) -> None:
    """A record whose size is not that of the file is no base for a version."""
    job = await ended(world)
    world.service.jobs.put_artifact(job, Artifact("model/config.json", 99, "c" * 64, 1.0))
    assert "not kept any more" in register(world, job)


async def test_what_a_version_keeps_counts_for_its_job_s_owner(world: World) -> None:
    job = await ended(world)
    room = world.service.room
    before = held_bytes(world.service.jobs.db)["nlp", "ada"]
    assert register(world, job) == ""
    assert held_bytes(world.service.jobs.db)["nlp", "ada"] == before
    world.service.job_files.drop(job, "artifacts", now=world.clock.now)
    after = held_bytes(world.service.jobs.db)["nlp", "ada"]
    kept_bytes = sum(len(content) for name, content in MODEL.items() if name.startswith("model/"))
    assert (after.get("artifacts", 0), after["models"]) == (0, kept_bytes)
    await room.recount()
