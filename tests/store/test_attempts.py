"""Attempts in a real SQLite file and a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine, event, select

from aifactory_hub.domain.attempts import Attempt
from aifactory_hub.domain.jobs import EndKind, JobState, Onward
from aifactory_hub.store import FileStore, JobRecord, Jobs, Journal
from aifactory_hub.store.models import AttemptRow
from aifactory_profiles import Device

from .test_jobs import make_job

DEVICES = {Device("h100-80gb", "nvidia.com/mig-1g.10gb"): 2}
AGAIN = Onward(JobState.PENDING, "failed: oom", 90.0)


def run_twice(jobs: Jobs) -> JobRecord:
    """A job whose first attempt fails and whose second one succeeds."""
    job = jobs.add(make_job(max_retries=1))
    jobs.set_state("j1", JobState.QUEUED, "full", now=10.0)
    jobs.set_state("j1", JobState.STARTING, None, devices=DEVICES, now=20.0)
    jobs.attempts.intend_run("j1", 1, token_hash="a" * 64, now=21.0)
    jobs.attempts.confirm_run("j1", 1, uid="u1", now=22.0)
    jobs.attempts.set_run("j1", 1, steps=[{"name": "node 0"}], nodes=["gpu-1"])
    jobs.set_state("j1", JobState.RUNNING, None, now=30.0)
    jobs.attempts.record_progress("j1", 1, percent=0.0, eta=None, metrics={"loss": 1.5}, now=31.0)
    jobs.attempts.record_report("j1", 1, {"exit_code": 7})
    jobs.begin_ending("j1", EndKind.RETRY, reason="oom", exit_code=7, shown="ending attempt 1: oom", now=50.0)
    jobs.attempts.record_log("j1", 1, size=9, sha256="b" * 64)
    jobs.next_attempt(job, AGAIN, now=9.0)
    jobs.set_state("j1", JobState.STARTING, None, now=100.0)
    jobs.attempts.record_log("j1", 2, size=5, sha256="c" * 64)
    jobs.finish("j1", JobState.SUCCEEDED, reason=None, exit_code=0, now=160.0)
    found = jobs.get("j1")
    assert found is not None
    return found


FIRST = Attempt(
    1,
    queued_at=10.0,
    starting_at=20.0,
    running_at=30.0,
    ended_at=50.0,
    kind=EndKind.RETRY,
    reason="oom",
    exit_code=7,
    nodes=("gpu-1",),
    devices=DEVICES,
    token_hash="a" * 64,
    run_intended_at=21.0,
    run_created_at=22.0,
    run_uid="u1",
    steps=({"name": "node 0"},),
    progress_percent=0.0,
    metrics={"loss": 1.5},
    progress_at=31.0,
    report={"exit_code": 7},
    log_size=9,
    log_sha256="b" * 64,
)
SECOND = Attempt(2, starting_at=100.0, ended_at=160.0, exit_code=0, log_size=5, log_sha256="c" * 64)


def test_each_attempt_keeps_what_happened_in_it(jobs: Jobs) -> None:
    job = run_twice(jobs)
    assert job.attempts == (FIRST, SECOND)
    assert (job.current, job.earlier, job.of_number(3)) == (SECOND, (FIRST,), None)
    assert (job.attempt, job.retries_used, job.preemptions, job.exit_code) == (2, 1, 0, 0)
    assert jobs.newest(["nlp"], limit=9) == jobs.some(["j1"]) == [job]


def test_an_attempt_has_no_row_before_something_happens_in_it(db: Engine, jobs: Jobs) -> None:
    written: list[str] = []
    event.listen(db, "before_cursor_execute", lambda *told: written.append(told[2].split()[2]))
    job = jobs.add(make_job())
    assert written == ["jobs", "job_events"]
    assert (job.attempts, job.current) == ((), Attempt(1))
    jobs.finish("j1", JobState.CANCELLED, reason="cancelled by ada", exit_code=None, now=5.0)
    with db.connect() as connection:
        assert connection.execute(select(AttemptRow)).all() == []


def test_an_attempt_ends_once_and_the_next_one_begins_once(jobs: Jobs) -> None:
    job = jobs.add(make_job())
    for reason, now in (("first", 5.0), ("second", 6.0)):
        jobs.begin_ending("j1", EndKind.PREEMPTED, reason=reason, exit_code=None, shown=reason, now=now)
    found = jobs.get("j1")
    assert found is not None
    assert (found.reason, found.current.reason, found.current.ended_at) == ("first", "first", 5.0)
    for _ in range(2):
        jobs.next_attempt(job, AGAIN, now=9.0)
    found = jobs.get("j1")
    assert found is not None
    assert (found.attempt, found.preemptions, found.current.kind, found.reason) == (2, 1, None, "failed: oom")


def test_what_comes_late_goes_to_the_attempt_that_it_is_of(jobs: Jobs) -> None:
    job = jobs.add(make_job())
    jobs.begin_ending("j1", EndKind.RETRY, reason="oom", exit_code=1, shown="", now=5.0)
    jobs.next_attempt(job, AGAIN, now=9.0)
    jobs.attempts.record_log("j1", 1, size=9, sha256="b" * 64)
    found = jobs.get("j1")
    assert found is not None
    assert ([each.log_size for each in found.earlier], found.current.log_size) == ([9], None)


def test_an_attempt_of_an_ended_job_starts_no_run(jobs: Jobs) -> None:
    jobs.add(make_job())
    jobs.finish("j1", JobState.CANCELLED, reason=None, exit_code=None, now=5.0)
    jobs.attempts.intend_run("j1", 1, token_hash="a" * 64, now=6.0)
    found = jobs.get("j1")
    assert found is not None
    assert found.attempts == ()


@pytest.mark.parametrize("change", ["record_log", "next_attempt"])
def test_the_journal_hears_of_every_change_of_an_attempt(
    db: Engine, jobs: Jobs, tmp_path_factory: pytest.TempPathFactory, change: str
) -> None:
    job = jobs.add(make_job())
    journal = Journal(db, FileStore(tmp_path_factory.mktemp("files")))
    journal.flush()
    if change == "record_log":
        jobs.attempts.record_log("j1", 1, size=9, sha256="b" * 64)
    else:
        jobs.next_attempt(job, AGAIN, now=9.0)
    assert (journal.flush(), journal.flush()) == (1, 0)


def test_a_job_that_is_read_back_from_the_journal_has_its_attempts(
    db: Engine, jobs: Jobs, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = FileStore(tmp_path_factory.mktemp("files"))
    job = run_twice(jobs)
    Journal(db, files).flush()
    with db.begin() as connection:
        for table in ("attempts", "jobs", "marks"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - our own words
    assert Journal(db, files).recover() == 1
    assert jobs.get("j1") == replace(job, revision=job.revision)
