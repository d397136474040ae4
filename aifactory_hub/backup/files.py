"""The service's files: a listing with digests, and the files themselves where they are to be copied."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from ..domain.backups import BackupError, CopiedFile, FilesPart
from ..store.blobs import BlobMissing, Blobs, BlobsUnavailable, FolderBlobs
from .copies import copy_into, describe, trouble

LISTING = "files.jsonl"
COPIES = "files"
# Half received, and what the service's own keys are in: these are no files of jobs.
_NO_FILES = ("incoming/", "credentials/", "model-keys/")
_PRIVATE = (".secret",)


def private(root: Path) -> list[Path]:
    """The service's private keys and credentials, by name. They are always in its own folder."""
    folders = [path for name in ("credentials", "model-keys") for path in (root / name).rglob("*")]
    return sorted(path for path in [*root.glob("*.secret"), *folders] if path.is_file())


def list_files(blobs: Blobs, where: str, folder: Path, *, copy: bool) -> FilesPart:
    """Write the listing, and copies with ``copy``. Raises BackupError."""
    count = size = 0
    listing = folder / LISTING
    try:
        with listing.open("w", encoding="utf-8") as out:
            for found in _listed(blobs, folder, copy=copy):
                out.write(json.dumps({"key": found.file, "size": found.size, "sha256": found.sha256}) + "\n")
                count, size = count + 1, size + found.size
    except BlobsUnavailable as error:
        raise BackupError(f"the files at {where} can't be read: {error}") from error
    return FilesPart(where, describe(folder, listing), count, size, copy)


def _listed(blobs: Blobs, folder: Path, *, copy: bool) -> Iterator[CopiedFile]:
    for fact in sorted(blobs.list(""), key=lambda each: each.key):
        if fact.key.startswith(_NO_FILES) or fact.key.endswith(_PRIVATE):
            continue
        try:
            yield _one(blobs, fact.key, folder / COPIES / fact.key if copy else None)
        except BlobMissing:
            continue  # it was removed since it was listed


def _one(blobs: Blobs, key: str, target: Path | None) -> CopiedFile:
    reading, made, size = blobs.open(key), hashlib.sha256(), 0
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    out = target.open("xb") if target is not None else None
    try:
        while piece := reading.next():
            made.update(piece)
            size += len(piece)
            if out is not None:
                out.write(piece)
    finally:
        reading.close()
        if out is not None:
            out.close()
    return CopiedFile(key, size, made.hexdigest())


def wrong_files(part: FilesPart, folder: Path) -> list[str]:
    """Compare the copies with the listing; a sentence for each fault. Without copies only their number is compared."""
    wrong, count = [], 0
    for each in listed(folder):
        count += 1
        if part.copied and (said := trouble(folder / COPIES, each)):
            wrong.append(f"{each.file}: {said}")
    if count != part.count:
        wrong.append(f"the listing has {count} files, and had {part.count}")
    return wrong


def listed(folder: Path) -> Iterator[CopiedFile]:
    """Read the listing, file by file. Raises BackupError."""
    with (folder / LISTING).open(encoding="utf-8") as lines:
        for line in lines:
            try:
                data = json.loads(line)
                yield CopiedFile(str(data["key"]), int(data["size"]), str(data["sha256"]))
            except (ValueError, KeyError, TypeError) as error:
                raise BackupError(f"{LISTING} has a line that is none: take another backup") from error


def bring_files_back(folder: Path, target: Path) -> int:
    """Copy all files into an empty folder; how many. Raises BackupError for a key that leads elsewhere."""
    count = 0
    for each in listed(folder):
        if each.file.startswith("/") or ".." in each.file.split("/"):
            raise BackupError(f"{LISTING} names {each.file!r}, which is no key")
        copy_into(target, folder / COPIES / each.file, each.file)
        count += 1
    return count


def blobs_of(files: Path) -> Blobs:
    """The service's own folder."""
    return FolderBlobs(files)
