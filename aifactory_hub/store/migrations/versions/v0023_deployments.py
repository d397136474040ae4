"""Deployments of models: what was asked, their releases, and what these were asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Nothing was deployed before."""
    op.create_table(
        "deployments",
        sa.Column("id", sa.String(40), primary_key=True),
        _text("tenant", 64),
        _text("name", 64),
        sa.Column("model", sa.String(40), sa.ForeignKey("models.id"), nullable=False),
        _text("at", 64),
        sa.Column("plan", sa.JSON, nullable=False),
        _text("by", 255),
        _time("created_at"),
        _time("changed_at"),
        _maybe("stopped_at"),
        sa.Column("problem", sa.Text, nullable=False),
        sa.UniqueConstraint("tenant", "name", name="uq_deployments_name"),
    )
    _create_releases()
    op.create_table(
        "release_requests",
        sa.Column("release", sa.String(40), sa.ForeignKey("releases.id"), primary_key=True),
        sa.Column("minute", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("asked", "failed")),
        sa.Column("buckets", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """What runs of them has to be stopped before."""
    for table in ("release_requests", "releases", "deployments"):
        op.drop_table(table)


def _create_releases() -> None:
    op.create_table(
        "releases",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("deployment", sa.String(40), sa.ForeignKey("deployments.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("version", sa.String(40), sa.ForeignKey("model_versions.id"), nullable=False),
        _text("digest", 64),
        sa.Column("plan", sa.JSON, nullable=False),
        _text("cause", 16),
        _text("by", 255),
        sa.Column("why", sa.Text, nullable=False),
        _time("created_at"),
        _time("wish_at"),
        _text("state", 16),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("reason", "problem")),
        sa.Column("token_hash", sa.String(64), nullable=True),
        *(_maybe(f"{name}_at") for name in ("intended", "started", "serving", "ended", "cleaned")),
        sa.UniqueConstraint("deployment", "number", name="uq_releases_number"),
    )
    live = sa.text("cleaned_at IS NULL")
    op.create_index("ix_releases_live", "releases", ["deployment"], postgresql_where=live, sqlite_where=live)
    op.create_index("ix_releases_version", "releases", ["version"])


def _time(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Float(53), nullable=False)


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def _maybe(name: str) -> sa.Column[float | None]:
    return sa.Column(name, sa.Float(53), nullable=True)
