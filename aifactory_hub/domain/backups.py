"""What a backup has in it, as its manifest says, and what may be said of one that was looked at. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

# Of the manifest's form: a program that finds another one says so.
FORMAT = 1
MANIFEST = "manifest.json"


class BackupError(Exception):
    """A backup can't be made, read or restored; the message says why and what to do. It holds no password."""


class Verdict(StrEnum):
    """What a look found. NOT_TRIED is not a yes: a check that has not looked has proved nothing."""

    GOOD = "ok"
    BAD = "wrong"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of a backup."""

    check: str
    verdict: Verdict
    seen: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """A file inside of the backup: its path there, its size in bytes, its SHA-256."""

    file: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Chain:
    """How far a chain of hashes went, so that one that ends earlier is found: ``head`` is the last hash."""

    entries: int
    head: str = ""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class DatabasePart:
    """A database: ``name`` is `service` or `hub`, ``kind`` `sqlite` or `postgresql`, ``revision`` its tables'."""

    name: str
    kind: str
    copy: CopiedFile
    revision: str
    chains: Mapping[str, Chain]


@dataclass(frozen=True, slots=True)
class FilesPart:
    """The service's files: a listing with digests and, with ``copied``, the files themselves. ``size`` in bytes."""

    where: str
    listing: CopiedFile
    count: int
    size: int
    copied: bool


@dataclass(frozen=True, slots=True)
class KeysPart:
    """The service's private keys: their names, and one encrypted file of them unless they are left where they are."""

    names: Sequence[str]
    encrypted: CopiedFile | None = None


@dataclass(frozen=True, slots=True)
class Backup:
    """All of a backup. ``made_at`` in epoch seconds; ``lacks`` says what was not given and so is not in it."""

    made_at: float
    product: str
    databases: Sequence[DatabasePart]
    files: FilesPart | None = None
    keys: KeysPart | None = None
    tenants: Sequence[CopiedFile] = ()
    lacks: Sequence[str] = ()

    def copies(self) -> list[CopiedFile]:
        """Every file that has to be in the folder, the service's own files aside."""
        found = [*(each.copy for each in self.databases), *self.tenants]
        found += [self.files.listing] if self.files else []
        found += [self.keys.encrypted] if self.keys and self.keys.encrypted else []
        return found

    def to_json(self) -> dict[str, Any]:
        """The manifest, with a SHA-256 of all else in it."""
        content = {"format": FORMAT, **asdict(self)}
        return {**content, "sha256": _digest(content)}


def read_manifest(data: Any) -> Backup:
    """Raises BackupError for what is no manifest of this form."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else None
        raise BackupError(f"{MANIFEST} has format {found!r}, this version reads {FORMAT}: use the version that made it")
    if data.get("sha256") != _digest({key: value for key, value in data.items() if key != "sha256"}):
        raise BackupError(f"{MANIFEST} is damaged: take another backup, or another copy of this one")
    try:
        return Backup(
            made_at=float(data["made_at"]),
            product=str(data["product"]),
            databases=tuple(_database(each) for each in data["databases"]),
            files=None if data["files"] is None else _files(data["files"]),
            keys=None if data["keys"] is None else _keys(data["keys"]),
            tenants=tuple(_copy(each) for each in data["tenants"]),
            lacks=tuple(str(each) for each in data["lacks"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BackupError(f"{MANIFEST} is damaged ({type(error).__name__}: {error}): take another backup") from error


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _copy(data: Mapping[str, Any]) -> CopiedFile:
    """Raises ValueError for a path that leads out of the backup."""
    file = str(data["file"])
    if file.startswith("/") or ".." in file.split("/"):
        raise ValueError(f"{file!r} is no path inside of a backup")
    return CopiedFile(file, int(data["size"]), str(data["sha256"]))


def _database(data: Mapping[str, Any]) -> DatabasePart:
    chains = {name: Chain(**each) for name, each in data["chains"].items()}
    return DatabasePart(str(data["name"]), str(data["kind"]), _copy(data["copy"]), str(data["revision"]), chains)


def _files(data: Mapping[str, Any]) -> FilesPart:
    listing, copied = _copy(data["listing"]), bool(data["copied"])
    return FilesPart(str(data["where"]), listing, int(data["count"]), int(data["size"]), copied)


def _keys(data: Mapping[str, Any]) -> KeysPart:
    encrypted = None if data["encrypted"] is None else _copy(data["encrypted"])
    return KeysPart(tuple(str(each) for each in data["names"]), encrypted)


def chain_finding(database: str, name: str, now: Chain, then: Chain | None, head: str) -> Finding:
    """Whether a chain is whole, and still has what it had when the backup was begun.

    ``head`` is the hash that it has now at the entry that was the last one then.
    """
    check = f"{name} of the {database}'s database"
    todo = "take an earlier backup; `aifactory-hub usage verify` says the same of the database that runs"
    if now.problem:
        return Finding(check, Verdict.BAD, now.problem, todo)
    if then is not None and then.entries and then.head != head:
        return Finding(check, Verdict.BAD, f"{now.entries} entries, and {then.entries} when it was made", todo)
    return Finding(check, Verdict.GOOD, f"{now.entries} entries, each with the hash that follows")


def good(findings: Iterable[Finding]) -> bool:
    """Whether all was looked at and is well."""
    return all(each.verdict is Verdict.GOOD for each in findings)
