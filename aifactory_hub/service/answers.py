"""What the service says: from records and facts to JSON, without I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aifactory_profiles import Device, Profile

from ..domain.quota import Usage, room_for
from ..domain.spawns import menu
from ..domain.tenants import Tenant
from ..registry.model import Registry
from ..store import Artifact, JobRecord

_TIMES = ("submitted", "queued", "starting", "running", "finished")


def job_answer(job: JobRecord, *, simulated: bool, position: int | None = None) -> dict[str, Any]:
    """A job as its team mates may see it: of its environment the names only, because values may be secrets."""
    return {
        "id": job.id,
        "name": job.name,
        "tenant": job.tenant,
        "owner": job.owner,
        "command": job.command,
        "profile": job.profile,
        "environment": sorted(job.environment),
        "outputs": None if job.outputs is None else list(job.outputs),
        "files": job.input_sha256,
        "files_size": job.input_size,
        "state": job.state.value,
        "final": job.state.final,
        "reason": job.reason,
        "exit_code": job.exit_code,
        "position": position,
        "cancel_asked": job.cancel_asked_at is not None,
        "times": {name: _iso(getattr(job, f"{name}_at")) for name in _TIMES},
        "log_size": job.log_size,
        "left": dict((job.report or {}).get("left") or {}),
        "simulated": simulated,
    }


def artifact_answer(artifact: Artifact) -> dict[str, Any]:
    """One file of a job's."""
    return {
        "name": artifact.name,
        "size": artifact.size,
        "sha256": artifact.sha256,
        "created": _iso(artifact.created_at),
    }


def artifacts_answer(artifacts: Sequence[Artifact], *, simulated: bool) -> dict[str, Any]:
    """All files of a job's."""
    return {"artifacts": [artifact_answer(a) for a in artifacts], "simulated": simulated}


def quota_answer(tenant: Tenant, usage: Usage | None, registry: Registry) -> dict[str, Any]:
    """What the tenant may hold, holds, and what fits now. ``usage`` None says so: null is not zero."""
    devices = [
        {
            "resource": device.resource,
            "flavor": device.flavor,
            "nominal": tenant.quota.nominal.get(device, 0),
            "borrowing": tenant.quota.borrowing.get(device, 0),
            "limit": tenant.quota.limit(device),
            "used": None if usage is None else usage.used.get(device, 0),
        }
        for device in tenant.quota.devices
    ]
    holders = [
        {"kind": h.kind, "owner": h.owner, "user": h.user, "devices": _counted(h.devices)}
        for h in (usage.holders if usage else ())
    ]
    return {
        "tenant": tenant.name,
        "display_name": tenant.display_name,
        "known": usage is not None,
        "devices": devices,
        "holders": holders,
        "menu": [_menu_line(tenant, profile, usage) for profile in menu(tenant, registry.catalogue)],
        "simulated": registry.cluster.simulated,
    }


def _counted(devices: Mapping[Device, int]) -> list[dict[str, Any]]:
    return [{"resource": d.resource, "flavor": d.flavor, "count": count} for d, count in devices.items()]


def _menu_line(tenant: Tenant, profile: Profile, usage: Usage | None) -> dict[str, Any]:
    price = profile.price_per_hour
    return {
        "profile": profile.name,
        "display_name": profile.display_name,
        "description": profile.description,
        "devices": dict(profile.devices),
        "flavor": profile.flavor,
        "price_per_hour": None if price is None else str(price),
        "room": None if usage is None else room_for(tenant.quota, usage, profile),
    }


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
