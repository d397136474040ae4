"""Gathers what the ledger and the bills say of one question. Blocking: to be called in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from zoneinfo import ZoneInfo

from ..domain.bills import BillLine, bills
from ..domain.months import Span, days, hours
from ..domain.prices import Prices
from ..domain.usage_answers import By, UsageRow, add_seconds, currency_of, period, rows, rows_by_span, summed
from ..domain.usage_series import week_of
from ..store.billing import Billing, BillRecord, ClosedMonth
from ..store.usage_reports import Total, UsageReports, Whose


@dataclass(frozen=True, slots=True)
class Summary:
    """Rows of a span with what is to be said of all of them."""

    span: Span
    rows: list[UsageRow]
    total: UsageRow
    uncertain: int
    simulated: bool
    currency: str | None


@dataclass(frozen=True)
class UsageReader:
    """One question's. ``as_of`` is up to which second what goes on is counted."""

    usage: UsageReports
    billing: Billing
    zone: ZoneInfo
    as_of: int

    @cached_property
    def prices(self) -> Prices:
        """All versions."""
        return self.billing.prices()

    @cached_property
    def closed(self) -> dict[str, ClosedMonth]:
        """The closed months by name."""
        return self.billing.closed()

    def span(self, name: str | None, since: str | None = None, until: str | None = None) -> Span:
        """See domain.usage_answers.period; a closed month is what it was when it was closed. Raises PeriodRefused."""
        found = period(name, since, until, now=self.as_of, zone=self.zone)
        return self.closed[found.name].span if found.name in self.closed else found

    def until(self, span: Span) -> int:
        """Up to where there is something to count."""
        return max(span.start, min(span.end, self.as_of))

    def lines(self, span: Span, whose: Whose) -> list[BillLine]:
        """The lines of a bill; those of a closed month as they were stored."""
        if self.closed.get(span.name) is not None:
            records = self.billing.records(month=span.name, tenant=whose.tenant)
            return [each.line for each in records if each.record == "original" and _is_of(each, whose)]
        until = self.until(span)
        seconds = self.usage.seconds(span.start, until, self.prices, whose) if until > span.start else []
        return [line for bill in bills(seconds, self.prices) for line in bill.lines]

    def total(self, span: Span, whose: Whose) -> Total:
        """In three numbers."""
        until = self.until(span)
        return self.usage.total(span.start, until, whose) if until > span.start else Total(0, 0, 0)

    def summary(self, span: Span, whose: Whose, by: By) -> tuple[Summary, list[BillLine]]:
        """The span added up, and the lines that it was added up from."""
        lines, total = self.lines(span, whose), self.total(span, whose)
        simulated = any(line.key.simulated for line in lines)
        currency = currency_of(lines)
        if by in (By.DAY, By.HOUR):
            until = self.until(span)
            spans = (days if by is By.DAY else hours)(span.start, until, self.zone)
            found = rows_by_span(self.usage.stream(span.start, until, whose), spans, self.prices)
        else:
            found = rows(lines, by)
        return Summary(span, found, summed(found, total.pods), total.uncertain, simulated, currency), lines

    def heatmaps(self, span: Span, whose: Whose) -> tuple[list[list[Fraction]], list[list[Fraction]], bool]:
        """How many pods, and how much of GPUs, were held on average at each hour of the week; whether any is simulated.

        Of a month that goes on, up to now.
        """
        spans = hours(span.start, self.until(span), self.zone)
        pods, devices, simulated = [0] * len(spans), [Fraction(0)] * len(spans), False
        for page in self.usage.stream(span.start, self.until(span), whose):
            add_seconds(page, spans, pods, devices)
            simulated = simulated or any(hold.possession.simulated for hold in page)
        return week_of(spans, pods, self.zone), week_of(spans, devices, self.zone), simulated


def _is_of(record: BillRecord, whose: Whose) -> bool:
    key = record.line.key
    if whose.users is not None and key.user not in whose.users:
        return False
    return whose.profile is None or key.profile == whose.profile
