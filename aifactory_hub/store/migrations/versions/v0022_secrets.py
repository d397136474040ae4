"""Secrets of people and teams, and the names of those that a job lists."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0020"


def upgrade() -> None:
    """No job from before lists a secret."""
    op.create_table(
        "secrets",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(255), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.Float(53), nullable=False),
        sa.Column("changed_by", sa.String(255), nullable=False),
    )
    op.create_table(
        "secret_uses",
        sa.Column("job", sa.String(40), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("team", sa.Boolean, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("user", sa.String(255), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
    )
    op.create_index("ix_secret_uses_secret", "secret_uses", ["tenant", "owner", "name", "at"])
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("secrets", sa.JSON, nullable=False, server_default="[]"))


def downgrade() -> None:
    """All secrets are forgotten, and jobs that list some run without them."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("secrets")
    op.drop_table("secret_uses")
    op.drop_table("secrets")
