"""Gathers what ``domain.doctor`` judges: from a cluster's API, or from a file of objects."""

from .gather import gather, gather_offline
from .public_address import ask_for_sign_in, public_finding
from .room import ask_for_room, room_findings
from .sources import ApiSource, FileSource, Source, SourceError

__all__ = [
    "ApiSource",
    "FileSource",
    "Source",
    "SourceError",
    "ask_for_room",
    "ask_for_sign_in",
    "gather",
    "gather_offline",
    "public_finding",
    "room_findings",
]
