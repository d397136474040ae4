"""Who holds what of the job service's disk, as the service itself says it."""

from __future__ import annotations

from typing import Any

import httpx

from ..domain.doctor import Finding, Stage, Verdict
from ..domain.room import KINDS

_SECONDS = 5.0
_NAMED = 5
_CHECK = "the job service's disk"
_GIB = 2**30


async def ask_for_room(service: str, token: str) -> dict[str, Any] | str:
    """The service's answer, or why there is none. ``service`` is its address, ``token`` the one that the hub has."""
    url = f"{service.rstrip('/')}/api/v1/site/room"
    try:
        async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as http:
            answer = await http.get(url, headers={"Authorization": f"Bearer {token}"})
            found: dict[str, Any] = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        return str(error) or type(error).__name__
    return found


def room_findings(found: dict[str, Any] | str) -> list[Finding]:
    """What is said of the disk and its largest holders. None of it holds a stage: jobs go on with a full disk."""
    if isinstance(found, str):
        todo = "look at the job service's log; an older version of it has no such answer"
        return [Finding(Stage.PLATFORM, _CHECK, Verdict.WARNING, f"not known: {found}", todo)]
    total, free, keep = found["disk_total"], found["disk_free"], found["keep_free"]
    share = 100 * free / total if total else 0.0
    seen = f"{share:.0f} % of {total / _GIB:.0f} GiB free"
    if share < keep:
        todo = f"uploads are refused below {keep} %: enlarge the volume, or lower jobs.room_per_team"
        findings = [Finding(Stage.PLATFORM, _CHECK, Verdict.WARNING, seen, todo)]
    else:
        findings = [Finding(Stage.PLATFORM, _CHECK, Verdict.GOOD, seen)]
    holders = [_holder(each) for each in found["holders"][:_NAMED]]
    listed = "; ".join(holders) or "nobody holds anything"
    return [*findings, Finding(Stage.PLATFORM, "who holds most of it", Verdict.GOOD, listed)]


def _holder(each: dict[str, Any]) -> str:
    kinds = sorted(each["kinds"].items(), key=lambda kind: -kind[1])
    listed = ", ".join(f"{KINDS.get(kind, kind)} {size / _GIB:.2f}" for kind, size in kinds if size)
    return f"{each['owner']} in {each['tenant']} {each['total'] / _GIB:.2f} GiB ({listed})"
