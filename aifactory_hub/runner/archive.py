"""The files of a job, looked through for new and changed ones after it."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Made by tools beside the work, never a result of it.
_NEVER_KEPT = frozenset({"__pycache__", ".ipynb_checkpoints", ".git", ".cache"})


class BadArchive(Exception):
    """The job's files can't be laid out, or must not be; the text names the entry."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells whether a file was touched: modification time in ns and size in bytes."""

    mtime_ns: int
    size: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Which files to bring home, and which were left, each with why."""

    kept: tuple[str, ...]
    left: Mapping[str, str]


def stamps(folder: Path) -> dict[str, Stamp]:
    """Every regular file below ``folder`` by its path, without following links."""
    return {name: Stamp(s.st_mtime_ns, s.st_size) for name, s in _walk(folder, "")}


def choose(
    before: Mapping[str, Stamp],
    after: Mapping[str, Stamp],
    *,
    outputs: Sequence[str] | None,
    max_bytes: int,
) -> Choice:
    """Which new or changed files to keep, if ``outputs`` is given only those that match it; small ones first.

    Small ones first, because a metrics file that is left for a huge checkpoint helps nobody.
    """
    changed = (name for name, stamp in after.items() if before.get(name) != stamp)
    wanted = (name for name in changed if outputs is None or _matches(name, outputs))
    kept: list[str] = []
    left: dict[str, str] = {}
    room = max_bytes
    for name in sorted(wanted, key=lambda n: (after[n].size, n)):
        size = after[name].size
        if size > room:
            left[name] = f"its {size} bytes are more than the {room} that are left of {max_bytes}"
            continue
        room -= size
        kept.append(name)
    return Choice(tuple(kept), left)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, p) or name.startswith(p.rstrip("/") + "/") for p in map(_plain, patterns))


def _plain(pattern: str) -> str:
    return pattern.removeprefix("./")


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError:
        return
    for entry in entries:
        name = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _NEVER_KEPT:
                yield from _walk(Path(entry.path), f"{name}/")
        elif entry.is_file(follow_symlinks=False):
            yield name, entry.stat(follow_symlinks=False)
