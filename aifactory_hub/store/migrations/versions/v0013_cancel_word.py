"""What whoever cancels a job says to its owner."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Of jobs that were cancelled before nothing was said."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("cancel_word", sa.Text))


def downgrade() -> None:
    """What was said is forgotten; who asked stays."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("cancel_word")
