"""Pipelines: their runs and steps, and the triggers that start them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


_TABLES = (
    "trigger_deliveries",
    "trigger_events",
    "trigger_heads",
    "triggers",
    "pipeline_steps",
    "pipeline_runs",
)


def upgrade() -> None:
    """Nothing is known of runs before."""
    _create_runs()
    _create_triggers()
    _create_what_they_saw()


def downgrade() -> None:
    """Runs and triggers are forgotten; jobs stay."""
    for table in _TABLES:
        op.drop_table(table)


def _create_runs() -> None:
    op.create_table(
        "pipeline_runs",
        sa.Column("id", sa.String(40), primary_key=True),
        _text("tenant", 64),
        _text("owner", 255),
        _text("key", 128),
        _text("request_digest", 64),
        _text("name", 255),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("files", sa.String(64)),
        sa.Column("trigger", sa.String(40)),
        sa.Column("cause", sa.JSON, nullable=False),
        sa.Column("retry_of", sa.String(40)),
        _text("state", 16),
        sa.Column("reason", sa.Text),
        _maybe("cancel_asked_at"),
        sa.Column("cancel_asked_by", sa.String(255)),
        _time("created_at"),
        _maybe("finished_at"),
        sa.UniqueConstraint("tenant", "owner", "key", name="uq_pipeline_runs_key"),
    )
    op.create_index("ix_pipeline_runs_tenant", "pipeline_runs", ["tenant", "created_at", "id"])
    op.create_index("ix_pipeline_runs_state", "pipeline_runs", ["state"])
    op.create_index("ix_pipeline_runs_trigger", "pipeline_runs", ["trigger", "created_at"])
    op.create_table(
        "pipeline_steps",
        sa.Column("run_id", sa.String(40), sa.ForeignKey("pipeline_runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("place", sa.Integer, nullable=False),
        _text("state", 16),
        sa.Column("reason", sa.Text),
        sa.Column("job_id", sa.String(40)),
        sa.Column("taken_from", sa.String(40)),
        sa.Column("metrics", sa.JSON, nullable=False),
        _maybe("started_at"),
        _maybe("finished_at"),
    )
    op.create_index("ix_pipeline_steps_job", "pipeline_steps", ["job_id"])


def _create_triggers() -> None:
    op.create_table(
        "triggers",
        sa.Column("id", sa.String(40), primary_key=True),
        _text("hook", 64),
        _text("tenant", 64),
        _text("owner", 255),
        _text("key", 128),
        _text("request_digest", 64),
        _text("name", 255),
        _text("provider", 16),
        sa.Column("url", sa.Text, nullable=False),
        _text("username", 255),
        sa.Column("has_token", sa.Boolean, nullable=False),
        sa.Column("pipeline", sa.Text, nullable=False),
        sa.Column("rules", sa.JSON, nullable=False),
        _time("created_at"),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("generation", sa.Integer, nullable=False),
        _maybe("rotated_at"),
        _maybe("watched_at"),
        _time("next_look"),
        _maybe("unreachable_since"),
        sa.Column("refused", sa.Integer, nullable=False),
        _maybe("refused_at"),
        sa.UniqueConstraint("tenant", "owner", "key", name="uq_triggers_key"),
        sa.UniqueConstraint("hook", name="uq_triggers_hook"),
    )
    op.create_index("ix_triggers_tenant", "triggers", ["tenant", "created_at", "id"])


def _create_what_they_saw() -> None:
    op.create_table(
        "trigger_heads",
        _of_trigger(primary_key=True),
        sa.Column("ref", sa.String(255), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("commit_id", sa.String(64)),
    )
    op.create_table(
        "trigger_events",
        _of_trigger(primary_key=True),
        sa.Column("ref", sa.String(255), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("old", sa.String(64)),
        sa.Column("new", sa.String(64)),
        _time("seen_at"),
        _text("state", 16),
        sa.Column("reason", sa.Text),
        sa.Column("run", sa.String(40)),
        sa.Column("by", sa.String(255)),
        sa.Column("forced", sa.Boolean),
    )
    op.create_index("ix_trigger_events_seen", "trigger_events", ["trigger", "seen_at"])
    op.create_index("ix_trigger_events_state", "trigger_events", ["state"])
    op.create_table(
        "trigger_deliveries",
        sa.Column("seq", sa.Integer, primary_key=True),
        _of_trigger(),
        _time("at"),
        *(_text(name, 255) for name in ("delivery", "event", "ref", "by")),
        sa.Column("pushed", sa.JSON, nullable=False),
        sa.Column("forced", sa.Boolean),
    )
    op.create_index("ix_trigger_deliveries_trigger", "trigger_deliveries", ["trigger", "seq"])


def _of_trigger(*, primary_key: bool = False) -> sa.Column[str]:
    owner = sa.ForeignKey("triggers.id", ondelete="CASCADE")
    return sa.Column("trigger", sa.String(40), owner, primary_key=primary_key, nullable=False)


def _time(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Float(53), nullable=False)


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def _maybe(name: str) -> sa.Column[float | None]:
    return sa.Column(name, sa.Float(53), nullable=True)
