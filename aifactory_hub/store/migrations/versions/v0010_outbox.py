"""Events of jobs, and how far each consumer of them has come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_NUMBERED, _NEW = sa.text("number IS NOT NULL"), sa.text("number IS NULL")


def upgrade() -> None:
    """What jobs did before is no event: messages to webhooks, the first consumer, were filed as jobs ended."""
    op.create_table(
        "job_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("number", sa.BigInteger),
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("from_state", sa.String(16)),
        sa.Column("to_state", sa.String(16), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("reason", sa.Text),
    )
    op.create_index(
        "ix_job_events_number",
        "job_events",
        ["number"],
        unique=True,
        sqlite_where=_NUMBERED,
        postgresql_where=_NUMBERED,
    )
    op.create_index("ix_job_events_new", "job_events", ["id"], sqlite_where=_NEW, postgresql_where=_NEW)
    consumers = op.create_table(
        "consumers",
        sa.Column("name", sa.String(64), primary_key=True, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(consumers, [{"name": "webhooks", "position": 0}])
    marks = sa.table("marks", sa.column("name"), sa.column("value"))
    op.bulk_insert(marks, [{"name": "job-events", "value": "0"}])


def downgrade() -> None:
    """Events that a consumer has not passed are lost: messages of jobs that ended within the last second."""
    op.execute("DELETE FROM marks WHERE name = 'job-events'")
    op.drop_table("consumers")
    op.drop_table("job_events")
