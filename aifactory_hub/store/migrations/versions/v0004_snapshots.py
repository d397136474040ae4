"""Snapshots of folders, and the packs that have their files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Three tables, and an index by which a snapshot finds its jobs."""
    op.create_table(
        "packs",
        sa.Column("id", sa.Integer, primary_key=True),
        *_place(),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("content", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.Float(53), nullable=False),
        sa.UniqueConstraint("tenant", "owner", "sha256", name="uq_packs"),
    )
    op.create_table(
        "pack_files",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("pack_id", sa.Integer, sa.ForeignKey("packs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "snapshots",
        *_place(primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("packs", sa.JSON, nullable=False),
        sa.Column("used_at", sa.Float(53), nullable=False),
    )
    op.create_index("ix_packs_used", "packs", ["used_at"])
    op.create_index("ix_pack_files_pack", "pack_files", ["pack_id"])
    op.create_index("ix_snapshots_used", "snapshots", ["used_at"])
    op.create_index("ix_jobs_input", "jobs", ["input_sha256"])


def downgrade() -> None:
    """Files that were sent are sent again."""
    op.drop_index("ix_jobs_input", "jobs")
    for table in ("snapshots", "pack_files", "packs"):
        op.drop_table(table)


def _place(*, primary_key: bool = False) -> list[sa.Column[str]]:
    widths = {"tenant": 64, "owner": 255, "sha256": 64}
    return [
        sa.Column(name, sa.String(width), primary_key=primary_key, nullable=False) for name, width in widths.items()
    ]
