"""Which files of a folder travel: what git and people leave out stays at home, and what there is is said before."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..untrusted.manifests import path_problem
from ..untrusted.texts import shown

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

GIT_IGNORE = ".gitignore"
IGNORE_FILE = ".aifactoryignore"
# What the client itself sends and gets with a function; never a file of the person's.
OWN_FOLDER = ".aifactory"
# Not part of the work, and often large.
ALWAYS_IGNORED = (".git", "__pycache__", ".ipynb_checkpoints", ".venv", "node_modules", OWN_FOLDER)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that travels under ``name``; ``size`` in bytes."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class _Rules:
    """The lines of one ignore file, for what is below ``prefix``."""

    prefix: str
    spec: GitIgnoreSpec

    def say(self, name: str) -> bool | None:
        """Ignored, not ignored, or nothing said of it."""
        return self.spec.check_file(name.removeprefix(self.prefix)).include


def entries(folder: Path, skipped: dict[str, str]) -> list[Entry]:
    """All files that travel, by name. What can't is put into ``skipped``, each with why.

    The rules are git's: each folder's .gitignore counts below it, a later line beats an earlier one. After them comes
    .aifactoryignore of the folder itself, so that a line such as ``!data/`` sends what git does not keep.
    """
    last = _rules(folder, IGNORE_FILE, "")
    found = _walk(folder, "", (), (last,) if last is not None else (), skipped)
    return sorted(found, key=lambda entry: entry.name)


def _walk(
    folder: Path, prefix: str, rules: tuple[_Rules, ...], last: tuple[_Rules, ...], skipped: dict[str, str]
) -> Iterator[Entry]:
    own = _rules(folder, GIT_IGNORE, prefix)
    rules = rules if own is None else (*rules, own)
    try:
        with os.scandir(folder) as listing:
            found = list(listing)
        at_home = not prefix and folder.resolve() == Path.home().resolve()
    except OSError as error:
        skipped[shown(prefix) or "."] = unreadable(error)
        return
    if prefix and not found:
        skipped[shown(prefix)] = "an empty folder: make it in the job"
    for item in found:
        name = f"{prefix}{item.name}"
        try:
            yield from _entry(item, name, (rules, last), skipped, at_home=at_home)
        except OSError as error:
            skipped[shown(name)] = unreadable(error)


def _entry(
    item: os.DirEntry[str],
    name: str,
    rules: tuple[tuple[_Rules, ...], tuple[_Rules, ...]],
    skipped: dict[str, str],
    *,
    at_home: bool,
) -> Iterator[Entry]:
    is_folder = item.is_dir(follow_symlinks=False)
    # What is hidden in a home folder is programs' own: settings, caches, keys.
    hidden = at_home and name.startswith(".")
    before, last = rules
    if item.name in ALWAYS_IGNORED or is_ignored(f"{name}/" if is_folder else name, (*before, *last), hidden):
        return
    if is_folder:
        yield from _walk(Path(item.path), f"{name}/", before, last, skipped)
    elif problem := path_problem(name):
        skipped[shown(name)] = problem
    elif item.is_file():  # a link to a file travels as the file
        yield Entry(name, Path(item.path), item.stat().st_size)
    else:
        skipped[name] = "a link to a folder or to nothing" if item.is_symlink() else "not a plain file"


def led_outside(folder: Path, found: Sequence[Entry]) -> dict[str, str]:
    """The links among them to files that are not below the folder, by name, each with where it leads."""
    home = folder.resolve()
    links = {shown(entry.name): entry.path.resolve() for entry in found if entry.path.is_symlink()}
    return {name: shown(str(target)) for name, target in links.items() if not target.is_relative_to(home)}


def unreadable(error: OSError) -> str:
    """Why a file or folder stays."""
    return f"it can't be read: {error.strerror or error}"


def is_ignored(name: str, rules: Sequence[_Rules], unless_said: bool = False) -> bool:
    """Whether the last rule that says something of ``name`` says that it stays at home; a folder's name ends in /."""
    said = [answer for rule in rules if (answer := rule.say(name)) is not None]
    return said[-1] if said else unless_said


def _rules(folder: Path, name: str, prefix: str) -> _Rules | None:
    try:
        lines = (folder / name).read_text(errors="replace").splitlines()
    except OSError:
        return None
    from pathspec import GitIgnoreSpec  # here, because most calls of this package pack nothing

    return _Rules(prefix, GitIgnoreSpec.from_lines(lines))
