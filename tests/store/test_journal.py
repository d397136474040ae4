"""A database that was restored from a backup is made whole from the journal."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.store import Artifact, DatabaseReplaced, FileStore, Jobs, Journal, Lease, LeaseLost, LeaseTaken

from .test_jobs import make_job


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "files")


def empty(db: Engine) -> None:
    """As a backup from before the first job was taken in."""
    with db.begin() as connection:
        for table in ("artifacts", "attempts", "deliveries", "jobs", "marks"):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own words


def backup(db: Engine) -> Callable[[], None]:
    """Keeps the tables as they are now; call it to bring them back."""
    tables = ("jobs", "attempts", "artifacts", "marks")
    with db.begin() as connection:
        for table in tables:
            connection.execute(text(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}"))  # noqa: S608

    def restore() -> None:
        empty(db)
        with db.begin() as connection:
            for table in tables:
                connection.execute(text(f"INSERT INTO {table} SELECT * FROM kept_{table}"))  # noqa: S608

    return restore


def test_what_was_taken_in_and_ended_since_the_backup_comes_back(db: Engine, jobs: Jobs, files: FileStore) -> None:
    journal = Journal(db, files)
    jobs.add(make_job("j1"))
    jobs.add(make_job("j2"))
    assert journal.flush() == 2
    restore = backup(db)
    jobs.finish("j1", JobState.SUCCEEDED, reason=None, exit_code=0, now=5.0)
    jobs.put_artifact("j1", Artifact("model.bin", 7, "c" * 64, 4.0))
    jobs.add(make_job("j3", environment={"SECRET": "x"}, source={"kind": "command"}))
    journal.flush()
    jobs.set_state("j3", JobState.QUEUED, "full", now=6.0)
    journal.flush()
    before = {job_id: jobs.get(job_id) for job_id in ("j1", "j2", "j3")}
    restore()
    assert jobs.get("j3") is None
    again = Journal(db, files)
    assert again.recover() == 2
    assert {job_id: jobs.get(job_id) for job_id in before} == before
    assert [a.name for a in jobs.artifacts("j1")] == ["model.bin"]
    # A client that asks again with its key meets the job that was acknowledged.
    assert jobs.add(make_job("j9", key="key-j3")).id == "j3"
    assert again.flush() == 0
    jobs.set_state("j2", JobState.RUNNING, None, now=7.0)
    assert again.flush() == 1
    assert Journal(db, files).recover() == 0


def test_a_lost_database_comes_back_whole(
    db: Engine, jobs: Jobs, files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(db, files)
    monkeypatch.setattr("aifactory_hub.store.journal._BATCH", 10)
    for n in range(25):
        jobs.add(make_job(f"j{n}"))
    assert journal.flush() == 25
    assert len(files.journal_numbers()) == 3
    empty(db)
    assert Journal(db, files).recover() == 25
    assert len(jobs.live()) == 25


def test_a_kill_between_the_batch_and_the_note_of_it_changes_nothing(
    db: Engine, jobs: Jobs, files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.add(make_job("j1"))
    journal = Journal(db, files)
    with monkeypatch.context() as killed:
        killed.setattr("aifactory_hub.store.journal._note", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            journal.flush()
    jobs.set_state("j1", JobState.RUNNING, None, now=1.0)
    again = Journal(db, files)
    assert again.recover() == 0
    found = jobs.get("j1")
    assert found is not None
    assert found.state is JobState.RUNNING
    assert again.flush() == 1


def test_a_database_that_is_replaced_under_a_running_process_is_noticed(
    db: Engine, jobs: Jobs, files: FileStore
) -> None:
    journal = Journal(db, files)
    jobs.add(make_job("j1"))
    journal.flush()
    empty(db)
    with pytest.raises(DatabaseReplaced):
        journal.flush()


def test_old_batches_go_but_never_the_last(db: Engine, jobs: Jobs, files: FileStore, tmp_path: Path) -> None:
    journal = Journal(db, files)
    for n in range(3):
        jobs.add(make_job(f"j{n}"))
        journal.flush()
    for path in (tmp_path / "files" / "journal").iterdir():
        os.utime(path, (1000.0, 1000.0))
    assert files.journal_drop(older_than=2000.0) == 2
    assert files.journal_numbers() == [3]


def test_the_journal_is_for_the_service_s_eyes_only(db: Engine, jobs: Jobs, files: FileStore, tmp_path: Path) -> None:
    jobs.add(make_job("j1"))
    Journal(db, files).flush()
    assert (tmp_path / "files" / "journal").stat().st_mode & 0o077 == 0


def test_only_one_process_works_with_a_database(open_it: Callable[[], Engine]) -> None:
    first, second = Lease(open_it()), Lease(open_it())
    first.acquire(timeout=0)
    first.check()
    with pytest.raises(LeaseTaken) as taken:
        second.acquire(timeout=0)
    assert "another process" in str(taken.value)
    assert "password" not in str(taken.value)
    with pytest.raises(LeaseLost):
        second.check()
    first.release()
    second.acquire(timeout=5)
    second.check()
    second.release()


def test_a_lock_that_the_database_let_go_of_is_noticed(open_it: Callable[[], Engine]) -> None:
    db = open_it()
    if db.dialect.name == "sqlite":
        return  # a lock on a file ends with the process, not before
    lease = Lease(db)
    lease.acquire(timeout=0)
    with open_it().connect() as other:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        other.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))  # noqa: S608
    with pytest.raises(LeaseLost):
        lease.check()
    lease.release()
