"""Checking a backup: everything is opened from copies in a scratch folder, and nothing of the backup is written to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..domain.backups import Backup, BackupError, DatabasePart, Finding, Verdict, chain_finding
from ..registry import RegistryError, load_registry
from ..store.database import migrate
from .copies import open_manifest, trouble
from .databases import SERVICE, bring_back, chains_of, hash_at, knows, opened, sound
from .files import wrong_files
from .keys import decrypt

# How many faults of files are named.
_NAMED = 5


def check_backup(folder: Path, key: bytes | None = None, scratch_database: str | None = None) -> list[Finding]:
    """All findings. ``scratch_database`` is an empty PostgreSQL database for copies of one; it is filled.

    Raises BackupError where there is no backup to look at.
    """
    backup = open_manifest(folder)
    digests = _digests(folder, backup)
    findings = [digests]
    if digests.verdict is Verdict.GOOD:
        with tempfile.TemporaryDirectory(prefix="aifactory-restore-") as scratch:
            for part in backup.databases:
                findings += _database(folder, part, Path(scratch), scratch_database)
        findings += [*_files(folder, backup), *_keys(folder, backup, key), *_tenants(folder, backup)]
    return findings


def _digests(folder: Path, backup: Backup) -> Finding:
    copies = backup.copies()
    wrong = [f"{copy.file}: {said}" for copy in copies if (said := trouble(folder, copy))]
    check, todo = "files of the backup are as they were written", "take another backup, or another copy of this one"
    if wrong:
        return Finding(check, Verdict.BAD, "; ".join(wrong), todo)
    return Finding(check, Verdict.GOOD, f"{len(copies)} files, by size and SHA-256")


def _database(folder: Path, part: DatabasePart, scratch: Path, scratch_database: str | None) -> Iterator[Finding]:
    check, copy = f"the {part.name}'s database opens", folder / part.copy.file
    if part.kind == "sqlite":
        url = f"sqlite:///{scratch / copy.name}"
        if said := sound(copy):
            yield Finding(check, Verdict.BAD, said, "take another backup")
            return
    elif scratch_database is None:
        todo = "name an empty PostgreSQL database with --scratch-database; it is filled and may be dropped afterwards"
        yield Finding(check, Verdict.NOT_TRIED, "it is a dump of PostgreSQL", todo)
        return
    else:
        url = scratch_database
    try:
        bring_back(copy, part.kind, url)
        yield Finding(check, Verdict.GOOD, f"{part.kind}, {part.copy.size} bytes")
        yield from _contents(part, url)
    except BackupError as error:
        yield Finding(check, Verdict.BAD, str(error), "take another backup")


def _contents(part: DatabasePart, url: str) -> Iterator[Finding]:
    revision = _revision(part)
    yield revision
    if part.name != SERVICE or revision.verdict is not Verdict.GOOD:
        return
    with opened(url) as db:
        migrate(db)
        now = chains_of(part.name, db)
        heads = {name: hash_at(db, name, then.entries) for name, then in part.chains.items()}
    for name, found in now.items():
        yield chain_finding(part.name, name, found, part.chains.get(name), heads.get(name, ""))


def _revision(part: DatabasePart) -> Finding:
    check = f"this version knows the tables of the {part.name}'s database"
    known = knows(part.name, part.revision)
    if known is None:
        return Finding(check, Verdict.NOT_TRIED, "JupyterHub is not installed here", "check it where the hub runs")
    if not known:
        todo = "use the version that made the backup, or a newer one; there is no way back to older tables"
        return Finding(check, Verdict.BAD, f"revision {part.revision or 'none'} is not known", todo)
    return Finding(check, Verdict.GOOD, f"revision {part.revision}")


def _files(folder: Path, backup: Backup) -> Iterator[Finding]:
    part, check = backup.files, "the service's files"
    if part is None:
        return
    wrong = wrong_files(part, folder)
    if wrong:
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        yield Finding(check, Verdict.BAD, "; ".join(wrong[:_NAMED]) + more, "take another backup")
    elif part.copied:
        yield Finding(check, Verdict.GOOD, f"{part.count} copies, {part.size} bytes, by size and SHA-256")
    else:
        yield Finding(check, Verdict.GOOD, f"{part.count} listed with digests; they themselves are at {part.where}")


def _keys(folder: Path, backup: Backup, key: bytes | None) -> Iterator[Finding]:
    part, check = backup.keys, "the service's keys"
    if part is None:
        return
    if part.encrypted is None:
        yield Finding(check, Verdict.GOOD, f"{len(part.names)} by name; they themselves are where the files are")
    elif key is None:
        yield Finding(check, Verdict.NOT_TRIED, "they are encrypted", "give the key with --keys-with FILE")
    else:
        try:
            found = decrypt((folder / part.encrypted.file).read_bytes(), key)
        except BackupError as error:
            yield Finding(check, Verdict.BAD, str(error), "find the key that the backup was made with")
            return
        same = sorted(found) == sorted(part.names)
        seen = f"{len(found)} decrypt" if same else f"{len(found)} decrypt, and {len(part.names)} were kept"
        yield Finding(check, Verdict.GOOD if same else Verdict.BAD, seen, "" if same else "take another backup")


def _tenants(folder: Path, backup: Backup) -> Iterator[Finding]:
    if not backup.tenants:
        return
    check = "tenants.yaml"
    try:
        registry = load_registry(folder / "tenants" / "tenants.yaml")
    except RegistryError as error:
        yield Finding(check, Verdict.BAD, str(error), "correct it after restoring, before the service starts")
        return
    yield Finding(check, Verdict.GOOD, f"{len(registry.tenants)} teams, {len(backup.tenants)} files")
