"""The budget of the demo's first team: nearly used up, whatever day of the month it is."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from ..domain.months import before, month_of
from ..domain.usage import FactKind
from ..registry import Registry
from .history import made_history

TEAM = "nlp"
# Of the budget's hours so many per cent are used when the demo starts: it has told of 80 %.
USED = 88


def near_budget(registry: Registry, now: int) -> str:
    """The budget as it is written in tenants.yaml: for last month and this one, in hours of whole GPUs."""
    zone = registry.billing.zone
    this = month_of(now, zone)
    last = before(this, zone)
    gpu_hours = _used(registry, last.start, now) / 3600
    whole = max(1, round(gpu_hours * 100 / USED))
    days = [datetime.fromtimestamp(at, zone).date().isoformat() for at in (last.start, this.end - 1)]
    return (
        f"{{two-months: {{gpu_hours: {whole}, period: span, first_day: {days[0]}, last_day: {days[1]}, safe: false, "
        "steps: {warn: [80, 95], lower_priority: 95, hold: 100}}}"
    )


def _used(registry: Registry, start: int, now: int) -> Fraction:
    """Seconds of GPUs that the team's made history has from ``start`` on."""
    began: dict[str, tuple[int, Fraction]] = {}
    used = Fraction(0)
    for fact in made_history(registry, now):
        if fact.kind is FactKind.BOUND and fact.possession is not None and fact.possession.tenant == TEAM:
            began[fact.pod] = (max(start, fact.at), fact.possession.gpus or Fraction(0))
        elif fact.kind is FactKind.ENDED and fact.pod in began:
            since, gpus = began[fact.pod]
            used += gpus * max(0, fact.at - since)
    return used
