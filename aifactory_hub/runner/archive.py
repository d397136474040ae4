"""The files of a job, looked through for new and changed ones after it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..untrusted.manifests import path_problem
from ..untrusted.texts import shown
from .patterns import fits

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
    max_files: int = 1000,
) -> Choice:
    """Which new or changed files to keep, if ``outputs`` is given only those that fit it; small ones first.

    Small ones first, because a metrics file that is left for a huge checkpoint helps nobody. Where there are more than
    ``max_files``, those in the fewest folders are kept: results lie at the top, and caches deep. A file whose name
    can't be sent is left, and so is a pattern that fits nothing.
    """
    changed = [name for name, stamp in after.items() if before.get(name) != stamp]
    wanted = [name for name in changed if outputs is None or any(fits(name, pattern) for pattern in outputs)]
    left = dict.fromkeys(_idle(outputs or (), changed), "it fits no new or changed file")
    sendable = []
    for name in wanted:
        if problem := path_problem(name):
            left[shown(name)] = f"{problem}: rename it"
        else:
            sendable.append(name)
    sendable.sort(key=lambda name: (name.count("/"), after[name].size, name))
    for name in sendable[max_files:]:
        left[name] = f"a job keeps {max_files} files at most: narrow its outputs down, or pack them into one"
    kept: list[str] = []
    room = max_bytes
    for name in sorted(sendable[:max_files], key=lambda n: (after[n].size, n)):
        size = after[name].size
        if size > room:
            left[name] = f"its {size} bytes are more than the {room} that are left of {max_bytes}"
            continue
        room -= size
        kept.append(name)
    return Choice(tuple(kept), left)


def _idle(outputs: Sequence[str], changed: Sequence[str]) -> list[str]:
    """Patterns of the person's that fit nothing; those of our own folder are none of theirs."""
    own = [pattern for pattern in outputs if not pattern.startswith(".aifactory/")]
    return [pattern for pattern in own if not any(fits(name, pattern) for name in changed)]


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
            try:
                yield name, entry.stat(follow_symlinks=False)
            except OSError:  # it went meanwhile
                continue
