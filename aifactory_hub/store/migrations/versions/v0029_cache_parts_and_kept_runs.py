"""What decides steps that are cached, part by part, and indexes for runs of pipelines whose time is over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"

_INDEXES = (
    ("ix_pipeline_runs_name", "pipeline_runs", ["tenant", "name", "created_at", "id"]),
    ("ix_pipeline_runs_finished", "pipeline_runs", ["finished_at", "id"]),
    ("ix_pipeline_runs_retry_of", "pipeline_runs", ["retry_of"]),
    ("ix_pipeline_steps_taken_from", "pipeline_steps", ["taken_from"]),
)


def upgrade() -> None:
    """Of steps before it is not known what decided them, beside the key."""
    op.add_column("pipeline_steps", sa.Column("cache_parts", sa.JSON, nullable=True))
    op.add_column("pipeline_steps", sa.Column("cache_reason", sa.Text, nullable=True))
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Keys stay, so what was cached counts on."""
    for name, table, _ in _INDEXES:
        op.drop_index(name, table)
    with op.batch_alter_table("pipeline_steps") as batch:
        batch.drop_column("cache_reason")
        batch.drop_column("cache_parts")
