"""What decides the results of steps that are cached, and which steps took an earlier job's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0025"


def upgrade() -> None:
    """Steps before were cached by nobody. Runs that go on take what is there."""
    op.add_column("pipeline_runs", sa.Column("cache", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("pipeline_steps", sa.Column("cache_key", sa.String(64), nullable=True))
    op.add_column("pipeline_steps", sa.Column("cached", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("ix_pipeline_steps_cache_key", "pipeline_steps", ["cache_key"])


def downgrade() -> None:
    """What was taken keeps its job and the run that it is from."""
    op.drop_index("ix_pipeline_steps_cache_key", "pipeline_steps")
    with op.batch_alter_table("pipeline_steps") as batch:
        batch.drop_column("cached")
        batch.drop_column("cache_key")
    with op.batch_alter_table("pipeline_runs") as batch:
        batch.drop_column("cache")
