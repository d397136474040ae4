"""What the local engine does beyond the contract that all engines share."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aifactory_hub.domain.jobs import JobRun, JobState
from aifactory_hub.engines.base import RunSpec
from aifactory_hub.engines.local import LocalEngine
from aifactory_hub.engines.process_tree import alive, family, kill, processes
from aifactory_profiles import Resources


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[LocalEngine]:
    made = LocalEngine(tmp_path / "runs", grace=1.0)
    yield made
    await made.close()


def spec(script: str, **changes: object) -> RunSpec:
    values: dict[str, object] = {
        "tenant": "nlp",
        "run_id": "j1",
        "image": "any",
        "argv": ("sh", "-c", script),
        "environment": {},
        "secret_files": {"token": "very-secret"},
        "requests": Resources(100, 2**20),
        "limits": Resources(100, 2**20),
    }
    return RunSpec(**{**values, **changes})  # type: ignore[arg-type]


def found(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


async def until_final(engine: LocalEngine) -> JobRun:
    async with asyncio.timeout(20):
        while not (run := await engine.get("nlp", "j1")).state.final:
            await asyncio.sleep(0.05)
    return run


async def until_gone(engine: LocalEngine) -> None:
    async with asyncio.timeout(20):
        while not await engine.pods_gone("nlp", "j1"):
            await asyncio.sleep(0.05)


async def test_a_run_of_a_demo_that_was_killed_says_why_it_is_gone(tmp_path: Path) -> None:
    run = await LocalEngine(tmp_path / "runs").get("nlp", "j1")
    assert not run.exists
    assert run.reason is not None and run.reason.startswith("the demo ended, or was killed, while it ran")


async def test_only_the_owner_can_read_a_runs_secrets(engine: LocalEngine, tmp_path: Path) -> None:
    await engine.create(spec("sleep 30"))
    (folder,) = found(tmp_path, "runs/*/secrets")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_the_hubs_secrets_are_not_in_a_runs_environment(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "hub-secret")
    await engine.create(spec("env"))
    await until_final(engine)
    printed = await engine.logs("nlp", "j1", limit_bytes=100_000)
    assert "hub-secret" not in printed and "very-secret" not in printed


async def test_a_deadline_that_passes_is_named_as_the_reason(engine: LocalEngine) -> None:
    await engine.create(spec("sleep 30", deadline_seconds=1))
    run = await until_final(engine)
    assert (run.state, run.reason) == (JobState.FAILED, "it ran longer than jobs may (DeadlineExceeded)")


async def test_what_ignores_the_signal_and_what_it_left_in_another_session_is_killed(
    engine: LocalEngine, tmp_path: Path
) -> None:
    child = f"{sys.executable} -c 'import os, time; os.setsid(); time.sleep(300)' & echo up; "
    created = await engine.create(spec("trap '' TERM; " + child + "while true; do sleep 0.1; done"))
    async with asyncio.timeout(20):
        while "up" not in await engine.logs("nlp", "j1", limit_bytes=100):
            await asyncio.sleep(0.05)
    members = family(int(str(created.pod).split()[1]), processes())
    assert len(members) >= 2
    await engine.delete("nlp", "j1")
    assert not await engine.pods_gone("nlp", "j1")
    await until_gone(engine)
    assert alive(members) == []
    await asyncio.sleep(0)
    assert not found(tmp_path, "runs/*")


async def test_closing_leaves_nothing_behind(tmp_path: Path) -> None:
    engine = LocalEngine(tmp_path, grace=30)
    created = await engine.create(spec("sleep 300 & sleep 300"))
    members = family(int(str(created.pod).split()[1]), processes())
    await engine.close()
    assert members and alive(members) == []


def test_a_process_that_took_over_an_id_is_not_taken_for_the_old_one() -> None:
    process = subprocess.Popen(["sleep", "30"])
    try:
        (found,) = family(process.pid, processes())
        impostor = type(found)(found.pid, found.parent, "another time")
        assert alive([found]) == [found]
        kill([impostor])
        assert alive([impostor]) == [] and process.poll() is None
    finally:
        process.kill()
        process.wait()
