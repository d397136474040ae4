"""Attempts of jobs as rows of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from aifactory_hub.store.flat_jobs import PRESENT, attempts_of_flat

revision = "0009"
down_revision = "0008"

_AT_ONCE = 500
_LOGS = sa.text("log_size IS NOT NULL")
_OLD_LOGS = sa.text("log_size IS NOT NULL AND log_dropped_at IS NULL")
_OLD_RETRIED = sa.text("attempt > 1 AND log_dropped_at IS NULL")


def upgrade() -> None:
    """What jobs say of their attempts moves into the new table, a few hundred jobs at a time."""
    op.create_table(
        "attempts",
        sa.Column("job_id", sa.String(40), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        *_attempt_columns(),
    )
    op.create_index("ix_attempts_logs", "attempts", ["job_id", "log_size"], sqlite_where=_LOGS, postgresql_where=_LOGS)
    _fill_attempts(op.get_bind())
    op.drop_index("ix_jobs_logs", "jobs")
    op.drop_index("ix_jobs_retried", "jobs")
    with op.batch_alter_table("jobs") as jobs:
        for column in _old_columns():
            jobs.drop_column(column.name)


def downgrade() -> None:
    """Nodes, devices and most times of the attempts before the last one are lost."""
    with op.batch_alter_table("jobs") as jobs:
        for column in _old_columns():
            jobs.add_column(column)
    _fill_jobs(op.get_bind())
    op.create_index(
        "ix_jobs_logs", "jobs", ["tenant", "owner", "log_size"], sqlite_where=_OLD_LOGS, postgresql_where=_OLD_LOGS
    )
    op.create_index("ix_jobs_retried", "jobs", ["id"], sqlite_where=_OLD_RETRIED, postgresql_where=_OLD_RETRIED)
    op.drop_table("attempts")


def _fill_attempts(connection: sa.Connection) -> None:
    attempts = _attempts()
    names = [column.name for column in attempts.c]
    empty: dict[str, Any] = {**dict.fromkeys(names), "nodes": [], "devices": [], "steps": []}
    for jobs in _jobs(connection):
        rows = [{**empty, **attempt, "job_id": job["id"]} for job in jobs for attempt in attempts_of_flat(job)]
        if rows:
            connection.execute(sa.insert(attempts), rows)


def _fill_jobs(connection: sa.Connection) -> None:
    table, attempts = _old_jobs(), _attempts()
    names = [column.name for column in _old_columns()]
    values = {name: sa.bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    change = sa.update(table).where(table.c.id == sa.bindparam("job")).values(**values)
    for jobs in _jobs(connection):
        query = sa.select(attempts).where(attempts.c.job_id.in_([job["id"] for job in jobs]))
        of_jobs: dict[str, list[Mapping[str, Any]]] = {job["id"]: [] for job in jobs}
        for attempt in connection.execute(query.order_by(attempts.c.number)).mappings():
            of_jobs[attempt["job_id"]].append(dict(attempt))
        flat = [(job["id"], _flat(job, of_jobs[job["id"]])) for job in jobs]
        rows = [{"job": job_id, **{f"new_{name}": value for name, value in old.items()}} for job_id, old in flat]
        connection.execute(change, rows)


def _flat(job: Mapping[str, Any], attempts: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The old columns of a job."""
    earlier = [attempt for attempt in attempts if attempt["number"] < job["attempt"]]
    present = next((attempt for attempt in attempts if attempt["number"] == job["attempt"]), None)
    known = {name: None if present is None else present[name] for name in PRESENT}
    told = ("kind", "reason", "exit_code", "running_at", "ended_at", "log_size")
    ending = None
    if present is not None and present["kind"] is not None:
        ending = {**{name: present[name] for name in ("kind", "reason", "exit_code")}, "at": present["ended_at"]}
    return {
        **known,
        "steps": known["steps"] or [],
        "ending": ending,
        "history": [{"attempt": each["number"], **{name: each[name] for name in told}} for each in earlier],
        "retries_used": sum(each["kind"] == "retry" for each in earlier),
        "preemptions": sum(each["kind"] == "preempted" for each in earlier),
    }


def _jobs(connection: sa.Connection) -> Iterator[list[Mapping[str, Any]]]:
    table, last = _old_jobs(), ""
    while (
        rows := connection.execute(sa.select(table).where(table.c.id > last).order_by(table.c.id).limit(_AT_ONCE))
        .mappings()
        .all()
    ):
        last = rows[-1]["id"]
        yield [dict(row) for row in rows]


def _old_jobs() -> sa.TableClause:
    kept = ("id", "state", "reason", "attempt", "exit_code", "finished_at")
    return sa.table("jobs", *(sa.column(name) for name in kept), *(sa.column(c.name, c.type) for c in _old_columns()))


def _attempts() -> sa.TableClause:
    columns = (sa.column(c.name, c.type) for c in _attempt_columns())
    return sa.table("attempts", sa.column("job_id"), sa.column("number"), *columns)


def _time(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Float(53))


def _json(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(none_as_null=True), nullable=default is None, server_default=default)


def _run_columns() -> list[sa.Column[Any]]:
    """Those that both tables have, but for ``steps``."""
    return [
        *(_time(name) for name in ("queued_at", "starting_at", "running_at", "run_intended_at", "run_created_at")),
        sa.Column("token_hash", sa.String(64)),
        sa.Column("run_uid", sa.String(64)),
        *(_time(name) for name in ("progress_percent", "eta_seconds", "progress_at")),
        _json("metrics"),
        _json("report"),
        sa.Column("log_size", sa.BigInteger),
        sa.Column("log_sha256", sa.String(64)),
    ]


def _attempt_columns() -> list[sa.Column[Any]]:
    return [
        *_run_columns(),
        *(sa.Column(name, sa.JSON, nullable=False) for name in ("nodes", "devices", "steps")),
        _time("ended_at"),
        sa.Column("kind", sa.String(16)),
        sa.Column("reason", sa.Text),
        sa.Column("exit_code", sa.Integer),
    ]


def _old_columns() -> list[sa.Column[Any]]:
    return [
        *_run_columns(),
        _json("steps", "[]"),
        _json("history", "[]"),
        _json("ending"),
        sa.Column("retries_used", sa.Integer, nullable=False, server_default="0"),
        sa.Column("preemptions", sa.Integer, nullable=False, server_default="0"),
    ]
