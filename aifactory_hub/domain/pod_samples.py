"""What samples say of each pod: series of Prometheus joined to pods by the host's names, and never by a tenant's words.

A pod is the host's. Its namespace and name are the host's too, which a vCluster's members can't choose, and where the
exporter tells the pod's uid, that is taken. What has no sample stays unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .idle import GpuSamples


@dataclass(frozen=True, slots=True)
class Series:
    """One number of an answer, in its signal's unit."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class PodPlace:
    """Where the host's pod is, and how many devices it holds."""

    namespace: str
    name: str
    devices: int = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """All answers of one look, over the time that is looked at. ``expected`` samples should be of each slice.

    ``count``, ``engine``, ``engine_high`` (what 95 % of samples are below), ``dram``, ``memory`` and
    ``memory_changes`` are of slices with their pods; ``xid`` is of GPUs; ``up`` of exporters, 0 where one was away.
    ``cut_known`` are the GPUs of which it is known how they were cut at the beginning, ``cut_changed`` those that are
    or were cut otherwise since. ``cpu`` and ``pod_memory`` are of pods.
    """

    expected: int
    count: Sequence[Series] = ()
    engine: Sequence[Series] = ()
    engine_high: Sequence[Series] = ()
    dram: Sequence[Series] = ()
    memory: Sequence[Series] = ()
    memory_changes: Sequence[Series] = ()
    xid: Sequence[Series] = ()
    up: Sequence[Series] = ()
    cut_known: Sequence[Series] = ()
    cut_changed: Sequence[Series] = ()
    cpu: Sequence[Series] = ()
    pod_memory: Sequence[Series] = ()


@dataclass(frozen=True, slots=True)
class PodSamples:
    """Of one pod; ``cpu`` is the highest mean of five minutes in cores, ``memory`` the most bytes. 95 % of the samples
    of its slice's compute are below ``engine_high``."""

    gpu: GpuSamples
    engine_high: float | None = None
    cpu: float | None = None
    memory: int | None = None


def samples_of(reading: Reading, pods: Mapping[str, PodPlace]) -> dict[str, PodSamples]:
    """By the pod's uid, for each of ``pods``."""
    join = _Join(pods)
    count, engine, dram = join.by_pod(reading.count), join.by_pod(reading.engine), join.by_pod(reading.dram)
    memory, changes = join.by_pod(reading.memory), join.by_pod(reading.memory_changes)
    high = join.by_pod(reading.engine_high)
    cpu, pod_memory = join.by_pod(reading.cpu), join.by_pod(reading.pod_memory)
    gpus = _Gpus.of(reading)
    found = {}
    for uid, place in pods.items():
        counted = count.get(uid, [])
        gpu = GpuSamples(
            samples=min(_per_slice(counted), default=0) if _slices(counted) >= place.devices else 0,
            expected=reading.expected,
            engine=_highest(engine.get(uid)),
            dram=_highest(dram.get(uid)),
            memory=_sum(memory.get(uid)),
            memory_changed=any(each.value > 0 for each in changes.get(uid, ())),
            xid=gpus.xid(counted),
            disturbed=gpus.disturbed(counted),
        )
        found[uid] = PodSamples(gpu, _highest(high.get(uid)), _highest(cpu.get(uid)), _sum(pod_memory.get(uid)))
    return found


class _Join:
    """Finds the pod of a series: by uid, else by the host's namespace and name."""

    def __init__(self, pods: Mapping[str, PodPlace]) -> None:
        self._uids = pods.keys()
        self._by_name = {(place.namespace, place.name): uid for uid, place in pods.items()}

    def by_pod(self, series: Iterable[Series]) -> dict[str, list[Series]]:
        found: dict[str, list[Series]] = defaultdict(list)
        for each in series:
            uid = self._uid(each.labels)
            if uid is not None:
                found[uid].append(each)
        return found

    def _uid(self, labels: Mapping[str, str]) -> str | None:
        uid = labels.get("exported_pod_uid") or labels.get("pod_uid")
        if uid:
            return uid if uid in self._uids else None
        # Prometheus calls what the exporter said of pods "exported", unless it was told to believe each target.
        for prefix in ("exported_", ""):
            name = labels.get(f"{prefix}pod")
            if name:
                return self._by_name.get((labels.get(f"{prefix}namespace", ""), name))
        return None


@dataclass(frozen=True)
class _Gpus:
    """What is known of whole GPUs and of their exporters."""

    xids: Mapping[str, int] = field(default_factory=dict)
    away: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    cut_known: frozenset[str] = frozenset()
    cut_changed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, reading: Reading) -> _Gpus:
        xids: dict[str, int] = {}
        for each in reading.xid:
            gpu = each.labels.get("UUID", "")
            xids[gpu] = max(xids.get(gpu, 0), int(each.value))
        return cls(
            xids,
            frozenset(each.labels.get("instance", "") for each in reading.up if each.value < 1),
            frozenset(each.labels.get("instance", "") for each in reading.up),
            frozenset(each.labels.get("UUID", "") for each in reading.cut_known),
            frozenset(each.labels.get("UUID", "") for each in reading.cut_changed),
        )

    def xid(self, series: Sequence[Series]) -> int | None:
        """The last error of any GPU of these series; None when of one nothing is told."""
        gpus = {each.labels.get("UUID", "") for each in series}
        if not gpus or not gpus <= self.xids.keys():
            return None
        return max(self.xids[gpu] for gpu in gpus)

    def disturbed(self, series: Sequence[Series]) -> str | None:
        """Why the samples can't be trusted."""
        instances = {each.labels.get("instance", "") for each in series}
        if instances & self.away:
            return "the exporter of its GPU was away for a while"
        if not instances <= self.known:
            return "nothing tells whether the exporter of its GPU was there all the time"
        gpus = {each.labels.get("UUID", "") for each in series}
        if gpus & self.cut_changed:
            return "its GPU was cut anew"
        return None if gpus <= self.cut_known else "nothing tells how its GPU was cut before"


def _key(each: Series) -> tuple[str, str]:
    return each.labels.get("UUID", ""), each.labels.get("GPU_I_ID", "")


def _slices(series: Sequence[Series]) -> int:
    return len({_key(each) for each in series})


def _per_slice(series: Sequence[Series]) -> Iterable[int]:
    """Samples of each slice: an exporter that was renamed meanwhile has two series of one."""
    found: dict[tuple[str, str], float] = defaultdict(float)
    for each in series:
        found[_key(each)] += each.value
    return (int(count) for count in found.values())


def _highest(series: Sequence[Series] | None) -> float | None:
    return max((each.value for each in series), default=None) if series else None


def _sum(series: Sequence[Series] | None) -> int | None:
    """Of all slices together, of each the highest."""
    if not series:
        return None
    found: dict[tuple[str, str], float] = {}
    for each in series:
        found[_key(each)] = max(found.get(_key(each), 0.0), each.value)
    return int(sum(found.values()))
