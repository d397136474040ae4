"""Engines of jobs: nodes, template and parameters that were asked for, and the steps of the run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Jobs that are there already run on one node and have no steps."""
    with op.batch_alter_table("jobs") as jobs:
        for column in _columns():
            jobs.add_column(column)


def downgrade() -> None:
    """What engines were asked for is lost; names of engines stay."""
    with op.batch_alter_table("jobs") as jobs:
        for column in _columns():
            jobs.drop_column(column.name)


def _columns() -> list[sa.Column[object]]:
    return [
        sa.Column("nodes", sa.Integer, nullable=False, server_default="1"),
        sa.Column("template", sa.String(253)),
        sa.Column("parameters", sa.JSON, nullable=False, server_default="{}"),
        sa.Column("steps", sa.JSON, nullable=False, server_default="[]"),
    ]
