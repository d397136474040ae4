"""Bringing a backup back, into places where nothing is yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..domain.backups import Backup, BackupError
from .copies import copy_into, open_manifest, trouble
from .databases import HUB, SERVICE, bring_back
from .files import bring_files_back, wrong_files
from .keys import bring_keys_back, decrypt


@dataclass(frozen=True, slots=True)
class Targets:
    """The places that a backup is brought back to; None for a part that stays as it is.

    A database has to be empty or not there, a folder empty.
    """

    service_database: str | None = None
    hub_database: str | None = None
    files: Path | None = None
    tenants: Path | None = None
    key: bytes | None = field(default=None, repr=False)


def restore_backup(folder: Path, targets: Targets) -> list[str]:
    """Bring back what ``targets`` names; what was done, line by line.

    Everything is looked at before the first thing is written. Raises BackupError, and then says what is there already.
    """
    backup = open_manifest(folder)
    for copy in backup.copies():
        if said := trouble(folder, copy):
            raise BackupError(f"{copy.file}: {said}; nothing was restored")
    _look(folder, backup, targets)
    return [*_databases(folder, backup, targets), *_files(folder, backup, targets), *_tenants(folder, backup, targets)]


def _look(folder: Path, backup: Backup, targets: Targets) -> None:
    """Raises BackupError for what can't be done."""
    kept = {each.name for each in backup.databases}
    for name, url in ((SERVICE, targets.service_database), (HUB, targets.hub_database)):
        if url is not None and name not in kept:
            raise BackupError(f"the backup lacks the {name}'s database: leave it out, or give another backup")
    for target in (targets.files, targets.tenants):
        if target is not None and target.exists() and any(target.iterdir()):
            raise BackupError(f"{target} is not empty: move away what is in it")
    if targets.tenants is not None and not backup.tenants:
        raise BackupError("the backup lacks tenants.yaml: leave it out, or give another backup")
    if targets.files is not None:
        _look_at_files(folder, backup, targets.key)


def _look_at_files(folder: Path, backup: Backup, key: bytes | None) -> None:
    if backup.files is None or not backup.files.copied:
        where = backup.files.where if backup.files else "the service's folder"
        raise BackupError(f"the backup has no copies of files: bring back {where} itself, from a copy of its volume")
    if wrong := wrong_files(backup.files, folder):
        raise BackupError(f"{wrong[0]}; nothing was restored")
    if backup.keys is not None and backup.keys.encrypted is not None:
        if key is None:
            raise BackupError("the keys are encrypted: give the key with --keys-with FILE")
        decrypt((folder / backup.keys.encrypted.file).read_bytes(), key)


def _databases(folder: Path, backup: Backup, targets: Targets) -> Iterator[str]:
    places = {SERVICE: targets.service_database, HUB: targets.hub_database}
    for part in backup.databases:
        url = places[part.name]
        if url is not None:
            bring_back(folder / part.copy.file, part.kind, url)
            yield f"the {part.name}'s database, {part.kind}, revision {part.revision}"


def _files(folder: Path, backup: Backup, targets: Targets) -> Iterator[str]:
    if targets.files is None:
        return
    yield f"{bring_files_back(folder, targets.files)} files"
    keys = backup.keys
    if keys is not None and keys.encrypted is not None and targets.key is not None:
        bring_keys_back(decrypt((folder / keys.encrypted.file).read_bytes(), targets.key), targets.files)
        yield f"{len(keys.names)} keys"
    elif keys is not None and keys.names:
        yield f"not the {len(keys.names)} keys, which the backup has by name alone: {', '.join(keys.names)}"


def _tenants(folder: Path, backup: Backup, targets: Targets) -> Iterator[str]:
    if targets.tenants is not None:
        for copy in backup.tenants:
            copy_into(targets.tenants, folder / copy.file, copy.file.removeprefix("tenants/"))
        yield f"{len(backup.tenants)} files of tenants.yaml"
