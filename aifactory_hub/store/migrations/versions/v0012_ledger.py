"""The ledger: what pods held, prices, and closed months."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_LINE = ("tenant", "user", "profile", "kind", "simulated", "gpus")
_APPEND_ONLY = ("usage_events", "usage_prices", "usage_bill_rows")


def upgrade() -> None:
    """Nothing is known of what was held before."""
    op.create_table(
        "usage_events",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        _text("pod", 64),
        _text("kind", 16),
        _text("source", 16),
        sa.Column("number", sa.Integer, nullable=False),
        *(_time(name) for name in ("at", "earliest", "latest", "observed_at")),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        _text("hash", 64),
        sa.UniqueConstraint("pod", "kind", "source", "number", name="uq_usage_events"),
    )
    _create_holds()
    op.create_table(
        "usage_positions",
        sa.Column("name", sa.String(64), primary_key=True),
        _text("version", 64),
        _time("heard_at"),
    )
    op.create_table(
        "usage_handovers",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        _text("former", 255),
    )
    op.create_table(
        "usage_prices",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        _text("profile", 253),
        _time("effective_from"),
        sa.Column("per_hour", sa.String(64)),
        _text("currency", 8),
    )
    _create_months()
    for table in _APPEND_ONLY:
        _refuse_changes(table)


def downgrade() -> None:
    """All that was metered is lost."""
    for table in _APPEND_ONLY:
        _allow_changes(table)
    for table in (
        *("usage_bill_rows", "usage_months", "usage_prices"),
        *("usage_handovers", "usage_positions", "usage_holds", "usage_events"),
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION refuse_change_of_ledger()")


def _create_holds() -> None:
    op.create_table(
        "usage_holds",
        sa.Column("pod", sa.String(64), primary_key=True),
        _text("tenant", 64),
        _text("user", 255),
        _text("profile", 253),
        _text("kind", 16),
        *(_text(name, 253) for name in ("owner", "name", "node")),
        sa.Column("devices", sa.Text, nullable=False),
        sa.Column("gpus", sa.String(64)),
        _text("attribution", 16),
        sa.Column("simulated", sa.Boolean, nullable=False),
        _time("start"),
        *(sa.Column(name, sa.BigInteger) for name in ("end", "latest_end", "running_from")),
        sa.Column("ended_by", sa.String(16)),
        sa.Column("source", sa.String(16)),
        sa.Column("void", sa.Boolean, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        _time("changed"),
    )
    op.create_index("ix_usage_holds_line", "usage_holds", [*_LINE, "start", "end", "latest_end", "void"])
    op.create_index("ix_usage_holds_tenant", "usage_holds", ["tenant", "start"])
    op.create_index("ix_usage_holds_end", "usage_holds", ["end"])
    op.create_index("ix_usage_holds_owner", "usage_holds", ["owner"])
    op.create_index("ix_usage_holds_user", "usage_holds", ["user", "start"])
    op.create_index("ix_usage_holds_changed", "usage_holds", ["changed"])


def _create_months() -> None:
    op.create_table(
        "usage_months",
        sa.Column("name", sa.String(8), primary_key=True),
        _time("start"),
        _time("end"),
        _text("zone", 64),
        _time("closed_at"),
        _text("closed_by", 255),
        _time("through"),
        _text("digest", 64),
        _time("checked"),
    )
    op.create_table(
        "usage_bill_rows",
        sa.Column("month", sa.String(8), primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        _text("record", 16),
        _text("booked_in", 8),
        _time("booked_at"),
        _text("tenant", 64),
        sa.Column("line", sa.Text, nullable=False),
    )
    op.create_index("ix_usage_bill_rows_booked", "usage_bill_rows", ["booked_in"])


def _text(name: str, length: int) -> sa.Column[object]:
    return sa.Column(name, sa.String(length), nullable=False)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _refuse_changes(table: str) -> None:
    """The database refuses to change or remove a row, whoever asks for it."""
    words = f"{table}: rows are only ever added"
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{what.lower()} BEFORE {what} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change_of_ledger() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '%: rows are only ever added', TG_TABLE_NAME; END $$"
    )
    for name, what, each in (("change", "UPDATE OR DELETE", "ROW"), ("truncate", "TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER {table}_no_{name} BEFORE {what} ON {table} "
            f"FOR EACH {each} EXECUTE FUNCTION refuse_change_of_ledger()"
        )


def _allow_changes(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for what in ("update", "delete"):
            op.execute(f"DROP TRIGGER {table}_no_{what}")
    else:
        for what in ("change", "truncate"):
            op.execute(f"DROP TRIGGER {table}_no_{what} ON {table}")
