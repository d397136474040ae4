"""What tenants.yaml has in it at a moment, and whether a process that runs may take it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .document import read_document
from .draft import read_draft
from .load import read_registry, read_text
from .model import Registry
from .problems import Path as KeyPath
from .problems import Problem, RegistryError
from .update import update_of

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


def judge(old: Registry, file: Path, found: Content) -> Verdict:
    """Whether the content may replace ``old``."""
    source, cards = old.source, cards_in(found)
    key = found.key if found.text is None else key_of(found.text, file, cards)
    try:
        text = text_of(found)
        registry = read_registry(text, source)
        if fixed := update_of(old, registry).fixed:
            return Verdict(key, cards, trouble=waiting_text(source, _problems(text, source, fixed)), waits=True)
        return Verdict(key, cards, registry)
    except RegistryError as error:
        return Verdict(key, cards, trouble=refused_text(source, error))
    except Exception as error:
        log.exception("%s could not be checked", source)
        return Verdict(key, cards, trouble=f"{source} can't be used, so the last good one is in use: {error!r}")


def _problems(text: str, source: str, fixed: Sequence[KeyPath]) -> list[Problem]:
    document = read_document(text, source)
    instead = "restart the hub and the job service, or write the value that it had"
    problems = [Problem(path, "it has another value", instead, document.line(path)) for path in fixed]
    return sorted(problems, key=lambda problem: problem.line or 0)


def look_at(file: Path, cards: Sequence[str]) -> Content:
    """What the file has in it now; blocks. ``cards`` are the names of the cards' files that count with it."""
    try:
        text = read_text(file)
    except RegistryError as error:
        return Content(f"error {error}", error=error)
    return Content(key_of(text, file, cards), text)


def text_of(found: Content) -> str:
    """Raises RegistryError where there is none."""
    if found.text is None:
        raise found.error or RegistryError("", [])
    return found.text


def cards_in(found: Content) -> tuple[str, ...]:
    """The files of cards that the content names, as far as it can be read."""
    try:
        data = read_document(text_of(found), "").data
    except RegistryError:
        return ()
    return tuple(name for _, name in read_draft(data).cards) if isinstance(data, dict) else ()


def key_of(text: str, file: Path, cards: Sequence[str]) -> str:
    """A key of ``text`` with these cards beside ``file``; blocks."""
    return " ".join([digest_of(text), *(_digest_of_file(file.parent / card) for card in cards)])


def digest_of(text: str) -> str:
    """The SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of_file(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        return f"errno-{error.errno}"
