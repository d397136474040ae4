"""The service's metrics for Prometheus: counted from its tables, so they say the same as bills after any restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from ...domain.bills import Seconds
from ...domain.prices import Prices
from ...domain.usage import Hold
from ...store.job_counts import JobCounts
from ..auth.hub_auth import bearer
from ..auth.runner_tokens import matches
from ..errors import forbidden
from ..executors import metering
from .base import Handler
from .context import Context
from .job_metrics import budget_metrics, job_metrics

_LABELS = ("tenant", "profile", "kind")


class UsageMetrics(Handler):
    """For the site's Prometheus, with a token that is good for nothing else."""

    async def get(self) -> None:
        """Plain text in Prometheus' form. Nobody's name is in it."""
        if not matches(bearer(self.request.headers.get("Authorization")), self.context.metrics_token_hash):
            raise forbidden("This takes the token of AIFACTORY_HUB_METRICS_TOKEN.")
        text = await metering.run(_text, self.context)
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.finish(text)


def _text(context: Context) -> bytes:
    heard_at = context.heard_at()
    until = max(heard_at, 1)
    seconds = context.usage.seconds(0, until, Prices.of(()))
    registry = CollectorRegistry(auto_describe=False)
    uncertain = context.usage.total(0, until).uncertain
    lag = max(0.0, context.clock() - heard_at)
    registry.register(_Found([*_counted(seconds, context.ledger.going_on()), *_state(context, uncertain, lag)]))
    registry.register(_Found([_idle(context), *job_metrics(JobCounts(context.jobs.db), context.clock())]))
    registry.register(_Found(budget_metrics(context.budgets)))
    return generate_latest(registry)


class _Found(Collector):
    """Metrics that were gathered before."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        yield from self._metrics


def _counted(seconds: Iterable[Seconds], going_on: Iterable[Hold]) -> list[Metric]:
    held, gpu, now = Counter[tuple[str, ...]](), Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for each in seconds:
        labels = (each.key.tenant, each.key.profile, each.key.kind)
        held[labels] += each.held
        gpu[labels] += each.gpu  # type: ignore[assignment]
    for hold in going_on:
        now[hold.possession.tenant, hold.possession.profile, hold.possession.kind] += 1
    return [
        _family(CounterMetricFamily, "aifactory_usage_held_seconds", "Seconds that pods held their profile.", held),
        _family(CounterMetricFamily, "aifactory_usage_gpu_seconds", "The same in seconds of whole GPUs.", gpu),
        _family(GaugeMetricFamily, "aifactory_usage_held", "Pods that hold their profile now.", now),
    ]


def _family(kind: type[Metric], name: str, help_: str, counts: Counter[tuple[str, ...]]) -> Metric:
    family = kind(name, help_, labels=_LABELS)  # type: ignore[call-arg]
    for labels, count in sorted(counts.items()):
        family.add_metric(labels, float(count))  # type: ignore[attr-defined]
    return family


def _idle(context: Context) -> Metric:
    """Servers that hold a GPU, by what they were judged last."""
    found: Counter[tuple[str, str]] = Counter()
    for each in list(context.idle.seen.values()):
        found[each.hold.possession.tenant, type(each.verdict).__name__.lower()] += 1
    family = GaugeMetricFamily(
        "aifactory_idle_servers", "Servers that hold a GPU: busy, idle or unknown.", labels=("tenant", "verdict")
    )
    for labels, count in sorted(found.items()):
        family.add_metric(labels, float(count))
    return family


def _state(context: Context, uncertain: int, lag: float) -> list[Metric]:
    return [
        CounterMetricFamily(
            "aifactory_usage_uncertain_seconds",
            "Seconds that nobody could know of, and that are not billed.",
            uncertain,
        ),
        CounterMetricFamily("aifactory_usage_events", "Facts in the ledger.", context.ledger.head()),
        GaugeMetricFamily("aifactory_usage_lag_seconds", "How far the ledger is behind.", lag),
    ]
