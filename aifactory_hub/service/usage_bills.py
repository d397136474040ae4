"""Gathers the bills of a month. Blocking: to be called in a thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from ..domain.bills import BillLine
from ..domain.months import Span
from ..domain.usage_answers import currency_of, named_month
from ..store.billing import BillRecord, ClosedMonth
from ..store.usage_reports import Whose
from .usage_reader import UsageReader

State = Literal["open", "closing", "closed"]


@dataclass(frozen=True, slots=True)
class MonthsBill:
    """A team's bill of a month, and the corrections that were booked in it, and later in others for it."""

    tenant: str
    lines: Sequence[BillLine]
    corrections: Sequence[BillRecord] = ()
    later: Sequence[BillRecord] = ()
    uncertain: int = 0

    @property
    def amount(self) -> Decimal | None:
        """Of the lines; None where none has a price."""
        return _sum(line.amount for line in self.lines)

    @property
    def corrections_amount(self) -> Decimal | None:
        """Of the corrections: what was restated less what was retracted; None where there is none with a price."""
        return _sum(_signed(each) for each in self.corrections)

    @property
    def total(self) -> Decimal | None:
        """Of both; None where there is neither, or where they are of different currencies."""
        if currency_of([*self.lines, *(each.line for each in self.corrections)]) is None:
            return None
        return _sum((self.amount, self.corrections_amount))


@dataclass(frozen=True, slots=True)
class MonthsBills:
    """The bills of a month: it is CLOSING when it is over and not closed yet."""

    span: Span
    state: State
    closed: ClosedMonth | None
    bills: Sequence[MonthsBill]

    @property
    def amount(self) -> Decimal | None:
        """Of all lines."""
        return _sum(bill.amount for bill in self.bills)


def months_bills(reader: UsageReader, name: str, tenant: str | None = None) -> MonthsBills:
    """The bills of all teams in the month of this name, or that of one. Raises PeriodRefused for what is no month."""
    closed = reader.closed.get(name)
    span = named_month(name, reader.zone) if closed is None else closed.span
    lines = reader.lines(span, Whose(tenant=tenant))
    booked = [each for each in reader.billing.records(booked_in=name, tenant=tenant) if each.record != "original"]
    later = reader.billing.records(month=name, tenant=tenant) if closed is not None else []
    later = [each for each in later if each.record != "original"]
    state: State = "closed" if closed is not None else "closing" if reader.as_of >= span.end else "open"
    teams = {line.key.tenant for line in (*lines, *(each.line for each in (*booked, *later)))}
    bills = [_bill(reader, span, team, lines, booked, later) for team in ([tenant] if tenant else sorted(teams))]
    return MonthsBills(span, state, closed, bills)


def _bill(
    reader: UsageReader,
    span: Span,
    tenant: str,
    lines: Iterable[BillLine],
    booked: Iterable[BillRecord],
    later: Iterable[BillRecord],
) -> MonthsBill:
    return MonthsBill(
        tenant,
        [line for line in lines if line.key.tenant == tenant],
        [each for each in booked if each.line.key.tenant == tenant],
        [each for each in later if each.line.key.tenant == tenant],
        reader.total(span, Whose(tenant=tenant)).uncertain,
    )


def _signed(record: BillRecord) -> Decimal | None:
    amount = record.line.amount
    return amount if amount is None or record.record == "restatement" else -amount


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None
