"""Makes the answers about bills, as JSON and as CSV, without I/O."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from ...domain.bills import BillLine
from ...domain.prices import Prices, PriceVersion
from ...domain.usage_answers import currency_of
from ...store.billing import BillRecord, ClosedMonth
from .. import usage_answer_types as types
from ..usage_bills import MonthsBill, MonthsBills
from .usage_answers import money, number, per_hour, versions_of

# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (
    *("record", "month", "booked_in", "tenant", "user", "profile", "kind", "simulated", "seconds", "gpu_seconds"),
    *("pods", "per_hour", "amount", "currency"),
)


def bill_answer(month: MonthsBills, bill: MonthsBill, prices: Prices, *, as_of: int, currency: str) -> types.BillAnswer:
    """A team's bill. ``currency`` is the site's now, for a bill without any price."""
    versions, closed = versions_of(prices), month.closed
    return {
        "tenant": bill.tenant,
        "month": month.span.name,
        "start": month.span.start,
        "end": month.span.end,
        "as_of": as_of,
        "uncertain_seconds": bill.uncertain,
        "simulated": any(line.key.simulated for line in bill.lines),
        "currency": currency_of(bill.lines) or currency or None,
        "state": month.state,
        "closed_at": None if closed is None else closed.closed_at,
        "closed_by": None if closed is None else closed.closed_by,
        "digest": None if closed is None else closed.digest,
        "amount": money(bill.amount),
        "corrections_amount": money(bill.corrections_amount),
        "total": money(bill.total),
        "lines": [_line(line, versions) for line in bill.lines],
        "corrections": [_correction(each, versions) for each in bill.corrections],
        "corrected_later": [_correction(each, versions) for each in bill.later],
    }


def bills_answer(month: MonthsBills, prices: Prices, *, as_of: int, currency: str) -> types.PlatformBills:
    """The bills of all teams."""
    closed = month.closed
    lines = [line for bill in month.bills for line in bill.lines]
    return {
        "month": month.span.name,
        "start": month.span.start,
        "end": month.span.end,
        "as_of": as_of,
        "uncertain_seconds": sum(bill.uncertain for bill in month.bills),
        "simulated": any(line.key.simulated for line in lines),
        "currency": currency_of(lines) or currency or None,
        "state": month.state,
        "closed_at": None if closed is None else closed.closed_at,
        "closed_by": None if closed is None else closed.closed_by,
        "digest": None if closed is None else closed.digest,
        "amount": money(month.amount),
        "bills": [bill_answer(month, bill, prices, as_of=as_of, currency=currency) for bill in month.bills],
    }


def closed_answer(closed: ClosedMonth) -> types.ClosedAnswer:
    """A month that is closed now."""
    return {
        "month": closed.span.name,
        "start": closed.span.start,
        "end": closed.span.end,
        "closed_at": closed.closed_at,
        "closed_by": closed.closed_by,
        "digest": closed.digest,
    }


def bill_csv(month: MonthsBills, prices: Prices) -> str:
    """The lines of all its bills and what was booked in them, one a row. A spreadsheet takes no cell for a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in row] for row in _csv_rows(month, versions_of(prices)))
    return text.getvalue()


def _csv_rows(month: MonthsBills, versions: Mapping[int, PriceVersion]) -> Iterator[list[object]]:
    for bill in month.bills:
        for line in bill.lines:
            yield _csv_row("original", month.span.name, month.span.name, line, versions)
        for each in bill.corrections:
            yield _csv_row(each.record, each.month, each.booked_in, each.line, versions)


def _csv_row(
    record: str, month: str, booked_in: str, line: BillLine, versions: Mapping[int, PriceVersion]
) -> list[object]:
    key = line.key
    return [
        *(record, month, booked_in, key.tenant, key.user, key.profile, key.kind, str(key.simulated).lower()),
        *(line.seconds, number(line.gpu_seconds), line.pods, per_hour(line, versions), money(line.amount)),
        line.currency,
    ]


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(line: BillLine, versions: Mapping[int, PriceVersion]) -> types.BillLineAnswer:
    return {
        "tenant": line.key.tenant,
        "user": line.key.user,
        "profile": line.key.profile,
        "kind": line.key.kind,
        "simulated": line.key.simulated,
        "seconds": line.seconds,
        "gpu_seconds": number(line.gpu_seconds),
        "pods": line.pods,
        "per_hour": per_hour(line, versions),
        "amount": money(line.amount),
    }


def _correction(record: BillRecord, versions: Mapping[int, PriceVersion]) -> types.CorrectionAnswer:
    return {
        "month": record.month,
        "record": "retraction" if record.record == "retraction" else "restatement",
        "booked_in": record.booked_in,
        "booked_at": record.booked_at,
        "line": _line(record.line, versions),
    }
