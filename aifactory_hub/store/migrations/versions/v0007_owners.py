"""Handovers of accounts, and since when owners have left the teams of their jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Two tables."""
    op.create_table(
        "accounts",
        sa.Column("name", sa.String(255), primary_key=True, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
    )
    op.create_table(
        "leaving",
        sa.Column("owner", sa.String(255), primary_key=True, nullable=False),
        sa.Column("tenant", sa.String(64), primary_key=True, nullable=False),
        sa.Column("since", sa.Float(53), nullable=False),
    )


def downgrade() -> None:
    """Handovers that were carried out stay so; times of leaving begin again."""
    op.drop_table("leaving")
    op.drop_table("accounts")
