"""Kinds of notifications that people want, or do not want, whatever their level says."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Nobody has chosen by kind yet."""
    op.create_table(
        "notification_kinds",
        sa.Column("person", sa.String(255), primary_key=True),
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("told", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    """Levels alone count again. What a version before this one does not know is told nobody."""
    op.execute("DELETE FROM notifications WHERE kind = 'approval.emergency'")
    op.drop_table("notification_kinds")
