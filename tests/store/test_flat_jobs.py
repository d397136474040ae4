"""Jobs of before attempts had rows of their own: in databases that are brought up to date, and in old journals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy import Engine

from aifactory_hub.domain.attempts import Attempt
from aifactory_hub.domain.jobs import EndKind, JobState
from aifactory_hub.store import Artifact, FileStore, JobRecord, Jobs, Journal, migrate
from aifactory_hub.store.database import altering, migrations

ASKED: dict[str, Any] = {
    "tenant": "nlp",
    "owner": "ada",
    "name": "train",
    "command": "python train.py",
    "profile": "mig-1g.10gb",
    "request_digest": "d" * 64,
    "environment": {"A": "1"},
    "outputs": None,
    "input_sha256": None,
    "input_size": 0,
    "backend": "kubernetes-job",
    "priority": "normal",
    "max_retries": 3,
    "retry_backoff": 30.0,
    "notify": [],
    "nodes": 1,
    "parameters": {},
    "search": "train",
    "submitted_at": 1.0,
    "revision": 7,
    "journaled": 7,
}
FRESH: dict[str, Any] = {
    "state": "PENDING",
    "attempt": 1,
    "retries_used": 0,
    "preemptions": 0,
    "history": [],
    "steps": [],
}
EARLIER: list[dict[str, Any]] = [
    {
        "attempt": 1,
        "kind": "retry",
        "reason": "oom",
        "exit_code": 137,
        "running_at": 10.0,
        "ended_at": 60.0,
        "log_size": 9,
    },
    {
        "attempt": 2,
        "kind": "preempted",
        "reason": None,
        "exit_code": None,
        "running_at": None,
        "ended_at": 70.0,
        "log_size": None,
    },
]
RUN: dict[str, Any] = {
    "token_hash": "a" * 64,
    "run_intended_at": 81.0,
    "run_created_at": 82.0,
    "run_uid": "u3",
    "queued_at": 75.0,
    "starting_at": 80.0,
    "running_at": 90.0,
    "progress_percent": 0.0,
    "eta_seconds": 5.0,
    "metrics": {"loss": 0.5},
    "progress_at": 95.0,
    "steps": [{"name": "node 0", "state": "RUNNING"}],
}
LOG: dict[str, Any] = {"log_size": 0, "log_sha256": "b" * 64, "report": {"exit_code": 0, "left": {}}}
THIRD: dict[str, Any] = {"attempt": 3, "retries_used": 1, "preemptions": 1, "history": EARLIER}
OLD: dict[str, dict[str, Any]] = {
    "new": {},
    "queued": {"state": "QUEUED", "queued_at": 5.0},
    "held": {**THIRD, "state": "SUSPENDED"},
    "running": {**THIRD, **RUN, "state": "RUNNING"},
    "ending": {**RUN, "state": "RUNNING", "ending": {"kind": "retry", "reason": "oom", "exit_code": 1, "at": 99.0}},
    "over": {
        **THIRD,
        **RUN,
        **LOG,
        "state": "FAILED",
        "reason": "bad",
        "exit_code": 3,
        "finished_at": 100.0,
        "cleaned_at": 101.0,
    },
    "never": {"state": "CANCELLED", "reason": "cancelled by ada", "finished_at": 8.0, "cleaned_at": 8.0},
}
FIRST_TWO = (
    Attempt(1, running_at=10.0, ended_at=60.0, kind=EndKind.RETRY, reason="oom", exit_code=137, log_size=9),
    Attempt(2, ended_at=70.0, kind=EndKind.PREEMPTED),
)
PRESENT: dict[str, Any] = {**RUN, "steps": tuple(RUN["steps"])}
EXPECTED: dict[str, tuple[Attempt, ...]] = {
    "new": (),
    "queued": (Attempt(1, queued_at=5.0),),
    "held": FIRST_TWO,
    "running": (*FIRST_TWO, Attempt(3, **PRESENT)),
    "ending": (Attempt(1, **PRESENT, kind=EndKind.RETRY, reason="oom", exit_code=1, ended_at=99.0),),
    "over": (*FIRST_TWO, Attempt(3, **PRESENT, **LOG, reason="bad", exit_code=3, ended_at=100.0)),
    "never": (),
}


def flat(job_id: str) -> dict[str, Any]:
    """A job in the old form."""
    return {**ASKED, **FRESH, **OLD[job_id], "id": job_id, "key": job_id}


@pytest.fixture
def old(open_it: Callable[[], Engine]) -> Engine:
    """A database of the version before, with jobs in all states and an artifact of one."""
    db = open_it()
    with altering(db) as connection:
        command.upgrade(migrations(connection), "0008")
    table = sa.Table("jobs", sa.MetaData(), autoload_with=db)
    with db.begin() as connection:
        for job_id in OLD:
            connection.execute(sa.insert(table).values(**flat(job_id)))
        connection.exec_driver_sql("INSERT INTO artifacts VALUES ('over', 'model.bin', 7, 'c', 4.0)")
        connection.exec_driver_sql(
            "INSERT INTO deliveries (id, job_id, event, url, body, created_at, tries) "
            "VALUES ('d1', 'over', 'job.failed', 'https://x', '{}', 1.0, 0)"
        )
    return db


def found(db: Engine) -> dict[str, JobRecord]:
    return {job.id: job for job in Jobs(db).some(list(OLD))}


def test_what_old_jobs_say_of_their_attempts_moves_into_rows(old: Engine) -> None:
    migrate(old)
    jobs = found(old)
    assert {job_id: job.attempts for job_id, job in jobs.items()} == EXPECTED
    over, spec = jobs["over"], jobs["over"].spec
    assert (over.state, over.reason, over.exit_code, over.finished_at) == (JobState.FAILED, "bad", 3, 100.0)
    assert (over.attempt, over.retries_used, over.preemptions, over.revision) == (3, 1, 1, 7)
    assert (spec.command, spec.environment, spec.max_retries) == ("python train.py", {"A": "1"}, 3)
    assert Jobs(old).artifacts("over") == [Artifact("model.bin", 7, "c", 4.0)]
    with old.connect() as connection:
        assert connection.exec_driver_sql("SELECT job_id FROM deliveries").scalars().all() == ["over"]


def test_of_many_jobs_none_is_left_out(old: Engine) -> None:
    table = sa.Table("jobs", sa.MetaData(), autoload_with=old)
    many = [{**flat("queued"), "id": f"q{number}", "key": f"q{number}"} for number in range(1100)]
    with old.begin() as connection:
        connection.execute(sa.insert(table), many)
    migrate(old)
    jobs = Jobs(old).some([job["id"] for job in many])
    assert [job.attempts for job in jobs] == [EXPECTED["queued"]] * 1100


def test_the_indexes_of_jobs_are_what_they_were(old: Engine) -> None:
    before = {index["name"] for index in sa.inspect(old).get_indexes("jobs")}
    migrate(old)
    after = {index["name"]: index for index in sa.inspect(old).get_indexes("jobs")}
    assert before - {*after} == {"ix_jobs_logs", "ix_jobs_retried"}
    options = after["ix_jobs_news"]["dialect_options"]
    assert "journaled" in str(options.get(f"{old.dialect.name}_where"))


def test_jobs_that_refer_to_it_go_with_a_job_as_before(old: Engine) -> None:
    migrate(old)
    with old.begin() as connection:
        connection.exec_driver_sql("DELETE FROM jobs WHERE id = 'over'")
        for table in ("attempts", "artifacts", "deliveries"):
            rows = connection.exec_driver_sql(f"SELECT job_id FROM {table}").scalars().all()  # noqa: S608
            assert "over" not in rows


def test_a_migration_that_is_killed_in_the_middle_leaves_everything_as_it_was(
    old: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr("aifactory_hub.store.flat_jobs.attempts_of_flat", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            migrate(old)
    assert not sa.inspect(old).has_table("attempts")
    migrate(old)
    assert {job_id: job.attempts for job_id, job in found(old).items()} == EXPECTED


def test_the_way_back_keeps_what_the_old_form_has_room_for(old: Engine) -> None:
    table = sa.Table("jobs", sa.MetaData(), autoload_with=old)
    query = sa.select(table).order_by(table.c.id)
    with old.connect() as connection:
        before = connection.execute(query).mappings().all()
    migrate(old)
    with altering(old) as connection:
        command.downgrade(migrations(connection), "0008")
    with old.connect() as connection:
        assert connection.execute(query).mappings().all() == before
        assert connection.exec_driver_sql("SELECT name FROM artifacts").scalars().all() == ["model.bin"]
    migrate(old)
    assert {job_id: job.attempts for job_id, job in found(old).items()} == EXPECTED


def test_a_journal_of_the_old_form_is_read_back(db: Engine, tmp_path: Path) -> None:
    files = FileStore(tmp_path / "files")
    lines = "".join(json.dumps({"job": flat(job_id), "artifacts": []}) + "\n" for job_id in OLD)
    files.journal_write(1, lines.encode())
    assert Journal(db, files).recover() == len(OLD)
    assert {job_id: job.attempts for job_id, job in found(db).items()} == EXPECTED
