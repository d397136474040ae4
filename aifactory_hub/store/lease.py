"""One service process at a time: two would take the same job forward side by side."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

# Any number, the same in every version: it names the lock among all of the database's.
_LOCK = 0x6166_6875
_PAUSE = 0.5


class LeaseTaken(Exception):
    """Another process of the service works with this database, or nobody can tell."""


class LeaseLost(Exception):
    """The database let go of the lock: another process may have it now."""


class Lease:
    """Held until ``release`` or the end of the process, however it ends.

    With SQLite a lock on a file beside the database, with PostgreSQL an advisory lock on a connection of its own.
    """

    def __init__(self, db: Engine) -> None:
        self._db = db
        self._held: IO[Any] | Connection | None = None

    def acquire(self, *, timeout: float) -> None:
        """Take it, waiting up to ``timeout`` seconds for the process before this one. Raises LeaseTaken."""
        deadline = time.monotonic() + timeout
        while not self._try():
            if time.monotonic() >= deadline:
                where = self._db.url.render_as_string(hide_password=True)
                raise LeaseTaken(f"another process of the service works with {where}: stop it first")
            time.sleep(_PAUSE)

    def check(self) -> None:
        """Raises LeaseLost when it is not certain any more."""
        if isinstance(self._held, Connection):
            try:
                self._held.execute(text("SELECT 1"))
                self._held.rollback()
            except SQLAlchemyError as error:
                raise LeaseLost("the connection that held the lock is gone") from error
        elif self._held is None:
            raise LeaseLost("it is not held")

    def release(self) -> None:
        """Let go."""
        held, self._held = self._held, None
        if isinstance(held, Connection):
            # Not back into the pool: the lock belongs to the connection.
            held.invalidate()
            held.close()
        elif held is not None:
            held.close()

    def _try(self) -> bool:
        if self._db.dialect.name != "sqlite":
            return self._try_database()
        name = self._db.url.database
        if name in (None, "", ":memory:"):
            self._held = open("/dev/null", "rb")  # noqa: SIM115, PTH123 - nobody else can have it
            return True
        try:
            file = Path(f"{name}.lease").open("ab")  # noqa: SIM115 - held until released
        except OSError as error:
            raise LeaseTaken(f"AIFACTORY_HUB_SERVICE_DATABASE can't be used: {error}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._held = file
        return True

    def _try_database(self) -> bool:
        connection = self._db.connect()
        taken = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}))
        connection.rollback()
        if taken:
            self._held = connection
        else:
            connection.close()
        return taken
