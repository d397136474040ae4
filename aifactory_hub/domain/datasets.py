"""Datasets: names for data that jobs read, with versions by digest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

# How the digest of each kind looks: of the content itself (SHA-256), of DVC (MD5), of a lakeFS commit, of a listing of
# names, sizes and times (SHA-256), which is not one of the content.
DIGESTS: Mapping[str, re.Pattern[str]] = {
    "content": re.compile(r"[0-9a-f]{64}"),
    "listing": re.compile(r"[0-9a-f]{64}"),
    "dvc": re.compile(r"[0-9a-f]{32}(\.dir)?"),
    "lakefs": re.compile(r"[0-9a-f]{64}"),
}
MOST_OF_A_JOB = 50
# Prefix of the reference to a model's version, which tells it from a dataset's.
MODEL = "model:"
# Characters of one name with its version.
LONGEST_REFERENCE = 250
_SHORTEST_DIGEST = 12
_REFERENCE = re.compile(r"(?:model:)?[^@:\s]+@[^@\s]+")


class DataClass(StrEnum):
    """How sensitive the data is. The site's rules see it."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"
    SECRET = "secret"  # noqa: S105 - a class of data


@dataclass(frozen=True, slots=True)
class Dataset:
    """A name for data of a team. ``uri`` is where people find it; the service never reads it."""

    id: str
    tenant: str
    name: str
    uri: str
    data_class: DataClass
    description: str
    created_at: float
    created_by: str


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """A dataset as it was. ``digest`` is what its ``kind`` says: see DIGESTS.

    ``count`` is how many files it has, ``size`` its bytes; both None where nobody said so.
    """

    id: str
    dataset: str
    number: int
    kind: str
    digest: str
    count: int | None
    size: int | None
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class GivenVersion:
    """A version that a job is given. ``name`` is that of a dataset, or ``model:`` and that of a model. ``kind`` says of
    what the digest is, see DIGESTS; None for a model."""

    name: str
    number: int
    digest: str
    kind: str | None = None

    @property
    def reference(self) -> str:
        """The name that means this version alone, such as ``claims@3``."""
        return f"{self.name}@{self.number}"


def reference_problem(text: str) -> str | None:
    """Why this names no version of a dataset or model; None where it may. Whether there is one is another question."""
    if len(text) > LONGEST_REFERENCE:
        return f"it has {len(text)} characters, and at most {LONGEST_REFERENCE} are allowed"
    if _REFERENCE.fullmatch(text):
        return None
    return f"{text!r} names no version: write <dataset>@<number>, <dataset>@latest or {MODEL}<model>@<alias>"


def digest_problem(kind: str, digest: str) -> str | None:
    """Why this can't be the digest of a version of this kind; None when it can."""
    pattern = DIGESTS.get(kind)
    if pattern is None:
        return f"kind is {kind!r}: write one of {', '.join(DIGESTS)}"
    if pattern.fullmatch(digest):
        return None
    return f"digest is {digest[:80]!r}: a digest of kind {kind} looks like {pattern.pattern}"


def matches(version: DatasetVersion, text: str) -> bool:
    """Whether the part of ``claims@<text>`` behind the @ names this version: its number, or how its digest begins."""
    return text == str(version.number) or (len(text) >= _SHORTEST_DIGEST and version.digest.startswith(text))
