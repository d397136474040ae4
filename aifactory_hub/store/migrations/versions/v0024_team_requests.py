"""Requests for teams, each with its journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Teams stood in files alone before."""
    op.create_table(
        "team_requests",
        sa.Column("id", sa.String(40), primary_key=True),
        _text("name", 64),
        _text("kind", 16),
        sa.Column("wish", sa.JSON, nullable=False),
        _text("digest", 64),
        _text("asked_by", 255),
        sa.Column("asked_at", sa.Float(53), nullable=False),
        _text("state", 16),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("changed_at", sa.Float(53), nullable=False),
    )
    waiting, granted = sa.text("state = 'WAITING'"), sa.text("state = 'GRANTED' AND kind = 'new'")
    _unique("uq_team_requests_waiting", ["name", "kind"], waiting)
    _unique("uq_team_requests_granted", ["name"], granted)
    op.create_index("ix_team_requests_asked_by", "team_requests", ["asked_by", "asked_at"])
    op.create_table(
        "team_request_entries",
        sa.Column("request", sa.String(40), sa.ForeignKey("team_requests.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float(53), nullable=False),
        _text("who", 255),
        sa.Column("text", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Teams that were granted have to stand in files of the site before."""
    op.drop_table("team_request_entries")
    op.drop_table("team_requests")


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def _unique(name: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, "team_requests", columns, unique=True, postgresql_where=where, sqlite_where=where)
