"""What the site's rules said, and who overrode them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_TABLES = ("policy_verdicts", "policy_overrides")


def upgrade() -> None:
    """Nothing is known of what was asked before."""
    op.create_table(
        "policy_verdicts",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        _text("id", 40),
        _time("at"),
        _text("tenant", 64),
        _text("user", 255),
        _text("verb", 16),
        _text("target", 16),
        _text("subject", 255),
        _text("digest", 64),
        _text("bundle", 64),
        _text("outcome", 16),
        sa.Column("findings", sa.Text, nullable=False),
        sa.Column("view", sa.Text, nullable=False),
        sa.UniqueConstraint("id", name="uq_policy_verdicts_id"),
    )
    op.create_index("ix_policy_verdicts_tenant", "policy_verdicts", ["tenant", "number"])
    op.create_index("ix_policy_verdicts_at", "policy_verdicts", ["at"])
    op.create_index("ix_policy_verdicts_subject", "policy_verdicts", ["subject", "number"])
    op.create_table(
        "policy_overrides",
        sa.Column("id", sa.String(40), primary_key=True),
        _text("verdict", 40),
        _text("rule", 64),
        _text("tenant", 64),
        _text("user", 255),
        _text("digest", 64),
        _text("by", 255),
        sa.Column("reason", sa.Text, nullable=False),
        _time("made_at"),
        _time("until"),
    )
    op.create_index("ix_policy_overrides_tenant", "policy_overrides", ["tenant", "made_at", "id"])
    op.create_index("ix_policy_overrides_until", "policy_overrides", ["until"])
    for table in _TABLES:
        _refuse_changes(table)


def downgrade() -> None:
    """All that was recorded is lost."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table in _TABLES:
        for what in ("update", "delete") if sqlite else ("change", "truncate"):
            op.execute(f"DROP TRIGGER {table}_no_{what}" + ("" if sqlite else f" ON {table}"))
        op.drop_table(table)
    if not sqlite:
        op.execute("DROP FUNCTION refuse_change_of_policy()")


def _text(name: str, length: int) -> sa.Column[object]:
    return sa.Column(name, sa.String(length), nullable=False)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Float(53), nullable=False)


def _refuse_changes(table: str) -> None:
    """The database refuses to change or remove a row, whoever asks for it."""
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{what.lower()} BEFORE {what} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table}: rows are only ever added'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change_of_policy() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '%: rows are only ever added', TG_TABLE_NAME; END $$"
    )
    for name, what, each in (("change", "UPDATE OR DELETE", "ROW"), ("truncate", "TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER {table}_no_{name} BEFORE {what} ON {table} "
            f"FOR EACH {each} EXECUTE FUNCTION refuse_change_of_policy()"
        )
