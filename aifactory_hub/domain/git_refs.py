"""Refs of a repository as they are seen, and what changed between two looks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .globs import any_fits

BRANCHES, TAGS = "refs/heads/", "refs/tags/"
OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
LONGEST_REF = 255
# Of those that one trigger watches.
MOST_REFS = 1000


class BadRefs(ValueError):
    """What a Git host said of its refs can't be used; the text says why."""


@dataclass(frozen=True, slots=True)
class SeenRef:
    """A ref as the host shows it: the object that it names, and the ``commit`` behind it, which of an annotated tag is
    another one."""

    name: str
    object_id: str
    commit: str


@dataclass(frozen=True, slots=True)
class Head:
    """What a ref was when it was seen last; ``number`` counts its changes. ``commit`` None: it was deleted."""

    ref: str
    number: int
    commit: str | None


@dataclass(frozen=True, slots=True)
class RefChange:
    """A ref is not what it was: ``new`` None when it was deleted, ``old`` None when it is new."""

    ref: str
    number: int
    old: str | None
    new: str | None
    object_id: str | None = None


def read_refs(text: str) -> dict[str, SeenRef]:
    """The refs of what ``git ls-remote`` prints, tags with the commit behind them. Raises BadRefs."""
    named: dict[str, str] = {}
    for line in text.splitlines():
        object_id, tab, name = line.partition("\t")
        if not tab or OBJECT_ID.fullmatch(object_id) is None:
            raise BadRefs("the host's list of refs is not one of Git's")
        named[name] = object_id
    return {
        name: SeenRef(name, object_id, named.get(f"{name}^{{}}", object_id))
        for name, object_id in named.items()
        if not name.endswith("^{}")
    }


def watched(refs: Iterable[SeenRef], branches: Iterable[str], tags: Iterable[str]) -> dict[str, SeenRef]:
    """Those refs that are branches or tags of these patterns. Raises BadRefs for more than can be watched."""
    branches, tags = tuple(branches), tuple(tags)
    found = {}
    for ref in refs:
        patterns = branches if ref.name.startswith(BRANCHES) else tags if ref.name.startswith(TAGS) else ()
        if len(ref.name) <= LONGEST_REF and any_fits(short_name(ref.name), patterns):
            found[ref.name] = ref
    if len(found) > MOST_REFS:
        raise BadRefs(f"{len(found)} branches and tags fit the trigger, and at most {MOST_REFS} are watched")
    return found


def short_name(ref: str) -> str:
    """As people write it: without refs/heads/ or refs/tags/."""
    return ref.removeprefix(BRANCHES).removeprefix(TAGS)


def changes(heads: Mapping[str, Head], seen: Mapping[str, SeenRef]) -> Iterator[RefChange]:
    """What changed since the heads were seen, by name. What was missed between two looks is one change."""
    for name in sorted(heads.keys() | seen.keys()):
        head, ref = heads.get(name), seen.get(name)
        old, new = None if head is None else head.commit, None if ref is None else ref.commit
        if old != new:
            number = 1 if head is None else head.number + 1
            yield RefChange(name, number, old, new, None if ref is None else ref.object_id)
