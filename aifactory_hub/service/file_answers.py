"""The forms of the answers to whoever sends files, logs and reports: clients before a job, runners during it.

As in ``answer_types``, which has the others.
"""

from __future__ import annotations

from typing_extensions import TypedDict

from .answer_types import Bytes, Sha256


class Travelled(TypedDict):
    """What a job runs with: ``manifest`` as it was sent, ``packs`` by digest."""

    manifest: str
    packs: list[Sha256]


class Missing(TypedDict):
    """Files that are not there."""

    missing: list[Sha256]


class Stored(TypedDict):
    """A file that is kept now."""

    sha256: Sha256
    size: Bytes


class StoredArtifact(TypedDict):
    """A file of a job that is kept now."""

    name: str
    sha256: Sha256
    size: Bytes


class Expected(TypedDict):
    """The piece is kept now; ``next`` is where the next one is expected, in bytes."""

    next: Bytes


class Heard(TypedDict):
    """The runner's report is kept now."""

    id: str
