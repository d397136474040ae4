"""Opening the database and bringing its tables up to date."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event

_TURNS: WeakKeyDictionary[Engine, threading.Lock] = WeakKeyDictionary()
_MIGRATIONS = Path(__file__).parent / "migrations"


def open_db(url: str) -> Engine:
    """An db for ``url`` (SQLAlchemy's form). SQLite gets what several threads and a kill -9 need."""
    db = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if db.dialect.name == "sqlite":
        event.listen(db, "connect", _prepare_sqlite)
    return db


@contextmanager
def writing(db: Engine) -> Iterator[Connection]:
    """A transaction that changes something.

    SQLite has one writer at a time and lets the others try again at random, so that under load some starve and fail.
    Threads of this process therefore take turns before they ask it.
    """
    turn = _TURNS.setdefault(db, threading.Lock()) if db.dialect.name == "sqlite" else nullcontext()
    with turn, db.begin() as connection:
        yield connection


def migrate(db: Engine) -> None:
    """Bring the tables to this version's form, all of it or nothing. Running it again changes nothing."""
    with altering(db) as connection:
        command.upgrade(migrations(connection), "head")


def migrations(connection: Connection) -> Config:
    """The changes of the tables as alembic wants them, to be made on ``connection``."""
    config = Config()
    # A "%" in the path would be read as an interpolation.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def altering(db: Engine) -> Iterator[Connection]:
    """A transaction that changes tables.

    SQLite's driver begins none for that by itself. SQLite alters a table by copying and dropping it, and dropping it
    would drop the rows that refer to its rows, so these are not looked after meanwhile.
    """
    if db.dialect.name != "sqlite":
        with db.begin() as connection:
            yield connection
        return
    with db.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.isolation_level = None
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.commit()
        finally:
            connection.invalidate()  # what was set above is the connection's


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "busy_timeout=30000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
