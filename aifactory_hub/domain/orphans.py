"""Pods of this hub's servers that no server has any more. Decided here; found and removed elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from .. import constants
from .pods import PodFact


@dataclass(frozen=True, slots=True)
class ServerKey:
    """One server in one tenant, wherever it is known from. ``owner`` is the server's id."""

    tenant: str
    owner: str


@dataclass(frozen=True, slots=True)
class Orphan:
    """A pod with this hub's identity and no server. ``uid`` is the host pod's, ``since`` when it was first seen so."""

    key: ServerKey
    pod: str
    uid: str
    phase: str
    since: float


def find_orphans(
    pods: Iterable[PodFact],
    hub: str,
    tenants: Mapping[tuple[str, str], str],
    known: Collection[ServerKey],
    before: Iterable[Orphan],
    now: float,
) -> list[Orphan]:
    """The pods of server kind that carry this hub's label and belong to no ``known`` server.

    ``tenants`` names the tenant of (host namespace, vCluster); pods of any other are not judged. ``before`` is
    what was found last, so that each keeps the time since when it has been one. Pods that are going are left out.
    """
    since = {orphan.uid: orphan.since for orphan in before}
    found = []
    for pod in pods:
        tenant = tenants.get((pod.host_namespace, pod.vcluster))
        if tenant is None or pod.deleting or not _is_server_of(pod, hub):
            continue
        key = ServerKey(tenant, pod.labels.get(constants.LABEL_OWNER, ""))
        if key not in known:
            found.append(Orphan(key, pod.name, pod.uid, pod.phase, since.get(pod.uid, now)))
    return sorted(found, key=lambda orphan: (orphan.key.tenant, orphan.pod))


def to_remove(orphans: Iterable[Orphan], *, delay: float, now: float) -> list[Orphan]:
    """Those that have been orphans for at least ``delay`` seconds."""
    return [orphan for orphan in orphans if now - orphan.since >= delay]


def _is_server_of(pod: PodFact, hub: str) -> bool:
    labels = pod.labels
    return (
        pod.namespace == constants.NOTEBOOKS_NAMESPACE
        and labels.get(constants.LABEL_HUB) == hub
        and labels.get(constants.LABEL_OWNER_KIND) == "server"
        and bool(labels.get(constants.LABEL_OWNER))
    )
