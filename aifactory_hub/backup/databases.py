"""Databases to files and back: SQLite by its own copy while it is in use, PostgreSQL by pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ..domain.backups import BackupError, Chain
from ..store.database import open_db
from ..store.ledger import Ledger
from ..store.model_tables import StatementRow
from ..store.statements import read_chain
from ..store.usage_tables import UsageEventRow

SERVICE, HUB = "service", "hub"
LEDGER, STATEMENTS = "the ledger", "the chain of statements"
_ENDS = {"sqlite": "sqlite", "postgresql": "pgdump"}
_OWN_MIGRATIONS = Path(__file__).parents[1] / "store" / "migrations"


def kind_of(url: str) -> str:
    """`sqlite` or `postgresql`. Raises BackupError for any other database."""
    try:
        kind = make_url(url).get_backend_name()
    except ArgumentError as error:
        raise BackupError("the database's address can't be read: write sqlite:///<path> or postgresql://...") from error
    if kind not in _ENDS:
        raise BackupError(f"a database of {kind} can't be copied here: use its own tools")
    return kind


def copy_database(url: str, folder: Path, name: str) -> Path:
    """Copy a database that may be in use, as it is at one moment; the file. Raises BackupError."""
    kind = kind_of(url)
    target = folder / "databases" / f"{name}.{_ENDS[kind]}"
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if kind == "sqlite":
        _copy_sqlite(_path_of(url), target)
    else:
        _run_postgres("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", "--file", str(target))
    return target


def bring_back(copy: Path, kind: str, url: str) -> None:
    """Make the database at ``url`` what the copy is. Raises BackupError where something is there already."""
    if kind_of(url) != kind:
        raise BackupError(f"the copy is of {kind}, and the database to restore into is not: give one of {kind}")
    if kind == "sqlite":
        target = _path_of(url)
        if target.exists():
            raise BackupError(f"{target} is there already: stop what uses it and move it away first")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(copy, target)
        target.chmod(0o600)
        return
    with opened(url) as db:
        if inspect(db).get_table_names():
            raise BackupError("the database to restore into has tables: make an empty one, or drop what is in it")
    options = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
    _run_postgres("pg_restore", url, *options, "--dbname", make_url(url).database or "", str(copy))


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """The database, closed afterwards. Raises BackupError where it can't be used; no address is shown."""
    db = open_db(url)
    try:
        yield db
    except SQLAlchemyError as error:
        raise BackupError(f"the database can't be read ({type(error).__name__})") from None
    finally:
        db.dispose()


def revision_of(db: Engine) -> str:
    """The revision of its tables; empty where it has none."""
    if not inspect(db).has_table("alembic_version"):
        return ""
    with db.connect() as connection:
        return str(connection.scalar(text("SELECT version_num FROM alembic_version")) or "")


def knows(name: str, revision: str) -> bool | None:
    """Whether this version can use tables of that revision; None when what knows it is not installed here."""
    folder = _OWN_MIGRATIONS if name == SERVICE else _hub_migrations()
    if folder is None:
        return None
    try:
        return ScriptDirectory(str(folder)).get_revision(revision) is not None
    except CommandError:
        return False


def is_current(name: str, revision: str) -> bool:
    """Whether the tables are as this version's service uses them; the hub's are JupyterHub's to judge."""
    return name == SERVICE and revision == ScriptDirectory(str(_OWN_MIGRATIONS)).get_current_head()


def chains_of(name: str, db: Engine) -> dict[str, Chain]:
    """Every chain of hashes in the database, read from its beginning to its end at one moment."""
    if name != SERVICE:
        return {}
    if db.dialect.name == "postgresql":
        db = db.execution_options(isolation_level="REPEATABLE READ")
    ledger, statements = Ledger(db).verify(), read_chain(db)
    newest = select(UsageEventRow.hash).order_by(UsageEventRow.seq.desc()).limit(1)
    with db.connect() as connection:
        head = str(connection.scalar(newest) or "")
    return {
        LEDGER: Chain(ledger.events, head, ledger.problem),
        STATEMENTS: Chain(statements.statements, statements.head, statements.problem),
    }


def hash_at(db: Engine, chain: str, number: int) -> str:
    """The hash of one entry of a chain; empty where there is none."""
    events, rows = UsageEventRow, StatementRow
    query = {
        LEDGER: select(events.hash).where(events.seq == number),
        STATEMENTS: select(rows.hash).where(rows.number == number),
    }[chain]
    with db.connect() as connection:
        return str(connection.scalar(query) or "")


def sound(copy: Path) -> str:
    """Ask SQLite to check a file; its complaints, empty when there are none."""
    try:
        with closing(sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)) as connection:
            found = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else found


def _hub_migrations() -> Path | None:
    try:
        import jupyterhub
    except ModuleNotFoundError:
        return None
    return Path(jupyterhub.__file__).parent / "alembic"


def _path_of(url: str) -> Path:
    path = make_url(url).database
    if not path or path == ":memory:":
        raise BackupError("the database is in memory: there is nothing to keep")
    return Path(path)


def _copy_sqlite(source: Path, target: Path) -> None:
    if not source.is_file():
        raise BackupError(f"there is no database at {source}: give its address")
    try:
        with closing(sqlite3.connect(source, timeout=30)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
            # One file, without the log beside it.
            new.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{source} can't be copied: {error}") from error


def _run_postgres(program: str, url: str, *arguments: str) -> None:
    """Run a client program of PostgreSQL. The password is in its environment, never among its arguments."""
    found = _program(program)
    try:
        done = subprocess.run(
            [str(found), "--no-password", *arguments],
            env=_environment(make_url(url)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise BackupError(f"{found} can't be run: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BackupError(f"{program} ended with {done.returncode}: {said[:500]}")


def _program(name: str) -> Path:
    """The newest one: it has to be at least as new as the server."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which(name)
    if not found and on_path is None:
        raise BackupError(f"{name} is not on this machine: install PostgreSQL's client programs (postgresql-client)")
    return found[-1] if found else Path(str(on_path))


def _environment(url: URL) -> dict[str, str]:
    given = {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username, "PGDATABASE": url.database}
    given |= {"PGPASSWORD": url.password}
    return {**os.environ, **{name: str(value) for name, value in given.items() if value is not None}}
