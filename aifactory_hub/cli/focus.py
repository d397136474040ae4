"""``aifactory-hub bill --focus``: a month's bills as files in FOCUS, from the service's database."""

from __future__ import annotations

from pathlib import Path

import click

from ..settings import read_database_settings
from .loading import load
from .registry import open_registry
from .service_database import service_database


def write_focus_of(month: str, folder: Path, *, version: str = "1.4", form: str = "csv") -> None:
    """Write the month's files and print what was written. Raises ClickException.

    A month that is not closed is told as far as the host was heard.
    """
    settings = read_database_settings()
    registry = open_registry(str(settings.tenants))
    months = load("aifactory_hub.store.focus_month", "service")
    not_written = load("aifactory_hub.store.focus_files", "service").FocusNotWritten
    try:
        with service_database(settings.database) as db:
            written = months.write_month(db, registry, month, folder, version=version, form=form)
    except (ValueError, OSError, not_written) as error:
        raise click.ClickException(str(error)) from error
    for file, rows in written.rows.items():
        click.echo(f"{folder / f'{file}.{form}'}: {rows} rows")
    if written.unpriced:
        lines = (
            "1 line has no price and is" if written.unpriced == 1 else f"{written.unpriced} lines have no price and are"
        )
        click.echo(f"{lines} not in it; see manifest.json.")
