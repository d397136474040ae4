"""The hub's metrics of starts, ends, the host watch and the tenants' APIs, at /hub/metrics."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aifactory_hub.domain.orphans import HoldReason
from aifactory_hub.registry import FileStatus

from .host_cluster import HostCluster
from .jupyterhub5_compat import SpawnException
from .orphan_collector import OrphanCollector
from .start_log import StartLog

SPAWNS = Counter(
    "aifactory_spawns_total", "Starts of servers by how they ended: ready, a refusal's slug, cancelled, or error",
    ["tenant", "profile", "outcome"],
)  # fmt: skip
ENDS = Counter(
    "aifactory_server_ends_total", "Servers that ended without having been stopped, by reason", ["tenant", "reason"]
)
PHASES = Histogram(
    "aifactory_spawn_phase_seconds", "Seconds of a start's phases: the hub's decision, the ticket's admission, the "
    "pod until its container runs", ["tenant", "phase"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600),
)  # fmt: skip
# The label of a start that named no tenant or profile that exists: what somebody typed must not become a label.
NONE = "none"


def count_end(tenant: str, reason: str) -> None:
    """A server ended without having been stopped."""
    ENDS.labels(tenant, reason).inc()


def measured(start: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """Decorates a spawner's start: counts how it ends, and times its phases."""

    @functools.wraps(start)
    async def wrapped(self: Any) -> Any:
        outcome = "error"
        try:
            url = await start(self)
            outcome = "ready"
            return url
        except SpawnException as refusal:
            outcome = str(refusal.reason)
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            tenant, profile = self.started_as or (NONE, NONE)
            SPAWNS.labels(tenant, profile, outcome).inc()
            _observe(self.start_log, tenant)

    return wrapped


def _observe(start_log: StartLog, tenant: str) -> None:
    for phase, seconds in phases(start_log.reached).items():
        PHASES.labels(tenant, phase).observe(seconds)


def phases(reached: Mapping[str, float]) -> dict[str, float]:
    """Seconds that each phase took that came to its end, from when each step was reached."""
    ends = {"decision": "quota", "admission": "pod", "pod": "ready"}
    took, before = {}, 0.0
    for phase, step in ends.items():
        if step not in reached:
            break
        took[phase], before = reached[step] - before, reached[step]
    return took


class HubMetrics(Collector):
    """Reads what all spawners of the hub share, at each scrape; yields nothing before the cluster is connected."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._cluster: Callable[[], HostCluster | None] = lambda: None
        self._orphans: OrphanCollector | None = None
        self._file: Callable[[], FileStatus] | None = None
        self._clock = clock

    def follow(
        self,
        cluster: Callable[[], HostCluster | None],
        orphans: OrphanCollector,
        file: Callable[[], FileStatus] | None = None,
    ) -> None:
        """Read these from now on. ``file`` returns whether tenants.yaml is what the hub works with."""
        self._cluster, self._orphans, self._file = cluster, orphans, file

    def collect(self) -> Iterable[Metric]:
        """Of the host watch, of each tenant's API, and of pods and tickets without a server."""
        if self._file is not None:
            yield from _file(self._file())
        cluster, orphans = self._cluster(), self._orphans
        if cluster is None or orphans is None:
            return
        yield from self._watch(cluster)
        yield from self._tenants(cluster)
        yield self._orphan_pods(orphans, cluster)
        yield self._held_tickets(orphans, cluster)

    def _watch(self, cluster: HostCluster) -> Iterable[Metric]:
        watch = cluster.watch
        age = watch.age
        facts: dict[str, tuple[str, float]] = {
            "stale": ("1 when nothing can be concluded from a pod that is not seen", int(watch.stale)),
            "pods": ("Pods of tenants that are known", len(watch.pods())),
            "skipped": ("Objects that could not be read since the hub started", watch.skipped),
        }
        if age is not None:
            facts["lag_seconds"] = ("Seconds since the host was heard of last", age)
            facts["last_sync_timestamp_seconds"] = ("When the host was heard of last", self._clock() - age)
        for name, (text, value) in facts.items():
            yield GaugeMetricFamily(f"aifactory_host_watch_{name}", text, value=value)

    def _tenants(self, cluster: HostCluster) -> Iterable[Metric]:
        up = GaugeMetricFamily("aifactory_tenant_api_up", "1 when a tenant's API can be used", labels=["tenant"])
        since = GaugeMetricFamily(
            "aifactory_tenant_api_state_seconds", "How long it has been so", labels=["tenant"]
        )  # fmt: skip
        for name in cluster.registry.tenants:
            health = cluster.clients.health(name)
            if health.since is not None:
                up.add_metric([name], int(health.ok))
                since.add_metric([name], max(0.0, self._clock() - health.since))
        yield up
        yield since

    def _orphan_pods(self, orphans: OrphanCollector, cluster: HostCluster) -> Metric:
        gauge = GaugeMetricFamily("aifactory_orphan_pods", "Pods of this hub without a server", labels=["tenant"])
        counts = dict.fromkeys(cluster.registry.tenants, 0)
        for orphan in orphans.orphans:
            counts[orphan.key.tenant] = counts.get(orphan.key.tenant, 0) + 1  # also of a team that was just removed
        for tenant, count in counts.items():
            gauge.add_metric([tenant], count)
        return gauge

    def _held_tickets(self, orphans: OrphanCollector, cluster: HostCluster) -> Metric:
        text = "Tickets that no server holds and that only a person may give back"
        gauge = GaugeMetricFamily("aifactory_held_tickets", text, labels=["tenant", "reason"])
        counts = {(tenant, str(reason)): 0 for tenant in cluster.registry.tenants for reason in HoldReason}
        for each in orphans.held:
            labels = (each.ticket.tenant, str(each.reason))
            counts[labels] = counts.get(labels, 0) + 1
        for labels, count in counts.items():
            gauge.add_metric([*labels], count)
        return gauge


def _file(status: FileStatus) -> Iterable[Metric]:
    text = "1 when the hub works with tenants.yaml as it is, 0 when the file is broken or waits for a restart"
    yield GaugeMetricFamily("aifactory_tenants_file_ok", text, value=int(not status.trouble))
    if status.read_at is not None:
        text = "When tenants.yaml was last read and was what the hub works with"
        yield GaugeMetricFamily("aifactory_tenants_file_read_timestamp_seconds", text, value=status.read_at)


HUB_METRICS = HubMetrics()
# What the hub shows at /hub/metrics.
REGISTRY.register(HUB_METRICS)
