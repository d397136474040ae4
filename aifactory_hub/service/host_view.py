"""What can be seen of the host's GPUs and pods: their cut and what is held, where something tells it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..clusters import HostWatch
from ..domain.gpu_layouts import GpuLayout, InUse, layouts_of
from ..domain.pods import PodFact
from ..registry import RegistryProvider
from ..telemetry.base import TelemetryUnavailable
from ..telemetry.prometheus import Prometheus
from . import executors


class HostView(Protocol):
    """The host, as far as it can be seen."""

    def pods(self) -> Sequence[PodFact] | None:
        """All pods of teams; None while the host is not heard."""

    async def gpus(self) -> Sequence[GpuLayout]:
        """All GPUs that something tells of. Raises TelemetryUnavailable with why nothing does."""


@dataclass(frozen=True, slots=True)
class NoHostView:
    """Nothing is seen, and ``why``."""

    why: str = "nothing tells this service how the GPUs are cut"

    def pods(self) -> Sequence[PodFact] | None:
        """See HostView."""
        return None

    async def gpus(self) -> Sequence[GpuLayout]:
        """See HostView."""
        raise TelemetryUnavailable(self.why)


@dataclass(frozen=True, slots=True)
class WatchedHost:
    """The real host: pods from the watch, slices from the exporter's samples. It takes no right to read nodes."""

    watch: HostWatch
    prometheus: Prometheus
    provider: RegistryProvider

    def pods(self) -> Sequence[PodFact] | None:
        """See HostView."""
        return None if self.watch.stale else self.watch.pods()

    async def gpus(self) -> Sequence[GpuLayout]:
        """See HostView."""
        series = await self.prometheus.slices()
        if not series:
            raise TelemetryUnavailable("Prometheus has no sample of a GPU: see telemetry.gpu_job in tenants.yaml")
        pods = self.pods()
        in_use = None if pods is None else in_use_of(pods)
        return await executors.reads.run(layouts_of, series, self.provider.registry.catalogue.cards, in_use)


def in_use_of(pods: Iterable[PodFact]) -> InUse:
    """The devices that pods hold, by node and resource."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for pod in pods:
        if pod.node and not pod.over:
            for resource, count in pod.devices:
                found[pod.node][resource] += count
    return found
