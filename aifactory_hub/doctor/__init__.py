"""Gathers what ``domain.doctor`` judges: from a cluster's API, or from a file of objects."""

from .answers import ask_for_answer
from .expiry import expiry_findings
from .factory_checks import backup_finding, factory_findings, factory_url
from .gather import gather, gather_offline
from .public_address import ask_for_sign_in, public_finding
from .room import ask_for_room, room_findings
from .service_checks import rules_finding, rules_url, signing_finding, signing_url
from .sources import ApiSource, FileSource, Source, SourceError
from .tenants_file import hub_url, service_url, tenants_file_finding

__all__ = [
    "ApiSource",
    "FileSource",
    "Source",
    "SourceError",
    "ask_for_answer",
    "ask_for_room",
    "ask_for_sign_in",
    "backup_finding",
    "expiry_findings",
    "factory_findings",
    "factory_url",
    "gather",
    "gather_offline",
    "hub_url",
    "public_finding",
    "room_findings",
    "rules_finding",
    "rules_url",
    "service_url",
    "signing_finding",
    "signing_url",
    "tenants_file_finding",
]
