"""What steps of pipelines without a job did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Steps before had jobs, all of them."""
    op.add_column("pipeline_steps", sa.Column("result", sa.JSON, nullable=True))


def downgrade() -> None:
    """What they did is in the registry of models, too."""
    op.drop_column("pipeline_steps", "result")
