"""The forms of the answers about files, limits and room, and to whoever sends files, logs and reports.

As in ``answer_types``, which has the others.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from .answer_types import Bytes, Sha256, Simulated


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


class LimitsAnswer(TypedDict):
    """How much may be sent and kept."""

    max_upload: Bytes
    max_artifacts: Bytes
    max_log: Bytes
    deadline: Annotated[int, Field(ge=0, description="The longest that a job may run, in seconds.")]
    max_artifact_files: Annotated[int, Field(description="Files that a job may give back.")]
    max_body: Annotated[Bytes, Field(description="A request without a file of its own.")]
    max_body_depth: Annotated[int, Field(description="Nested objects and arrays in a body.")]
    max_body_values: Annotated[int, Field(description="Values in a body.")]
    max_pack: Annotated[Bytes, Field(description="A pack as it is sent.")]
    max_pack_entries: Annotated[int, Field(description="Files in a pack.")]
    max_manifest: Annotated[Bytes, Field(description="A manifest as it is sent.")]
    max_manifest_files: Annotated[int, Field(description="Files in a manifest.")]
    max_name: Annotated[int, Field(description="Characters of a file's path.")]
    max_depth: Annotated[int, Field(description="Parts of a file's path.")]
    reading_seconds: Annotated[int, Field(description="How long a pack or manifest may take to read.")]
    room_per_person: Annotated[Bytes, Field(description="What one person may hold in one team.")]
    room_per_team: Annotated[Bytes, Field(description="What a team may hold.")]
    keep_free: Annotated[int, Field(description="Per cent of the disk that uploads leave free.")]
    simulated: Simulated


class Holder(TypedDict):
    """What one person of one team holds of the service's disk: in all, and by kind."""

    tenant: str
    owner: str
    total: Bytes
    kinds: dict[str, Bytes]


class RoomAnswer(TypedDict):
    """The service's disk, and who holds most of what is on it, the largest first."""

    disk_total: Bytes
    disk_free: Bytes
    keep_free: Annotated[int, Field(description="Per cent of the disk that uploads leave free.")]
    room_per_person: Bytes
    room_per_team: Bytes
    holders: list[Holder]
