"""What Git hosts were told of commits, which triggers tell, and the times of triggers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Triggers that are there tell nothing."""
    op.add_column("triggers", sa.Column("tells", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("triggers", sa.Column("next_time", sa.Float(53), nullable=True))
    op.add_column("trigger_events", sa.Column("scheduled", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "commit_statuses",
        sa.Column("trigger", sa.String(40), sa.ForeignKey("triggers.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("ref", sa.String(255), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("commit_id", sa.String(64), nullable=False),
        sa.Column("run", sa.String(40), nullable=True),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("told", sa.String(16), nullable=True),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text, nullable=True),
        sa.Column("next_at", sa.Float(53), nullable=True),
    )
    op.create_index("ix_commit_statuses_next", "commit_statuses", ["next_at"])


def downgrade() -> None:
    """What hosts were told stays with them."""
    op.drop_table("commit_statuses")
    with op.batch_alter_table("trigger_events") as batch:
        batch.drop_column("scheduled")
    with op.batch_alter_table("triggers") as batch:
        batch.drop_column("next_time")
        batch.drop_column("tells")
