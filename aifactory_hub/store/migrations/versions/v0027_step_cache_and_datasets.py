"""What decides the results of steps that are cached, which steps took an earlier job's, and entries about datasets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

# The kinds of entries with their tables, and by which column they are in order.
_KINDS = (("dataset", "datasets", "created_at"), ("version", "dataset_versions", "at"), ("given", "job_data", "at"))


def upgrade() -> None:
    """Steps before were cached by nobody. Runs that go on take what is there. Datasets that are there get entries."""
    op.add_column("pipeline_runs", sa.Column("cache", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("pipeline_steps", sa.Column("cache_key", sa.String(64), nullable=True))
    op.add_column("pipeline_steps", sa.Column("cached", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("ix_pipeline_steps_cache_key", "pipeline_steps", ["cache_key"])
    entries = op.create_table(
        "dataset_entries",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("row", sa.JSON, nullable=False),
    )
    rows = [
        {"kind": kind, "row": dict(row._mapping)}
        for kind, table, order in _KINDS
        for row in op.get_bind().execute(sa.text(f"SELECT * FROM {table} ORDER BY {order}"))  # noqa: S608 - our names
    ]
    if rows:
        op.bulk_insert(entries, [{"number": number, **row} for number, row in enumerate(rows, 1)])


def downgrade() -> None:
    """What was taken keeps its job and the run that it is from; datasets stay."""
    op.drop_table("dataset_entries")
    op.drop_index("ix_pipeline_steps_cache_key", "pipeline_steps")
    with op.batch_alter_table("pipeline_steps") as batch:
        batch.drop_column("cached")
        batch.drop_column("cache_key")
    with op.batch_alter_table("pipeline_runs") as batch:
        batch.drop_column("cache")
