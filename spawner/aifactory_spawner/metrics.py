"""What the hub's own /hub/metrics tells of starts, ends, the host watch and the tenants' APIs."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aifactory_hub.domain.orphans import HoldReason

from .jupyterhub5_compat import SpawnException

if TYPE_CHECKING:
    from .host_cluster import Shared, Wiring
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
# Of a start that never came to a tenant or profile: what somebody typed must not become a label.
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
            _observe(self.steps, tenant)

    return wrapped


def _observe(steps: StartLog, tenant: str) -> None:
    for phase, seconds in phases(steps.reached).items():
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


class WiringCollector(Collector):
    """Reads what all spawners of the hub share, at each scrape; tells nothing before it is made."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._shared: Shared | None = None
        self._clock = clock

    def follow(self, shared: Shared) -> None:
        """Tell of this from now on."""
        self._shared = shared

    def collect(self) -> Iterable[Metric]:
        """Of the host watch, of each tenant's API, and of pods without a server."""
        shared = self._shared
        if shared is None or shared.wiring is None:
            return
        yield from self._watch(shared.wiring)
        yield from self._tenants(shared.wiring)
        yield self._orphans(shared, shared.wiring)
        yield self._held(shared, shared.wiring)
        text = "1 when the hub works with tenants.yaml, 0 when that is broken and the last good one is used"
        yield GaugeMetricFamily("aifactory_tenants_file_ok", text, value=int(not shared.wiring.registry.trouble))

    def _watch(self, wiring: Wiring) -> Iterable[Metric]:
        watch = wiring.watch
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

    def _tenants(self, wiring: Wiring) -> Iterable[Metric]:
        up = GaugeMetricFamily("aifactory_tenant_api_up", "1 when a tenant's API can be used", labels=["tenant"])
        since = GaugeMetricFamily(
            "aifactory_tenant_api_state_seconds", "How long it has been so", labels=["tenant"]
        )  # fmt: skip
        for name in wiring.registry.tenants:
            health = wiring.clients.health(name)
            if health.since is not None:
                up.add_metric([name], int(health.ok))
                since.add_metric([name], max(0.0, self._clock() - health.since))
        yield up
        yield since

    def _orphans(self, shared: Shared, wiring: Wiring) -> Metric:
        gauge = GaugeMetricFamily("aifactory_orphan_pods", "Pods of this hub without a server", labels=["tenant"])
        counts = dict.fromkeys(wiring.registry.tenants, 0)
        for orphan in shared.orphans:
            counts[orphan.key.tenant] += 1
        for tenant, count in counts.items():
            gauge.add_metric([tenant], count)
        return gauge

    def _held(self, shared: Shared, wiring: Wiring) -> Metric:
        text = "Tickets that no server holds and that only a person may give back"
        gauge = GaugeMetricFamily("aifactory_held_tickets", text, labels=["tenant", "reason"])
        counts = {(tenant, str(reason)): 0 for tenant in wiring.registry.tenants for reason in HoldReason}
        for each in shared.held:
            counts[each.ticket.tenant, str(each.reason)] += 1
        for labels, count in counts.items():
            gauge.add_metric([*labels], count)
        return gauge


COLLECTOR = WiringCollector()
# What the hub shows at /hub/metrics.
REGISTRY.register(COLLECTOR)
