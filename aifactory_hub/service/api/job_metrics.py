"""Metrics of jobs and budgets for Prometheus. Nobody's name, no job's id and no command is a label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ...domain.budgets import Account, natural
from ...store.job_counts import EndedJob, JobCounts
from ..budgets import Budgets

# Seconds for which jobs that ended count as lately.
LATELY = 3600.0
QUANTILES = (0.5, 0.9)


def job_metrics(counts: JobCounts, now: float) -> list[Metric]:
    """How many jobs there are and were, and how long they wait and run. Blocks."""
    live = GaugeMetricFamily("aifactory_jobs", "Jobs that have not ended.", labels=("tenant", "state"))
    ended = CounterMetricFamily("aifactory_jobs_ended", "Jobs that ended.", labels=("tenant", "state"))
    for (tenant, state), count in sorted(counts.by_state().items()):
        (ended if state.final else live).add_metric((tenant, state.value), count)
    waits = GaugeMetricFamily(
        "aifactory_jobs_oldest_wait_seconds", "How long the job waits for quota that waits longest.", labels=["tenant"]
    )
    for tenant, since in sorted(counts.waiting_since().items()):
        waits.add_metric([tenant], max(0.0, now - since))
    return [live, ended, waits, lately(counts.ended(now - LATELY))]


def lately(jobs: Iterable[EndedJob]) -> Metric:
    """How long jobs waited for quota and ran that ended in the last hour; what none of them did is left out."""
    family = GaugeMetricFamily(
        "aifactory_jobs_lately_seconds",
        "Seconds that jobs waited for quota and ran, of those that ended in the last hour.",
        labels=("tenant", "phase", "quantile"),
    )
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for job in jobs:
        for phase, seconds in (("queued", job.queued), ("ran", job.ran)):
            if seconds is not None:
                found[job.tenant, phase].append(seconds)
    for (tenant, phase), all_of_them in sorted(found.items()):
        ordered = sorted(all_of_them)
        for quantile in QUANTILES:
            family.add_metric((tenant, phase, f"{quantile:g}"), nearest(ordered, quantile))
    return family


def nearest(ordered: Sequence[float], quantile: float) -> float:
    """The value below or at which this part (0 to 1) of the ordered values is; one that is among them."""
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]


def budget_metrics(budgets: Budgets) -> list[Metric]:
    """How the teams' budgets stand; those of each person are left out. Blocks.

    What the ledger does not know now is left out too, so that it is not taken for less than it is.
    """
    labels = ("tenant", "budget", "unit")
    limit = GaugeMetricFamily("aifactory_budget_limit", "What a team's budget allows, with grants.", labels=labels)
    spent = GaugeMetricFamily("aifactory_budget_spent", "What is spent of it.", labels=labels)
    reserved = GaugeMetricFamily("aifactory_budget_reserved", "What jobs may still cost besides.", labels=labels)
    for tenant in sorted(budgets.get_registry().tenants):
        for account in budgets.accounts(tenant):
            _stands(account, tenant, limit, spent, reserved)
    return [limit, spent, reserved]


def _stands(
    account: Account, tenant: str, limit: GaugeMetricFamily, spent: GaugeMetricFamily, reserved: GaugeMetricFamily
) -> None:
    unit = account.budget.unit
    key = (tenant, account.budget.name, unit.value)
    limit.add_metric(key, float(natural(unit, account.limit)))
    if account.known:
        spent.add_metric(key, float(natural(unit, account.spent)))
        reserved.add_metric(key, float(natural(unit, account.reserved)))
