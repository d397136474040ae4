"""Teams that people asked for, as files: the job service says which were granted, and each process keeps its own copy.

What the service does not name stays: a service that starts anew, or with an older database, ends no team.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .scalars import read_tenant_name
from .team_files import SUFFIX


@dataclass(frozen=True, slots=True)
class GrantedTeams:
    """``teams`` has the text of each granted team's file, ``removed`` those that an administrator took out again."""

    teams: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()


# Asks the job service which teams were granted.
Fetch = Callable[[], Awaitable[GrantedTeams]]


def read_answer(said: Mapping[str, Any]) -> GrantedTeams:
    """The service's answer. Raises KeyError, ValueError and TypeError for what is none: a name is a file's name."""
    teams = {_name(name): _text(text) for name, text in dict(said["granted"]).items()}
    return GrantedTeams(teams, tuple(_name(name) for name in said["removed"]))


def write_granted(folder: Path, granted: GrantedTeams) -> tuple[str, ...]:
    """Make the folder as it is said; the names of what changed. Each file whole or not at all. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = [name for name, text in granted.teams.items() if _differs(folder / f"{name}{SUFFIX}", text)]
    for name in changed:
        _write(folder / f"{name}{SUFFIX}", granted.teams[name])
    return (*changed, *_remove(folder, granted))


def _remove(folder: Path, granted: GrantedTeams) -> Iterable[str]:
    for name in granted.removed:
        file = folder / f"{name}{SUFFIX}"
        if name not in granted.teams and file.exists():
            file.unlink()
            yield name


def _differs(file: Path, text: str) -> bool:
    try:
        return file.read_text(encoding="utf-8") != text
    except (FileNotFoundError, UnicodeDecodeError):
        return True


def _write(file: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, prefix=".", delete=False) as written:
        try:
            written.write(text)
            written.flush()
            os.fsync(written.fileno())
            Path(written.name).replace(file)
        except BaseException:
            Path(written.name).unlink(missing_ok=True)
            raise


def _name(value: Any) -> str:
    return read_tenant_name(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x1e" in value:
        raise ValueError("the text of a team's file is none")
    return value
