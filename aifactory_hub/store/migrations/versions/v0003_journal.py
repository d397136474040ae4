"""An index on what is not in the journal yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NEWS = sa.text("revision > journaled")


def upgrade() -> None:
    """Only of rows that are news: the index is empty most of the time."""
    op.create_index("ix_jobs_news", "jobs", ["id"], sqlite_where=_NEWS, postgresql_where=_NEWS)


def downgrade() -> None:
    """The journal needs no index to work."""
    op.drop_index("ix_jobs_news", "jobs")
