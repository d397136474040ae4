"""Whether the hub and the job service work with the tenants.yaml that doctor was given, as they say themselves."""

from __future__ import annotations

from typing import Any

from ..domain.doctor import Finding, Stage, Verdict
from ..domain.formatting import moment


def hub_url(hub_api: str) -> str:
    """Where the hub says it, by its API's address."""
    return f"{hub_api.rstrip('/').removesuffix('/api')}/aifactory/api/tenants-file"


def service_url(service: str) -> str:
    """Where the job service says it, by its address."""
    return f"{service.rstrip('/')}/api/v1/site/tenants-file"


def tenants_file_finding(who: str, found: dict[str, Any] | str, digest: str) -> Finding:
    """What is said of ``who``. ``digest`` is the SHA-256 of the file that doctor was given."""
    check = f"the {who}'s tenants.yaml"
    if isinstance(found, str):
        todo = f"look at the {who}'s log; an older version of it has no such answer"
        return Finding(Stage.PLATFORM, check, Verdict.WARNING, f"not known: {found}", todo)
    if found.get("waits"):
        todo = "restart the hub and the job service, or write the values that these keys had"
        return Finding(Stage.PLATFORM, check, Verdict.BAD, str(found.get("trouble")), todo)
    if found.get("trouble"):
        todo = f"correct the file: the {who} takes it within seconds"
        return Finding(Stage.PLATFORM, check, Verdict.BAD, str(found["trouble"]), todo)
    if found.get("digest") != digest:
        todo = "update the ConfigMap with this file; a mounted one takes a minute or two to arrive"
        seen = f"it works with another file, SHA-256 {str(found.get('digest'))[:12]}, read {_moment(found)}"
        return Finding(Stage.PLATFORM, check, Verdict.WARNING, seen, todo)
    return Finding(Stage.PLATFORM, check, Verdict.GOOD, f"it works with this file, read {_moment(found)}")


def _moment(found: dict[str, Any]) -> str:
    at = found.get("read_at")
    return moment(at) if isinstance(at, int | float) else "never"
