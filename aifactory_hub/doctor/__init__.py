"""Gathers what ``domain.doctor`` judges: from a cluster's API, or from a file of objects."""

from .gather import gather, gather_offline
from .room import ask_for_room, room_findings
from .sources import ApiSource, FileSource, Source, SourceError

__all__ = [
    "ApiSource",
    "FileSource",
    "Source",
    "SourceError",
    "ask_for_room",
    "gather",
    "gather_offline",
    "room_findings",
]
