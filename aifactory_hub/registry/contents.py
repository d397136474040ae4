"""What tenants.yaml and tenants.d have in them at a moment, and whether a process that runs may take it."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .draft import read_draft
from .environments import lock_names
from .load import read_registry, read_text
from .model import Registry
from .problems import Path as KeyPath
from .problems import Problem, RegistryError
from .team_files import read_documents
from .update import lost_teams, update_of

# Git's ids: SHA-1 and SHA-256.
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Content:
    """What a look found: the text, or why there is none. ``key`` differs when anything of it or of the cards does."""

    key: str
    text: str | None = None
    error: RegistryError | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """``registry`` is None for a content that is not taken. ``key`` is the content's with the cards that it names."""

    key: str
    cards: tuple[str, ...]
    registry: Registry | None = None
    trouble: str = ""
    waits: bool = False


def refused_text(source: str, error: RegistryError) -> str:
    """What is said of a file that can't be used."""
    count = len(error.problems)
    number = f"{count} {'problem' if count == 1 else 'problems'}"
    return f"{source} can't be used, so the last good one is in use. {number}:\n{error}"


def waiting_text(source: str, problems: Sequence[Problem]) -> str:
    """What is said of a file that takes a restart."""
    head = (
        f"{source} is not used before a restart of hub and job service: some of its keys can't change while they run."
    )
    return "\n".join([head, *(problem.text(source) for problem in problems)])


def lost_text(source: str, lost: Sequence[str]) -> str:
    """What is said of a file in which several teams are missing."""
    return (
        f"{source} is not used, because {len(lost)} teams are gone from it at once, and the last good one is in use: "
        f"{', '.join(lost)}. If that is meant, write `retired: [{', '.join(lost)}]` into it; else bring them back."
    )


def judge(old: Registry, file: Path, found: Content) -> Verdict:
    """Whether the content may replace ``old``."""
    source, cards = old.source, cards_in(found)
    key = found.key if found.text is None else key_of(found.text, file, cards)
    try:
        text = text_of(found)
        registry = read_registry(text, source)
        if lost := lost_teams(old, registry):
            return Verdict(key, cards, trouble=lost_text(source, lost))
        if fixed := update_of(old, registry).fixed:
            return Verdict(key, cards, trouble=waiting_text(source, _problems(text, source, fixed)), waits=True)
        return Verdict(key, cards, registry)
    except RegistryError as error:
        return Verdict(key, cards, trouble=refused_text(source, error))
    except Exception as error:
        log.exception("%s could not be checked", source)
        return Verdict(key, cards, trouble=f"{source} can't be used, so the last good one is in use: {error!r}")


def _problems(text: str, source: str, fixed: Sequence[KeyPath]) -> list[Problem]:
    documents = read_documents(text, source)
    instead = "restart the hub and the job service, or write the value that it had"
    problems = [documents.located(Problem(path, "it has another value", instead)) for path in fixed]
    return sorted(problems, key=lambda problem: problem.line or 0)


def look_at(file: Path, cards: Sequence[str], granted: Path | None = None) -> Content:
    """What the file and the folder of ``granted`` teams have in them now; blocks. ``cards`` are the names of the cards'
    files that count with it."""
    try:
        text = read_text(file, granted)
    except RegistryError as error:
        return Content(f"error {error}", error=error)
    return Content(key_of(text, file, cards), text)


def text_of(found: Content) -> str:
    """Raises RegistryError where there is none."""
    if found.text is None:
        raise found.error or RegistryError("", [])
    return found.text


def cards_in(found: Content) -> tuple[str, ...]:
    """The files of cards and locks that the content names, as far as it can be read."""
    try:
        data = read_documents(text_of(found), "").data
    except RegistryError:
        return ()
    if not isinstance(data, dict):
        return ()
    return (*(name for _, name in read_draft(data).cards), *(name for _, name in lock_names(data)))


def key_of(text: str, file: Path, cards: Sequence[str]) -> str:
    """A key of ``text`` with these cards beside ``file``; blocks."""
    return " ".join([digest_of(text), *(_digest_of_file(file.parent / card) for card in cards)])


def digest_of(text: str) -> str:
    """The SHA-256 of a text, of all files together."""
    return hashlib.sha256(text.encode()).hexdigest()


def revision_of(path: Path | str, granted: Path | None = None) -> str:
    """What objects say that they follow from: ``commit <id>`` where the file lies in a folder of that name, as git-sync
    checks out, and the digest of all files. Raises RegistryError."""
    digest = f"sha256:{digest_of(read_text(path, granted))}"
    commit = next((part for part in reversed(Path(path).resolve().parts) if _COMMIT.fullmatch(part)), None)
    return digest if commit is None else f"commit {commit}, {digest}"


def _digest_of_file(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        return f"errno-{error.errno}"
