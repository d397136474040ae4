"""Metrics as series of points, and what tells the jobs of a sweep from each other."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Of what was reported before, the last values stay where they are."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("sweep_parameters", sa.JSON, nullable=False, server_default="{}"))
    op.create_table(
        "metrics",
        *_key(),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("count", "stride")),
        *(sa.Column(name, sa.BigInteger) for name in ("lowest_number", "highest_number", "not_finite")),
        *(sa.Column(name, sa.Float(53)) for name in ("lowest", "highest")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("changed", "rebuilt")),
    )
    op.create_table(
        "metric_points",
        *_key(),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("value", sa.Float(53)),
        sa.Column("batch", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Only the last values stay."""
    op.drop_table("metric_points")
    op.drop_table("metrics")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("sweep_parameters")


def _key() -> list[sa.Column[object]]:
    return [
        sa.Column("job_id", sa.String(40), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(100), primary_key=True),
    ]
