"""The job service's database, for commands that read it where it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from .loading import load

_SQLITE = "sqlite:///"


@contextmanager
def service_database(url: str) -> Iterator[Any]:
    """The database, opened. Raises ClickException where there is none, or where it can't be read."""
    errors, database = load("sqlalchemy.exc", "service"), load("aifactory_hub.store.database", "service")
    if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).is_file():
        raise click.ClickException(f"there is no database at {url}: set AIFACTORY_HUB_SERVICE_DATABASE")
    try:
        db = database.open_db(url)
        try:
            yield db
        finally:
            db.dispose()
    except errors.SQLAlchemyError as error:
        # Its own text may have the address, and with it a password.
        text = f"the service's database can't be read ({type(error).__name__}): has the service of this version run?"
        raise click.ClickException(text) from None
