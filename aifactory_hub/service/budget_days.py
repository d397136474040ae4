"""What was used on past days, for forecasts of budgets: read once a day for each account. Blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..domain.budget_forecast import MOST_DAYS, BudgetForecast, DayUse, forecast
from ..domain.budgets import Account, Unit
from ..domain.months import day_of, days
from ..domain.usage_answers import names_of, rows_by_span
from ..store.billing import Billing
from ..store.budgets import TeamBudgets
from ..store.usage_reports import UsageReports, Whose

_MOST_KEPT = 1000


@dataclass
class BudgetDays:
    """Makes forecasts of accounts."""

    usage: UsageReports
    billing: Billing
    _kept: dict[tuple[str, str, Unit, str], list[DayUse]] = field(default_factory=dict)

    def forecast(self, team: TeamBudgets, account: Account) -> BudgetForecast:
        """See domain.budget_forecast.forecast."""
        return forecast(account, self._past(team, account), team.now, team.zone)

    def _past(self, team: TeamBudgets, account: Account) -> list[DayUse]:
        today = day_of(team.now, team.zone)
        key = (team.tenant, account.user, account.budget.unit, today.name)
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = self._read(team, account, today.start)
        return self._kept[key]

    def _read(self, team: TeamBudgets, account: Account, until: int) -> list[DayUse]:
        """The whole days before ``until``, from the first on at which there was a ledger."""
        first = self.usage.first_second()
        if first is None:
            return []
        since = max(until - MOST_DAYS * 86400, first)
        spans = [span for span in days(day_of(since, team.zone).start, until, team.zone) if span.start >= first]
        if not spans:
            return []
        whose = Whose(team.tenant, names_of(account.user) if account.user else None)
        rows = rows_by_span(self.usage.stream(spans[0].start, until, whose), spans, self.billing.prices())
        if account.budget.unit is Unit.MONEY:
            amounts = [float(row.amount or 0) for row in rows]
        else:
            amounts = [float(row.gpu_seconds) for row in rows]
        return [DayUse(span, amount) for span, amount in zip(spans, amounts, strict=True)]
