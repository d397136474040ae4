"""``aifactory-hub backup`` and ``aifactory-hub restore``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from .loading import load
from .registry import EXIT_BAD_FILE

if TYPE_CHECKING:
    from aifactory_hub.domain.backups import Finding

EXIT_WRONG = 1
_MARKS = {"ok": "ok       ", "wrong": "WRONG    ", "not tried": "not tried"}
F = TypeVar("F", bound=Callable[..., Any])


def _without_password(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A password among a program's arguments is seen by everybody on the machine."""
    on_the_line = parameter.name and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    if value is not None and on_the_line and ":" in value.partition("://")[2].partition("@")[0] and "@" in value:
        raise click.BadParameter("leave the password out of the address: give it as PGPASSWORD in the environment")
    return value


def _database(name: str, text: str, envvar: str | None = None) -> Callable[[F], F]:
    return click.option(name, envvar=envvar, callback=_without_password, help=text)


def _path(name: str, text: str, envvar: str | None = None) -> Callable[[F], F]:
    return click.option(name, envvar=envvar, type=click.Path(path_type=Path), help=text)


_FOLDER = click.argument("folder", type=click.Path(path_type=Path))
_SERVICE = _database("--service-database", "Address of the job service's database.", "AIFACTORY_HUB_SERVICE_DATABASE")
_HUB = _database("--hub-database", "Address of JupyterHub's database, such as sqlite:////srv/jupyterhub.sqlite.")
_KEYS = _path("--keys-with", "A file with a key of 64 hex digits, with which the service's own keys are encrypted.")


@click.command()
@_FOLDER
@_SERVICE
@_HUB
@_path("--files", "The job service's folder of files and keys.", "AIFACTORY_HUB_SERVICE_FILES")
@click.option("--objects", envvar="AIFACTORY_HUB_SERVICE_OBJECTS", help="Its bucket, s3://..., where it has one.")
@_path("--tenants", "tenants.yaml; all that it names is kept with it.", "AIFACTORY_HUB_TENANTS")
@_KEYS
@click.option("--copy-files", is_flag=True, help="Copy the files of jobs too. Else they are listed with their digests.")
@click.option(
    "--keep",
    type=click.IntRange(1, 1000),
    help="FOLDER holds several backups: make one in it, named for its time, and remove all but so many.",
)
def backup(
    folder: Path,
    service_database: str | None,
    hub_database: str | None,
    files: Path | None,
    objects: str | None,
    tenants: Path | None,
    keys_with: Path | None,
    copy_files: bool,
    keep: int | None,
) -> None:
    """Keep in FOLDER what a site can't make anew: databases, files, keys, tenants.yaml. Nothing has to stop.

    FOLDER is new or empty; its manifest.json is written last. What is not given is not kept, and is named.
    """
    if not any((service_database, hub_database, files, objects, tenants)):
        raise click.UsageError("nothing to keep: give --service-database, --hub-database, --files or --tenants")
    module, keys = load("aifactory_hub.backup", "service"), load("aifactory_hub.backup.keys", "service")

    def work() -> None:
        key = keys.read_key(keys_with) if keys_with else None
        sources = module.Sources(service_database, hub_database, files, objects or None, tenants, key, copy_files)
        now = time.time()
        target = module.next_folder(folder, now) if keep else folder
        made = module.make_backup(sources, target, now)
        for copy in made.copies():
            click.echo(f"kept {copy.file}: {copy.size} bytes, SHA-256 {copy.sha256}")
        if made.files is not None:
            how = "copied" if made.files.copied else "listed"
            click.echo(f"{how} {made.files.count} files of {made.files.where}: {made.files.size} bytes")
        for each in made.lacks:
            click.echo(f"not kept: {each}")
        for name in module.remove_old(folder, keep) if keep else ():
            click.echo(f"removed {name}")
        click.echo(f"try it: aifactory-hub restore --check {target}")

    _run(work)


@click.command()
@_FOLDER
@click.option("--check", is_flag=True, help="Change nothing: open copies of all of it in a scratch folder.")
@_database(
    "--scratch-database",
    "With --check: an empty PostgreSQL database for a dump; it is filled.",
    "AIFACTORY_HUB_SCRATCH",
)
@_database("--service-database", "Where the job service's database goes: nothing, or an empty database.")
@_database("--hub-database", "Where JupyterHub's database goes.")
@_path("--files", "Where files and keys go: an empty folder.")
@_path("--tenants", "Where tenants.yaml and what it names goes: an empty folder.")
@_KEYS
def restore(
    folder: Path,
    check: bool,
    scratch_database: str | None,
    service_database: str | None,
    hub_database: str | None,
    files: Path | None,
    tenants: Path | None,
    keys_with: Path | None,
) -> None:
    """Bring back what a backup in FOLDER has, or with --check say whether that could be done.

    Restores only what is named, and only into places where nothing is. With --check ends with 1 when something is
    wrong or could not be tried; with 2 when FOLDER is no backup.
    """
    module, keys = load("aifactory_hub.backup", "service"), load("aifactory_hub.backup.keys", "service")
    if not check and not any((service_database, hub_database, files, tenants)):
        raise click.UsageError(
            "say what to restore: --service-database, --hub-database, --files, --tenants, or --check"
        )

    def work() -> None:
        key = keys.read_key(keys_with) if keys_with else None
        if check:
            _show(module.check_backup(folder, key, scratch_database))
            return
        targets = module.Targets(service_database, hub_database, files, tenants, key)
        for line in module.restore_backup(folder, targets):
            click.echo(f"restored {line}")

    _run(work)


def _show(findings: list[Finding]) -> None:
    for each in findings:
        click.echo(f"{_MARKS[each.verdict.value]} {each.check}: {each.seen}")
        if each.todo:
            click.echo(f"          to do: {each.todo}")
    well = sum(each.verdict.value == "ok" for each in findings)
    click.echo(f"{well} of {len(findings)} are well")
    if not load("aifactory_hub.domain.backups", "service").good(findings):
        sys.exit(EXIT_WRONG)


def _run(work: Callable[[], None]) -> None:
    """Ends the process with 2 and a reason where there is one."""
    domain, registry = load("aifactory_hub.domain.backups", "service"), load("aifactory_hub.registry", "service")
    try:
        work()
    except (domain.BackupError, registry.RegistryError) as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_BAD_FILE)
