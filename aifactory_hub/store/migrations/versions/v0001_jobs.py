"""Jobs and their artifacts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("profile", sa.String(128), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("request_digest", sa.String(64), nullable=False),
        sa.Column("environment", sa.JSON, nullable=False),
        sa.Column("outputs", sa.JSON),
        sa.Column("input_sha256", sa.String(64)),
        sa.Column("input_size", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("exit_code", sa.Integer),
        sa.Column("token_hash", sa.String(64)),
        sa.Column("cancel_asked_at", sa.Float(53)),
        sa.Column("cancel_asked_by", sa.String(255)),
        sa.Column("run_intended_at", sa.Float(53)),
        sa.Column("run_created_at", sa.Float(53)),
        sa.Column("run_uid", sa.String(64)),
        sa.Column("submitted_at", sa.Float(53), nullable=False),
        sa.Column("queued_at", sa.Float(53)),
        sa.Column("starting_at", sa.Float(53)),
        sa.Column("running_at", sa.Float(53)),
        sa.Column("finished_at", sa.Float(53)),
        sa.Column("cleaned_at", sa.Float(53)),
        sa.Column("log_size", sa.BigInteger),
        sa.Column("log_sha256", sa.String(64)),
        sa.Column("report", sa.JSON),
        sa.UniqueConstraint("tenant", "owner", "key", name="uq_jobs_key"),
    )
    op.create_index("ix_jobs_tenant_submitted", "jobs", ["tenant", "submitted_at", "id"])
    op.create_index("ix_jobs_cleaned", "jobs", ["cleaned_at"])
    op.create_table(
        "artifacts",
        sa.Column("job_id", sa.String(40), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.String(512), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
    )


def downgrade() -> None:
    """Drop the two tables, and with them every job's record."""
    op.drop_table("artifacts")
    op.drop_table("jobs")
