"""Gathers what ``domain.doctor`` judges: from a cluster's API, or from a file of objects."""

from .gather import gather, gather_offline
from .public_address import ask_for_sign_in, public_finding
from .room import ask_for_room, room_findings
from .sources import ApiSource, FileSource, Source, SourceError
from .tenants_file import ask_for_tenants_file, hub_url, service_url, tenants_file_finding

__all__ = [
    "ApiSource",
    "FileSource",
    "Source",
    "SourceError",
    "ask_for_room",
    "ask_for_sign_in",
    "ask_for_tenants_file",
    "gather",
    "gather_offline",
    "hub_url",
    "public_finding",
    "room_findings",
    "service_url",
    "tenants_file_finding",
]
