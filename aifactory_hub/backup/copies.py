"""Files of a backup: written for their owner alone, known by size and SHA-256."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from ..domain.backups import MANIFEST, Backup, BackupError, CopiedFile, read_manifest

_PIECE = 1 << 20


def describe(folder: Path, path: Path) -> CopiedFile:
    """The file at ``path`` inside of ``folder``, as it is now; for its owner alone from now on."""
    path.chmod(0o600)
    return CopiedFile(path.relative_to(folder).as_posix(), path.stat().st_size, digest(path))


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_into(folder: Path, source: Path, name: str) -> CopiedFile:
    """Copy a file to ``name`` inside of the backup."""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(source, target)
    return describe(folder, target)


def trouble(folder: Path, copy: CopiedFile) -> str:
    """Why a file is not what the manifest says; empty when it is."""
    path = folder / copy.file
    if not path.is_file():
        return "it is not there"
    if path.stat().st_size != copy.size:
        return f"it has {path.stat().st_size} bytes, and had {copy.size}"
    return "" if digest(path) == copy.sha256 else "its SHA-256 is another one"


def write_manifest(folder: Path, backup: Backup) -> None:
    """The last file of a backup: a folder without it is none."""
    half = folder / f".{MANIFEST}"
    half.write_text(json.dumps(backup.to_json(), indent=2) + "\n", encoding="utf-8")
    half.chmod(0o600)
    half.replace(folder / MANIFEST)


def open_manifest(folder: Path) -> Backup:
    """Raises BackupError."""
    try:
        data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except OSError as error:
        text = f"{folder / MANIFEST} can't be read ({error.strerror}): give the folder of a backup that was completed"
        raise BackupError(text) from error
    except ValueError as error:
        raise BackupError(f"{folder / MANIFEST} is no JSON: take another backup") from error
    return read_manifest(data)
