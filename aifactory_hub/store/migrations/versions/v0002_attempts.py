"""Attempts, progress, retention and the journal of jobs; schedules; messages to webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_INDEXES = {
    "ix_jobs_owner_submitted": ["tenant", "owner", "submitted_at", "id"],
    "ix_jobs_state_submitted": ["tenant", "state", "submitted_at", "id"],
    "ix_jobs_finished": ["finished_at"],
    "ix_jobs_sweep": ["sweep"],
}


def upgrade() -> None:
    """Jobs that are there already get one attempt, no retries and the usual priority."""
    with op.batch_alter_table("jobs") as jobs:
        for column in _job_columns():
            jobs.add_column(column)
        for name, columns in _INDEXES.items():
            jobs.create_index(name, columns)
    _make_schedules()
    _make_deliveries()
    op.create_table(
        "marks",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Back to one attempt a job; schedules and undelivered messages are lost."""
    for table in ("marks", "deliveries", "schedules"):
        op.drop_table(table)
    with op.batch_alter_table("jobs") as jobs:
        for name in _INDEXES:
            jobs.drop_index(name)
        for column in _job_columns():
            jobs.drop_column(column.name)


def _job_columns() -> list[sa.Column[object]]:
    def count(name: str, default: str = "0") -> sa.Column[object]:
        return sa.Column(name, sa.Integer, nullable=False, server_default=default)

    def time(name: str) -> sa.Column[object]:
        return sa.Column(name, sa.Float(53))

    return [
        sa.Column("backend", sa.String(64)),
        sa.Column("image", sa.String(512)),
        sa.Column("priority", sa.String(16), nullable=False, server_default="normal"),
        sa.Column("max_seconds", sa.Integer),
        count("max_retries"),
        sa.Column("retry_backoff", sa.Float(53), nullable=False, server_default="30"),
        sa.Column("notify", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("source", sa.JSON),
        sa.Column("provenance", sa.JSON),
        sa.Column("retry_of", sa.String(40)),
        sa.Column("schedule", sa.String(40)),
        sa.Column("sweep", sa.String(64)),
        count("attempt", "1"),
        count("retries_used"),
        count("preemptions"),
        time("not_before"),
        sa.Column("history", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("ending", sa.JSON),
        time("unreachable_since"),
        sa.Column("unreachable", sa.Text),
        time("progress_percent"),
        time("eta_seconds"),
        sa.Column("metrics", sa.JSON),
        time("progress_at"),
        time("suspend_asked_at"),
        sa.Column("suspend_asked_by", sa.String(255)),
        time("inputs_dropped_at"),
        time("log_dropped_at"),
        time("artifacts_dropped_at"),
        count("revision", "1"),
        count("journaled"),
    ]


def _make_schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("request_digest", sa.String(64), nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("cron", sa.String(128), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("overlap", sa.String(16), nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("next_at", sa.Float(53)),
        sa.Column("last_at", sa.Float(53)),
        sa.Column("last_job", sa.String(40)),
        sa.Column("problem", sa.Text),
        sa.UniqueConstraint("tenant", "owner", "key", name="uq_schedules_key"),
    )
    op.create_index("ix_schedules_next", "schedules", ["next_at"])
    op.create_index("ix_schedules_tenant", "schedules", ["tenant", "created_at", "id"])


def _make_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("job_id", sa.String(40), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_at", sa.Float(53)),
        sa.Column("delivered_at", sa.Float(53)),
        sa.Column("problem", sa.Text),
    )
    op.create_index("ix_deliveries_next", "deliveries", ["next_at"])
    op.create_index("ix_deliveries_job", "deliveries", ["job_id"])
