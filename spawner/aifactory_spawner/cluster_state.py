"""The data of the administrators' cluster page."""

from __future__ import annotations

import time
from typing import Any

from aifactory_hub.domain.formatting import moment
from aifactory_hub.domain.orphans import HoldReason
from aifactory_hub.domain.server_ends import duration
from aifactory_hub.registry import FileStatus, RegistryProvider

from .host_cluster import HostCluster
from .orphan_collector import OrphanCollector

_HELD = {
    HoldReason.OTHER_DATABASE: "filed with another database, or after the backup that this one is from",
    HoldReason.NO_DATABASE: "filed by a version that wrote no database's id, and in no server's state",
    HoldReason.MANY: "too many tickets at once belong to no server",
}


def cluster_state(
    cluster: HostCluster | None,
    orphans: OrphanCollector | None,
    provider: RegistryProvider | None = None,
    now: float | None = None,
) -> dict[str, Any]:
    """What is known of the cluster now; asks nobody. ``watch`` is None before the hub has connected."""
    file = None if provider is None else file_state(provider.status)
    if cluster is None or orphans is None:
        nothing: dict[str, Any] = {"teams": [], "orphans": [], "held": [], "removes": False}
        return {"watch": None, "trouble": "", **nothing, "tenants_file": file}
    at = time.time() if now is None else now
    return {
        "watch": _watch(cluster, at),
        "teams": _teams(cluster, at),
        "orphans": [
            {"team": o.key.tenant, "pod": o.pod, "phase": o.phase, "since": duration(at - o.since)}
            for o in orphans.orphans
        ],
        "held": [
            {
                "team": each.ticket.tenant,
                "ticket": each.ticket.name,
                "user": each.ticket.user,
                "reason": _HELD[each.reason],
                "since": "" if each.ticket.filed_at is None else duration(at - each.ticket.filed_at),
            }
            for each in orphans.held
        ],
        "removes": orphans.rules.remove,
        "tenants_file": file,
    }


def file_state(status: FileStatus) -> dict[str, Any]:
    """Whether tenants.yaml is what the hub works with. ``read`` is when it last was."""
    return {
        "trouble": status.trouble,
        "waits": status.waits,
        "digest": status.digest[:12],
        "read": None if status.read_at is None else moment(status.read_at),
    }


def _watch(cluster: HostCluster, at: float) -> dict[str, Any]:
    watch, age = cluster.watch, cluster.watch.age
    return {
        "stale": watch.stale,
        "pods": len(watch.pods()),
        "heard": None if age is None else duration(age),
        "last_sync": None if age is None else moment(at - age),
        "error": watch.last_error,
        "skipped": watch.skipped,
    }


def _teams(cluster: HostCluster, at: float) -> list[dict[str, Any]]:
    told = []
    for name in cluster.registry.tenants:
        health = cluster.clients.health(name)
        since = "" if health.since is None else duration(at - health.since)
        told.append({"name": name, "ok": health.ok, "reason": health.reason, "since": since})
    return told
