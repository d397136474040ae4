"""Approvals and the votes on them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_OPEN = sa.text("state = 'OPEN'")


def upgrade() -> None:
    """Nothing is held yet."""
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(40), primary_key=True),
        _text("tenant", 64),
        _text("kind", 16),
        _text("subject", 255),
        _text("verb", 16),
        sa.Column("title", sa.Text, nullable=False),
        _text("digest", 64),
        *(sa.Column(name, sa.JSON, nullable=False) for name in ("parts", "needs", "reasons")),
        _text("asked_by", 255),
        sa.Column("excluded", sa.JSON, nullable=False),
        _time("asked_at"),
        _time("expires_at"),
        _text("state", 16),
        sa.Column("ended_at", sa.Float(53)),
        sa.Column("why", sa.Text),
        sa.Column("reminded", sa.Boolean, nullable=False),
    )
    op.create_index(
        "uq_approvals_open",
        "approvals",
        ["kind", "subject", "verb"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_index("ix_approvals_subject", "approvals", ["subject", "kind"])
    op.create_index("ix_approvals_tenant", "approvals", ["tenant", "asked_at", "id"])
    op.create_index("ix_approvals_state", "approvals", ["state", "asked_at", "id"])
    op.create_table(
        "votes",
        sa.Column("approval", sa.String(40), sa.ForeignKey("approvals.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        _text("voter", 255),
        sa.Column("yes", sa.Boolean, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        _time("at"),
        sa.Column("emergency", sa.Boolean, nullable=False),
    )
    # A message may be about an approval instead of a job.
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.alter_column("job_id", existing_type=sa.String(40), nullable=True)


def downgrade() -> None:
    """What was approved is forgotten; jobs that are held can't be read by the version before."""
    op.execute("UPDATE jobs SET state = 'CANCELLED', reason = 'held for an approval' WHERE state = 'HELD'")
    op.execute("DELETE FROM deliveries WHERE job_id IS NULL")
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.alter_column("job_id", existing_type=sa.String(40), nullable=False)
    for table in ("votes", "approvals"):
        op.drop_table(table)


def _text(name: str, length: int) -> sa.Column[object]:
    return sa.Column(name, sa.String(length), nullable=False)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Float(53), nullable=False)
