"""Steps that were taken with idle servers, and the most that pods used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

_TABLE = "idle_acts"


def upgrade() -> None:
    """Nothing was idle before."""
    op.create_table(
        _TABLE,
        sa.Column("seq", sa.Integer, primary_key=True),
        _text("act", 16),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("until", sa.Float(53)),
        sa.Column("since", sa.Float(53)),
        _text("pod", 64),
        _text("tenant", 64),
        _text("user", 255),
        _text("server", 255),
        _text("profile", 253),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        _text("by", 255),
    )
    op.create_index("ix_idle_acts_pod", _TABLE, ["pod", "seq"])
    op.create_index("ix_idle_acts_tenant", _TABLE, ["tenant", "at"])
    op.create_table(
        "hold_peaks",
        sa.Column("pod", sa.String(64), primary_key=True),
        sa.Column("seconds", sa.BigInteger, nullable=False),
        sa.Column("memory", sa.BigInteger),
        sa.Column("engine", sa.Float(53)),
        sa.Column("at", sa.Float(53), nullable=False),
    )
    _refuse_changes()


def downgrade() -> None:
    """Why servers were stopped is forgotten."""
    op.drop_table("hold_peaks")
    op.drop_table(_TABLE)  # its triggers go with it


def _text(name: str, length: int) -> sa.Column[object]:
    return sa.Column(name, sa.String(length), nullable=False)


def _refuse_changes() -> None:
    """The database refuses to change or remove a row, whoever asks for it."""
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {_TABLE}_no_{what.lower()} BEFORE {what} ON {_TABLE} "
                f"BEGIN SELECT RAISE(ABORT, '{_TABLE}: rows are only ever added'); END"
            )
        return
    for name, what, each in (("change", "UPDATE OR DELETE", "ROW"), ("truncate", "TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER {_TABLE}_no_{name} BEFORE {what} ON {_TABLE} "
            f"FOR EACH {each} EXECUTE FUNCTION refuse_change_of_ledger()"
        )
