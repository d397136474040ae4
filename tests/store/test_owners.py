"""What belonged to the former owner of an account is not the new one's, in a real SQLite file and a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.store import FileStore, JobFilter, Jobs, Schedule, Schedules, Snapshots
from aifactory_hub.store.models import PackFileRow
from aifactory_hub.store.owners import HANDED_OVER, Owners, former_owner

from ..support.uploads import keep_files
from .test_jobs import make_job

SCHEDULE = Schedule("s1", "nlp", "ada", "k", "d" * 64, {"command": "x"}, "0 3 * * *", "UTC", 1.0, next_at=500.0)


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "files")


@pytest.fixture
def owners(db: Engine, files: FileStore) -> Owners:
    return Owners(db, files)


def owned(jobs: Jobs, owner: str) -> list[str]:
    return [job.id for job in jobs.newest(["nlp", "vision"], limit=100, where=JobFilter(owner=owner))]


def test_a_handover_ends_and_separates_everything_of_the_former_owner(
    db: Engine, jobs: Jobs, owners: Owners, files: FileStore
) -> None:
    snapshots, schedules = Snapshots(db, files), Schedules(db)
    sent = keep_files(snapshots, files, {"train.py": b"print(1)"}, "ada", "nlp", 100.0)
    jobs.add(make_job("live", state=JobState.RUNNING, input_sha256=sent))
    jobs.add(make_job("over", state=JobState.SUCCEEDED, finished_at=5.0))
    jobs.add(make_job("elsewhere", tenant="vision"))
    jobs.add(make_job("bobs", owner="bob"))
    schedules.add(SCHEDULE)
    manifest = files.manifest("nlp", "ada", sent)
    assert files.size(manifest)

    assert sorted(owners.retire("ada", 1, now=200.0)) == ["elsewhere", "live"]

    assert owned(jobs, "ada") == []
    assert owned(jobs, "bob") == ["bobs"]
    assert sorted(owned(jobs, "ada/former-1")) == ["elsewhere", "live", "over"]
    live, over = jobs.get("live"), jobs.get("over")
    assert live is not None and over is not None
    assert (live.cancel_asked_at, live.cancel_asked_by, over.cancel_asked_at) == (200.0, HANDED_OVER, None)
    assert jobs.find_by_key("nlp", "ada", "key-live") is None
    schedule = schedules.get("s1")
    assert schedule is not None
    assert (schedule.owner, schedule.paused, schedule.next_at) == ("ada/former-1", True, None)
    assert schedules.due(now=1e12) == []
    assert snapshots.use("nlp", "ada", sent, now=300.0) is None
    assert files.size(manifest) is None
    with db.connect() as connection:
        assert connection.execute(select(PackFileRow.sha256)).all() == []


def test_a_handover_is_carried_out_once_and_survives_a_kill_in_the_middle(
    db: Engine, jobs: Jobs, owners: Owners, files: FileStore
) -> None:
    snapshots = Snapshots(db, files)
    keep_files(snapshots, files, {"a": b"a"}, "ada", "nlp", 100.0)
    jobs.add(make_job("first"))
    files.delete(owners._sent_files("ada"))  # as far as a process came that was killed
    assert owners.retire("ada", 1, now=200.0) == ["first"]
    jobs.add(make_job("second"))
    assert owners.retire("ada", 1, now=300.0) == []
    assert owned(jobs, "ada") == ["second"]
    assert owners.retire("ada", 3, now=400.0) == ["second"]
    assert owned(jobs, "ada/former-2") == ["second"]
    assert owners.generations() == {"ada": 3}


def test_handed_over_jobs_are_written_to_the_journal_again(jobs: Jobs, owners: Owners) -> None:
    jobs.add(make_job("over", state=JobState.SUCCEEDED, finished_at=5.0))
    before = jobs.get("over")
    owners.retire("ada", 1, now=200.0)
    after = jobs.get("over")
    assert before is not None and after is not None
    assert after.owner == "ada/former-1"
    with jobs.db.connect() as connection:
        revision, journaled = connection.exec_driver_sql("select revision, journaled from jobs").one()
    assert revision > journaled


def test_former_owners_of_long_names_stay_apart_and_fit_the_column() -> None:
    names = ["k" * 255, "k" * 254 + "m", "k" * 240]
    former = [former_owner(name, generation) for name in names for generation in (0, 9)]
    assert len(set(former)) == len(former)
    assert all(len(name) <= 255 and "/" in name for name in former)


def test_since_when_owners_have_left_is_kept(owners: Owners) -> None:
    owners.set_leaving({("ada", "nlp"): 7.0, ("bob", "nlp"): 8.0})
    owners.set_leaving({("ada", "nlp"): 7.0, ("ada", "vision"): 9.0})
    assert owners.leaving() == {("ada", "nlp"): 7.0, ("ada", "vision"): 9.0}
    owners.retire("ada", 1, now=10.0)
    assert owners.leaving() == {}
