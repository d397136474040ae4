"""Making a backup: databases first, then the files that they name, the manifest last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .. import __version__
from ..domain.backups import Backup, BackupError, Chain, CopiedFile, DatabasePart, FilesPart, KeysPart
from ..registry import load_registry
from ..registry.contents import cards_in, look_at
from ..registry.team_files import FOLDER as TEAMS
from ..registry.team_files import team_files
from ..store.blobs import S3Blobs
from .copies import copy_into, describe, write_manifest
from .databases import HUB, SERVICE, chains_of, copy_database, is_current, kind_of, opened, revision_of
from .files import blobs_of, list_files, private
from .keys import ENCRYPTED, encrypt


@dataclass(frozen=True, slots=True)
class Sources:
    """The parts of a site that a backup keeps; None for a part that is not on this machine. ``objects`` is a bucket, ``s3://...``.

    ``key`` encrypts the service's keys; without it they are named and stay where they are.
    """

    service_database: str | None = None
    hub_database: str | None = None
    files: Path | None = None
    objects: str | None = None
    tenants: Path | None = None
    key: bytes | None = field(default=None, repr=False)
    copy_files: bool = False


def make_backup(sources: Sources, folder: Path, now: float) -> Backup:
    """Make a backup in ``folder``, which is empty or not there. Raises BackupError and RegistryError; then there
    is no manifest."""
    _prepare(folder)
    given = {SERVICE: sources.service_database, HUB: sources.hub_database}
    databases = tuple(_database(url, folder, name) for name, url in given.items() if url is not None)
    backup = Backup(
        made_at=now,
        product=__version__,
        databases=databases,
        files=_files(sources, folder),
        keys=_keys(sources, folder),
        tenants=tuple(_tenants(sources.tenants, folder)) if sources.tenants else (),
        lacks=tuple(_lacks(sources, given)),
    )
    write_manifest(folder, backup)
    return backup


def _prepare(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder} is not empty: give a new folder for each backup")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        raise BackupError(f"{folder} can't be made: {error.strerror}") from error


def _database(url: str, folder: Path, name: str) -> DatabasePart:
    kind = kind_of(url)
    if kind == "sqlite":
        path = copy_database(url, folder, name)
        revision, chains = _state(name, f"sqlite:///{path}")
    else:
        # Before the dump, which then has these entries and those that came since.
        revision, chains = _state(name, url)
        path = copy_database(url, folder, name)
    return DatabasePart(name, kind, describe(folder, path), revision, chains)


def _state(name: str, url: str) -> tuple[str, dict[str, Chain]]:
    """The revision of its tables, and its chains. Raises BackupError for one that is broken: keep an earlier backup."""
    with opened(url) as db:
        revision = revision_of(db)
        chains = chains_of(name, db) if is_current(name, revision) else {}
    if wrong := [f"{chain}: {each.problem}" for chain, each in chains.items() if each.problem]:
        raise BackupError(f"the {name}'s database is not as it was written: {'; '.join(wrong)}. Keep earlier backups")
    return revision, chains


def _files(sources: Sources, folder: Path) -> FilesPart | None:
    if sources.objects is not None:
        try:
            bucket = S3Blobs.at(sources.objects)
        except ValueError as error:
            raise BackupError(f"{sources.objects} can't be used: {error}") from error
        return list_files(bucket, sources.objects, folder, copy=sources.copy_files)
    if sources.files is None:
        return None
    if not sources.files.is_dir():
        raise BackupError(f"there is no folder of files at {sources.files}: set AIFACTORY_HUB_SERVICE_FILES")
    return list_files(blobs_of(sources.files), str(sources.files), folder, copy=sources.copy_files)


def _keys(sources: Sources, folder: Path) -> KeysPart | None:
    if sources.files is None:
        return None
    names = [path.relative_to(sources.files).as_posix() for path in private(sources.files)]
    if sources.key is None:
        return KeysPart(names)
    path = folder / ENCRYPTED
    path.write_bytes(encrypt(sources.files, names, sources.key))
    return KeysPart(names, describe(folder, path))


def _tenants(file: Path, folder: Path) -> list[CopiedFile]:
    """The file, and teams' files, cards, locks and rules that it names. Raises RegistryError for a wrong one."""
    registry, beside = load_registry(file), file.parent
    found = {"tenants.yaml": file} | {f"{TEAMS}/{each.name}": each for each in team_files(file)}
    found |= {name: beside / name for name in cards_in(look_at(file, ()))}
    if (rules := registry.policies_folder) is not None:
        found |= {f"policies/{each.relative_to(rules)}": each for each in rules.rglob("*") if each.is_file()}
    return [copy_into(folder, path, f"tenants/{_inside(name)}") for name, path in sorted(found.items())]


def _inside(name: str) -> str:
    """A name below the backup's folder, for a file that may lie anywhere."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


def _lacks(sources: Sources, databases: Mapping[str, str | None]) -> list[str]:
    found = [f"the {name}'s database" for name, url in databases.items() if url is None]
    if sources.files is None and sources.objects is None:
        found.append("the service's files")
    elif not sources.copy_files:
        found.append("the service's files themselves: there is a listing with their digests")
    if sources.files is None or sources.key is None:
        found.append("the service's keys themselves")
    if sources.tenants is None:
        found.append("tenants.yaml")
    return [*found, "the Secret aifactory-hub"]
