"""The size of a manifest on disk, and indexes by which the bytes that people hold are added up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_LOGS = sa.text("log_size IS NOT NULL AND log_dropped_at IS NULL")
_RETRIED = sa.text("attempt > 1 AND log_dropped_at IS NULL")


def upgrade() -> None:
    """Manifests that are there already get their size at the next start."""
    op.add_column("snapshots", sa.Column("stored", sa.BigInteger))
    op.create_index("ix_jobs_logs", "jobs", ["tenant", "owner", "log_size"], sqlite_where=_LOGS, postgresql_where=_LOGS)
    op.create_index("ix_jobs_retried", "jobs", ["id"], sqlite_where=_RETRIED, postgresql_where=_RETRIED)


def downgrade() -> None:
    """Nothing but sizes is lost."""
    op.drop_index("ix_jobs_retried", "jobs")
    op.drop_index("ix_jobs_logs", "jobs")
    with op.batch_alter_table("snapshots") as snapshots:
        snapshots.drop_column("stored")
