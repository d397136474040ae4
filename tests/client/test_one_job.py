"""A job from submit to its files, with the real client, service and runner."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path

import pytest

from aifactory_hub.client import Job, Refused, SubmitRefused, UnknownJob, get, jobs, quota, submit
from aifactory_hub.client.session import Account, Session

from ..support.job_service import RunningService
from ..support.local_runs import LocalRuns

COMMAND = "python3 train.py"


async def test_a_job_runs_and_gives_its_log_and_files_back(
    service: RunningService, session: Session, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def day() -> None:
        job = submit(COMMAND, profile="mig-1g.10gb", files=work, session=session)
        assert job.wait(30, poll=0.05) == "SUCCEEDED"
        assert job.exit_code == 0
        assert "accuracy 0.97" in job.logs()
        assert list(job.artifacts) == ["model.bin"]
        model = job.artifacts["model.bin"]
        assert model.read() == b"weights" * 100
        assert model.sha256 == hashlib.sha256(b"weights" * 100).hexdigest()
        saved = model.save(tmp_path / "out" / "model.bin")
        assert saved.read_bytes() == b"weights" * 100

    await asyncio.to_thread(day)
    assert "SUCCEEDED" in capsys.readouterr().out
    await service.reconciler.settle()
    assert await service.admission.tickets("nlp") == []
    assert len(service.engine.created) == 1


async def test_the_files_of_an_ended_job_are_removed_on_request(
    service: RunningService, session: Session, work: Path
) -> None:
    job = await asyncio.to_thread(submit, COMMAND, profile="mig-1g.10gb", files=work, session=session)
    assert await asyncio.to_thread(job.wait, 30, poll=0.05) == "SUCCEEDED"
    await service.reconciler.settle()
    assert (await asyncio.to_thread(job.remove_files)).state == "SUCCEEDED"
    artifact = (await asyncio.to_thread(lambda: job.artifacts))["model.bin"]
    with pytest.raises(Refused, match="is not kept any more"):
        await asyncio.to_thread(artifact.read)


async def test_a_failing_command_gives_a_failed_job_with_its_exit_code(
    service: RunningService, session: Session
) -> None:
    def day() -> None:
        job = submit("echo before; exit 3", profile="mig-1g.10gb", files=None, session=session, wait=True)
        assert (job.state, job.exit_code) == ("FAILED", 3)
        assert job.reason == "the command ended with exit code 3"
        assert job.logs() == "before\n"

    await asyncio.to_thread(day)


async def test_the_same_key_makes_one_job(service: RunningService, session: Session, work: Path) -> None:
    def day() -> None:
        first = submit(COMMAND, profile="mig-1g.10gb", files=work, idempotency_key="k", session=session)
        again = submit(COMMAND, profile="mig-1g.10gb", files=work, idempotency_key="k", session=session)
        assert first.id == again.id
        with pytest.raises(SubmitRefused) as refused:
            submit("other", profile="mig-1g.10gb", files=work, idempotency_key="k", session=session)
        assert (refused.value.reason, refused.value.field) == ("idempotency-conflict", "key")
        first.wait(30, progress=False, poll=0.05)

    await asyncio.to_thread(day)
    assert len(service.engine.created) == 1


async def test_a_job_waits_for_quota_says_so_and_starts_when_there_is_room(
    service: RunningService, session: Session, runs: LocalRuns
) -> None:
    def day() -> None:
        long = [submit("sleep 60", profile="mig-1g.10gb", files=None, session=session) for _ in range(2)]
        waiting = submit("echo hello", profile="mig-1g.10gb", files=None, session=session)
        for job in long:
            _until(job, "RUNNING")
        _until(waiting, "QUEUED")
        assert waiting.refresh().position == 0
        assert quota(session=session)["devices"][0]["used"] == 2
        long[0].cancel()
        assert long[0].wait(30, progress=False, poll=0.05) == "CANCELLED"
        assert long[0].reason == "cancelled by ada"
        assert waiting.wait(30, progress=False, poll=0.05) == "SUCCEEDED"
        long[1].cancel()
        long[1].wait(30, progress=False, poll=0.05)
        assert [job.state for job in jobs.list(session=session)] == ["SUCCEEDED", "CANCELLED", "CANCELLED"]

    await asyncio.to_thread(day)


async def test_another_teams_job_is_as_unknown_as_none(service: RunningService, session: Session) -> None:
    def day() -> None:
        job = submit("true", profile="mig-1g.10gb", files=None, session=session)
        other = Session(Account(service.url.rstrip("/"), "eve-token"))
        try:
            for job_id in (job.id, "j000000000000"):
                with pytest.raises(UnknownJob) as refused:
                    get(job_id, session=other)
                assert refused.value.message == f"There is no job '{job_id}' in your teams."
            assert jobs.list(session=other) == []
        finally:
            other.close()
        job.wait(30, progress=False, poll=0.05)

    await asyncio.to_thread(day)


async def test_a_command_gets_its_environment_and_not_the_runners(service: RunningService, session: Session) -> None:
    def day() -> None:
        command = "echo color=$COLOR job=$AIFACTORY_JOB_ID; env | grep -o '^AIFACTORY_[A-Z_]*' | sort"
        job = submit(command, profile="mig-1g.10gb", files=None, env={"COLOR": "red"}, session=session, wait=True)
        its_own = ["AIFACTORY_ATTEMPT", "AIFACTORY_CHECKPOINTS", "AIFACTORY_JOB_ID", "AIFACTORY_MODELS"]
        its_own.append("AIFACTORY_REASON_FILE")
        assert job.logs() == "\n".join([f"color=red job={job.id}", *its_own, ""])

    await asyncio.to_thread(day)


def _until(job: Job, state: str) -> None:
    end = time.monotonic() + 20
    while job.refresh().state != state:
        assert time.monotonic() < end, job
        time.sleep(0.05)
