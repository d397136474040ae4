"""A real PostgreSQL for tests: Debian's programs, a cluster of its own in a temporary folder, on loopback only."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

from .ports import free_port

# What the package postgresql makes; the server refuses to run as root.
_USER = "postgres"
_TRIES = 5
# What the server says of a port that it can't have.
_TAKEN = "Address already in use"


class NoPostgres(Exception):
    """The programs are not on this machine: apt-get install postgresql."""


@dataclass
class Postgres:
    """A running server."""

    port: int
    password: str

    def __post_init__(self) -> None:
        self._numbers = count(1)

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"t{next(self._numbers)}"
        where = f"host=127.0.0.1 port={self.port} user=test password={self.password} dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        """SQLAlchemy's form of a database's address."""
        return f"postgresql+psycopg://test:{self.password}@127.0.0.1:{self.port}/{name}"


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server with ``fsync`` off, because its data need not survive the test. Raises NoPostgres."""
    programs = _programs()
    user = _USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="aifactory-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user)
        password = secrets.token_hex(16)
        secret = folder / "password"
        secret.write_text(password)
        if os.geteuid() == 0:
            shutil.chown(secret, user)
        data = folder / "data"
        init = ["-D", str(data), "-U", "test", f"--pwfile={secret}", "--auth=scram-sha-256", "--no-sync", "-E", "UTF8"]
        _run([programs / "initdb", *init, "--locale=C"], user)
        port = _start(programs, folder, user)
        try:
            yield Postgres(port, password)
        finally:
            _run([programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], user)
    finally:
        shutil.rmtree(folder)


def _start(programs: Path, folder: Path, user: str) -> int:
    """Start the server on a free port, which is returned. Between its choice and the start another may take it."""
    for _ in range(_TRIES):
        port = free_port()
        settings = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c max_connections=50"
        command = [programs / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", settings, "start"]
        try:
            _run(command, user)
        except RuntimeError as error:
            said = (folder / "log").read_text(errors="replace")
            if _TAKEN not in said:
                raise RuntimeError(f"{error}\n{said}") from error
            (folder / "log").unlink()
        else:
            return port
    raise RuntimeError(f"each of {_TRIES} free ports was taken before the server had it")


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    if on_path is None:
        raise NoPostgres("no PostgreSQL on this machine: apt-get install postgresql")
    return Path(on_path).resolve().parent


def _run(argv: list[object], user: str) -> None:
    done = subprocess.run(
        [str(word) for word in argv],
        user=user if os.geteuid() == 0 else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        timeout=120,
    )
    if done.returncode:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}: {done.stdout}")
