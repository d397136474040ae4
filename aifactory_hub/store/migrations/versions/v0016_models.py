"""Models: versions, signed statements, what happened to aliases, keys, datasets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_APPEND_ONLY = ("statements", "alias_moves")
# All columns of a version but its state and why.
_FIXED = (
    *("id", "model", "number", "digest", "root", "size", "count", "files"),
    *("job", "attempt", "folder", "by", "at", "note", "formats", "runs_code"),
)
_TABLES = (
    *("job_data", "dataset_versions", "datasets", "model_uses", "model_materials", "signing_keys"),
    *("alias_moves", "statements", "model_versions", "models"),
)


def upgrade() -> None:
    """No job from before has given a model."""
    _create_models()
    _create_statements()
    _create_datasets()
    for table in _APPEND_ONLY:
        _refuse(table, "change", "UPDATE")
        _refuse(table, "removal", "DELETE")
    columns = ", ".join(f'"{name}"' for name in _FIXED)
    _refuse("model_versions", "change", f"UPDATE OF {columns}")
    _refuse("model_versions", "removal", "DELETE")


def downgrade() -> None:
    """All models and what was signed of them are lost; the files stay with their jobs."""
    for table in (*_APPEND_ONLY, "model_versions"):
        for what in ("change", "removal"):
            on = "" if _sqlite() else f" ON {table}"
            op.execute(f"DROP TRIGGER {table}_no_{what}{on}")
    for table in _TABLES:
        op.drop_table(table)
    if not _sqlite():
        op.execute("DROP FUNCTION refuse_change_of_models()")


def _create_models() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.String(40), primary_key=True),
        _text("tenant", 64),
        _text("name", 64),
        _long("description"),
        _time("created_at"),
        _text("created_by", 255),
        sa.UniqueConstraint("tenant", "name", name="uq_models_name"),
    )
    op.create_table(
        "model_versions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("model", sa.String(40), sa.ForeignKey("models.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        *(_text(name, 64) for name in ("digest", "root")),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("files", sa.JSON, nullable=False),
        _text("job", 40),
        sa.Column("attempt", sa.Integer, nullable=False),
        _text("folder", 512),
        _text("by", 255),
        _time("at"),
        _long("note"),
        sa.Column("formats", sa.JSON, nullable=False),
        sa.Column("runs_code", sa.JSON, nullable=False),
        _text("state", 16),
        _long("why"),
        sa.UniqueConstraint("model", "number", name="uq_model_versions_number"),
        sa.UniqueConstraint("model", "job", "attempt", "digest", name="uq_model_versions_files"),
    )
    op.create_index("ix_model_versions_job", "model_versions", ["job"])
    op.create_table(
        "model_uses",
        sa.Column("version", sa.String(40), primary_key=True),
        sa.Column("user", sa.String(255), primary_key=True),
        sa.Column("job", sa.String(40), primary_key=True),
        _time("first_at"),
        _time("last_at"),
    )
    op.create_index("ix_model_uses_job", "model_uses", ["job"])
    op.create_table(
        "model_materials",
        sa.Column("version", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(512), primary_key=True),
        _text("digest", 128),
        _text("known", 16),
    )
    op.create_index("ix_model_materials_digest", "model_materials", ["kind", "digest"])


def _create_statements() -> None:
    op.create_table(
        "statements",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        _text("kind", 16),
        _text("subject", 64),
        sa.Column("version", sa.String(40)),
        _text("key", 64),
        _time("at"),
        _long("envelope"),
        _text("hash", 64),
    )
    op.create_index("ix_statements_version", "statements", ["version", "kind", "number"])
    op.create_index("ix_statements_key", "statements", ["key"])
    op.create_table(
        "alias_moves",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("model", sa.String(40), sa.ForeignKey("models.id"), nullable=False),
        _text("alias", 64),
        _text("kind", 16),
        sa.Column("before", sa.String(40)),
        sa.Column("after", sa.String(40)),
        _text("by", 255),
        _time("at"),
        _long("reason"),
        sa.Column("approval", sa.String(64)),
        _text("bundle", 64),
    )
    op.create_index("ix_alias_moves_model", "alias_moves", ["model", "alias", "number"])
    op.create_index("ix_alias_moves_after", "alias_moves", ["after"])
    op.create_index("ix_alias_moves_approval", "alias_moves", ["approval"])
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.String(64), primary_key=True),
        _long("public"),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger),
        _time("created_at"),
        sa.Column("revoked", sa.Float(53)),
        _long("why"),
    )


def _create_datasets() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(40), primary_key=True),
        _text("tenant", 64),
        _text("name", 64),
        _long("uri"),
        _text("data_class", 16),
        _long("description"),
        _time("created_at"),
        _text("created_by", 255),
        sa.UniqueConstraint("tenant", "name", name="uq_datasets_name"),
    )
    op.create_table(
        "dataset_versions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("dataset", sa.String(40), sa.ForeignKey("datasets.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        _text("kind", 16),
        _text("digest", 128),
        sa.Column("count", sa.BigInteger),
        sa.Column("size", sa.BigInteger),
        _text("by", 255),
        _time("at"),
        sa.UniqueConstraint("dataset", "number", name="uq_dataset_versions_number"),
        sa.UniqueConstraint("dataset", "kind", "digest", name="uq_dataset_versions_digest"),
    )
    op.create_table(
        "job_data",
        sa.Column("job", sa.String(40), primary_key=True),
        sa.Column("version", sa.String(40), primary_key=True),
        _text("known", 16),
        _time("at"),
    )
    op.create_index("ix_job_data_version", "job_data", ["version"])


def _text(name: str, length: int) -> sa.Column[object]:
    return sa.Column(name, sa.String(length), nullable=False)


def _long(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Text, nullable=False)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Float(53), nullable=False)


def _sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")


def _refuse(table: str, name: str, what: str) -> None:
    """The database refuses this of a row, whoever asks for it."""
    if _sqlite():
        words = f"{table}: what was written stays as it is"
        op.execute(
            f"CREATE TRIGGER {table}_no_{name} BEFORE {what} ON {table} BEGIN SELECT RAISE(ABORT, '{words}'); END"
        )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change_of_models() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '%: what was written stays as it is', TG_TABLE_NAME; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_{name} BEFORE {what} ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change_of_models()"
    )
