"""What jobs are searched by, folded: databases differ in case and know no accents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from aifactory_hub.domain.search_text import fold

revision = "0008"
down_revision = "0007"
_AT_ONCE = 500


def upgrade() -> None:
    """The jobs that are there get theirs, a few hundred at a time."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("search", sa.Text, nullable=False, server_default=""))
    fill_search(op.get_bind())


def fill_search(connection: sa.Connection) -> None:
    """For all jobs, from their names and commands."""
    table = sa.table("jobs", sa.column("id"), sa.column("name"), sa.column("command"), sa.column("search"))
    last = ""
    while True:
        query = sa.select(table.c.id, table.c.name, table.c.command).where(table.c.id > last).order_by(table.c.id)
        rows = connection.execute(query.limit(_AT_ONCE)).all()
        if not rows:
            return
        last = rows[-1].id
        change = sa.update(table).where(table.c.id == sa.bindparam("job")).values(search=sa.bindparam("folded"))
        connection.execute(change, [{"job": row.id, "folded": fold(f"{row.name}\n{row.command}")} for row in rows])


def downgrade() -> None:
    """Jobs are searched by name and command again."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("search")
