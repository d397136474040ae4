"""A folder that holds several backups, each in a folder named for its time."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from ..domain.backups import MANIFEST

_NAME = re.compile(r"\d{8}T\d{6}Z")


def next_folder(parent: Path, now: float) -> Path:
    """The folder for a backup that is made at ``now`` (epoch seconds)."""
    return parent / datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")


def remove_old(parent: Path, keep: int) -> list[str]:
    """Remove all but the ``keep`` newest complete ones, and what failed before the newest of these; their names.

    Nothing that is not named as a backup is touched.
    """
    found = sorted(path for path in parent.iterdir() if path.is_dir() and _NAME.fullmatch(path.name))
    complete = [path for path in found if (path / MANIFEST).is_file()]
    kept = set(complete[-keep:])
    newest = complete[-1] if complete else None
    gone = [path for path in found if path not in kept and newest is not None and path < newest]
    for path in gone:
        shutil.rmtree(path)
    return [path.name for path in gone]
