"""Run by alembic: applies the migrations on the connection that database.migrate hands over."""

from __future__ import annotations

from alembic import context

from aifactory_hub.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite can't alter a table in place: alembic then copies it.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
