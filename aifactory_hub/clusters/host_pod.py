"""A host's pod: the fields that decisions need, and how they become a fact."""

from __future__ import annotations

import re

import msgspec

from .. import constants
from ..domain.pods import OVER, PodFact
from .answers import UNPARSABLE
from .decoding import Metadata
from .text import printable

PREFIX = "vcluster.loft.sh/"
MANAGED_BY = f"{PREFIX}managed-by"
# Labels of one pod. A tenant may give its pods any number: of more than these only ours and vCluster's are kept.
_MOST_LABELS = 50
# What is in the syncer's annotations comes from the tenant's own API server.
_NAME = re.compile(r"[a-z0-9][-a-z0-9.]{0,252}").fullmatch
# Names that were found good: each event of each pod asks.
_names: set[str] = set()
# Resources of containers that were read.
_resources: dict[bytes, tuple[tuple[str, int], ...]] = {}
_MOST_NAMES = 50_000


class _Annotations(msgspec.Struct, gc=False):
    """Only those that name the virtual pod are read: others may hold guest tokens. The short names are older ones."""

    object_name: str | None = msgspec.field(default=None, name=f"{PREFIX}object-name")
    object_namespace: str | None = msgspec.field(default=None, name=f"{PREFIX}object-namespace")
    object_uid: str | None = msgspec.field(default=None, name=f"{PREFIX}object-uid")
    name: str | None = msgspec.field(default=None, name=f"{PREFIX}name")
    namespace: str | None = msgspec.field(default=None, name=f"{PREFIX}namespace")
    uid: str | None = msgspec.field(default=None, name=f"{PREFIX}uid")


class _PodMetadata(Metadata, gc=False):
    labels: dict[str, str] | None = None
    annotations: _Annotations | None = None
    creationTimestamp: str | None = None
    deletionTimestamp: str | None = None
    deletionGracePeriodSeconds: int | None = None


class _Resources(msgspec.Struct, gc=False):
    # Quantities are texts, or whole numbers in what other programs than kubectl write.
    limits: dict[str, str | int] | None = None


class _Container(msgspec.Struct, gc=False):
    name: str
    # Read only where no container has had the same text before: there are as many as profiles.
    resources: msgspec.Raw = msgspec.Raw(b"null")


class _Spec(msgspec.Struct, gc=False):
    containers: list[_Container] | None = None
    nodeName: str | None = None


class _Detail(msgspec.Struct, gc=False):
    exitCode: int | None = None
    reason: str | None = None
    message: str | None = None
    startedAt: str | None = None
    finishedAt: str | None = None


class _State(msgspec.Struct, gc=False):
    terminated: _Detail | None = None
    waiting: _Detail | None = None
    running: _Detail | None = None


class _ContainerStatus(msgspec.Struct, gc=False):
    name: str
    state: _State | None = None
    imageID: str | None = None


class _Condition(msgspec.Struct, gc=False):
    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    lastTransitionTime: str | None = None


class _Status(msgspec.Struct, gc=False):
    phase: str | None = None
    podIP: str | None = None
    reason: str | None = None
    message: str | None = None
    conditions: list[_Condition] | None = None
    containerStatuses: list[_ContainerStatus] | None = None


class HostPod(msgspec.Struct, gc=False):
    """The shape of a pod as the host's API shows it."""

    metadata: _PodMetadata = msgspec.field(default_factory=_PodMetadata)
    spec: _Spec | None = None
    status: _Status | None = None


_NO_DETAIL, _NO_STATE, _NO_STATUS = _Detail(), _State(), _Status()
_NO_CONTAINER = _ContainerStatus("")
# Why the host deletes pods of a node that it does not hear any more.
_NODE_LOST = ("DeletionByTaintManager", "DeletionByPodGC")
# More than any node has: what a tenant writes is never a number of any size.
_MOST_DEVICES = 1_000_000


def fact_of(pod: HostPod) -> PodFact:
    """The facts of a synced pod.

    Raises LookupError, TypeError, ValueError or AttributeError for what is none.
    """
    metadata, spec, status = pod.metadata, pod.spec, pod.status or _NO_STATUS
    labels = metadata.labels
    if labels is not None and len(labels) > _MOST_LABELS:
        labels = {key: labels[key] for key in labels if key.startswith((PREFIX, constants.PREFIX))}
    if labels is None or spec is None or not metadata.uid:
        raise ValueError("labels, spec or uid are missing")
    name, namespace, virtual_uid = _virtual_identity(metadata.annotations)
    container = _main_container(spec, status)
    state = container.state or _NO_STATE
    ended, waiting = state.terminated or _NO_DETAIL, state.waiting or _NO_DETAIL
    ready, unscheduled, scheduled_at, lost_at = _conditions(status)
    over = status.phase in OVER
    # By position, which is twice as fast: each event of each pod of the host passes here.
    return PodFact(
        metadata.namespace,
        labels[MANAGED_BY],
        namespace,
        name,
        metadata.uid,
        metadata.name,
        status.phase or "Pending",
        status.podIP or None,
        spec.nodeName,
        ready,
        metadata.deletionTimestamp is not None,
        labels,
        ended.exitCode,
        (reason := ended.reason or status.reason) and printable(reason),
        (message := ended.message or status.message) and printable(message),
        waiting.reason and printable(waiting.reason),
        waiting.message and printable(waiting.message),
        ended.startedAt or (state.running or _NO_DETAIL).startedAt,
        ended.finishedAt,
        virtual_uid,
        unscheduled and printable(unscheduled),
        container.imageID or None,
        metadata.creationTimestamp,
        scheduled_at,
        _ended_at(spec, status) if over else None,
        lost_at,
        _changed_at(status) if over else None,
        metadata.deletionTimestamp,
        metadata.deletionGracePeriodSeconds or 0,
        _devices(spec),
    )


def _virtual_identity(annotations: _Annotations | None) -> tuple[str, str, str | None]:
    if annotations is not None:
        name = annotations.object_name or annotations.name
        namespace = annotations.object_namespace or annotations.namespace
        if name and namespace and _is_name(name) and _is_name(namespace):
            return name, namespace, annotations.object_uid or annotations.uid
    raise ValueError("the syncer's annotations with the virtual pod's name and namespace are missing, or no names")


def _is_name(text: str) -> bool:
    if text in _names:
        return True
    if _NAME(text) is None:
        return False
    if len(_names) >= _MOST_NAMES:
        _names.clear()
    _names.add(text)
    return True


def _main_container(spec: _Spec, status: _Status) -> _ContainerStatus:
    """The status of the first container of the spec: statuses come in no promised order."""
    if not spec.containers:
        raise ValueError("it has no containers")
    first = spec.containers[0].name
    for container in status.containerStatuses or ():
        if container.name == first:
            return container
    return _NO_CONTAINER


def _conditions(status: _Status) -> tuple[bool, str | None, str | None, str | None]:
    """Whether it is ready, why no node was found for it, when one was, and since when that was lost."""
    ready, unscheduled, scheduled_at, lost = False, None, None, False
    unready_since = None
    for condition in status.conditions or ():
        kind = condition.type
        if kind == "Ready":
            ready = condition.status == "True"
            unready_since = condition.lastTransitionTime
        elif kind == "PodScheduled":
            if condition.status == "True":
                scheduled_at = condition.lastTransitionTime
            elif condition.status == "False":
                unscheduled = condition.message or condition.reason or "no node was found"
        elif kind == "DisruptionTarget":
            lost = condition.status == "True" and condition.reason in _NODE_LOST
    return ready, unscheduled, scheduled_at, unready_since if lost and not ready else None


def _changed_at(status: _Status) -> str | None:
    """When a condition changed last. Times are of one form and in UTC, so their order as texts is theirs."""
    return max((each.lastTransitionTime or "" for each in status.conditions or ()), default="") or None


def _ended_at(spec: _Spec, status: _Status) -> str | None:
    """When the last container of a pod that is over ended; None where one of them does not say."""
    latest, statuses = "", status.containerStatuses or ()
    for container in statuses:
        ended = None if container.state is None else container.state.terminated
        if ended is None or ended.finishedAt is None:
            return None
        latest = max(latest, ended.finishedAt)
    return latest if latest and len(statuses) >= len(spec.containers or ()) else None


def _devices(spec: _Spec) -> tuple[tuple[str, int], ...]:
    """The extended resources of all containers. A count that is none counts as nothing."""
    found: tuple[tuple[str, int], ...] = ()
    for container in spec.containers or ():
        if more := _extended(bytes(container.resources)):
            found = more if not found else _sum(found, more)
    return found


def _extended(resources: bytes) -> tuple[tuple[str, int], ...]:
    known = _resources.get(resources)
    if known is None:
        if len(_resources) >= _MOST_NAMES:
            _resources.clear()
        known = _resources[resources] = _read_resources(resources)
    return known


def _read_resources(resources: bytes) -> tuple[tuple[str, int], ...]:
    try:
        read = msgspec.json.decode(resources, type=_Resources | None)
        limits = {} if read is None else read.limits or {}
    except UNPARSABLE:
        return ()
    counted = ((name, _count(count)) for name, count in limits.items() if "/" in name)
    return tuple(sorted((name, count) for name, count in counted if count))


def _sum(one: tuple[tuple[str, int], ...], other: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    total = dict(one)
    for name, count in other:
        total[name] = total.get(name, 0) + count
    return tuple(sorted(total.items()))


def _count(quantity: str | int) -> int:
    try:
        return min(max(0, int(quantity)), _MOST_DEVICES)
    except ValueError:
        return 0
