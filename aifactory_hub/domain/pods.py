"""What we know of a pod: the few facts that decisions need, decoded from the host's object."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

# Of a pod that ended without its container having said how.
UNKNOWN_EXIT_CODE = 1

# Phases in which none of a pod's containers will run any more.
OVER = ("Succeeded", "Failed")

_NONE: Mapping[str, str] = MappingProxyType({})


class PodFact(NamedTuple):
    """A tenant's pod as the host runs it. A tuple, because one is made and compared for each event of each pod.

    ``name`` and ``namespace`` are those inside the vCluster (from the syncer's annotations, never recomputed);
    ``host_namespace`` and ``vcluster`` say whose it is; ``uid`` is the host pod's. ``exit_code`` and ``reason`` are the
    main container's when it has ended. ``waiting`` is the container's reason for not having started yet,
    ``unscheduled`` the scheduler's for not having found a node, ``image_id`` what the node says that it runs.

    Times are as the host tells them. ``scheduled_at`` is when a node was chosen, ``ended_at`` when its last container
    ended, once none of them runs or will; ``lost_at`` since when nothing was heard of its node, once the host gave it
    up for that. ``changed_at`` is when a condition of one that is over changed last. Its deletion was asked for
    ``grace`` seconds before ``delete_by``. ``devices`` are the extended resources of all its containers and how many of
    each.
    """

    host_namespace: str
    vcluster: str
    namespace: str
    name: str
    uid: str
    host_name: str
    phase: str
    ip: str | None = None
    node: str | None = None
    ready: bool = False
    deleting: bool = False
    labels: Mapping[str, str] = _NONE
    exit_code: int | None = None
    reason: str | None = None
    message: str | None = None
    waiting: str | None = None
    waiting_message: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    virtual_uid: str | None = None
    unscheduled: str | None = None
    image_id: str | None = None
    created_at: str | None = None
    scheduled_at: str | None = None
    ended_at: str | None = None
    lost_at: str | None = None
    changed_at: str | None = None
    delete_by: str | None = None
    grace: int = 0
    devices: tuple[tuple[str, int], ...] = ()

    @property
    def over(self) -> bool:
        """Whether none of its containers will run any more."""
        return self.phase in OVER


def exit_code(pod: PodFact) -> int | None:
    """How the main container ended; None while it has not."""
    if pod.exit_code is not None:
        return pod.exit_code
    return UNKNOWN_EXIT_CODE if pod.over else None
