"""Notifications that wait for a message, what people chose, and the channel of a message."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Messages that are there go to webhooks."""
    op.add_column("deliveries", sa.Column("channel", sa.String(16), nullable=False, server_default="standard"))
    op.create_table(
        "notifications",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("audience", sa.String(16), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("path", sa.String(255), nullable=False),
        sa.Column("sweep", sa.String(64), nullable=True),
    )
    op.create_index("ix_notifications_audience", "notifications", ["audience", "name", "number"])
    op.create_table(
        "notification_levels",
        sa.Column("person", sa.String(255), primary_key=True),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("changed_at", sa.Float(53), nullable=False),
    )


def downgrade() -> None:
    """What waits is not told: a version before this one would send mail to a web address."""
    op.execute("DELETE FROM deliveries WHERE channel <> 'standard'")
    op.execute("DELETE FROM consumers WHERE name IN ('mail', 'team channels')")
    op.drop_table("notification_levels")
    op.drop_table("notifications")
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.drop_column("channel")
