"""Prices and months: which prices counted when, which months are closed, and what they were corrected by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, func, insert, select, update

from ..domain.bills import (
    BillLine,
    BillRecord,
    ClosedMonth,
    Seconds,
    bills,
    corrections,
    digest,
    line_json,
    line_of,
    standing,
)
from ..domain.months import Span, month_of
from ..domain.prices import Prices, PriceVersion, changed, other_currency, refuse
from .database import writing
from .usage_reports import UsageReports, Whose
from .usage_tables import BillRow, HoldRow, PriceRow, UsageMonthRow

__all__ = ["BillRecord", "Billing", "ClosedMonth", "MonthRefused"]

_PRICES, _ROWS = PriceRow.__table__, BillRow.__table__


class MonthRefused(ValueError):
    """A month that can't be closed; the text says why and what to do."""


class Billing:
    """Prices and closed months in the database. Methods block and are safe in any thread."""

    def __init__(self, db: Engine) -> None:
        self._db = db
        self._reports = UsageReports(db)

    def prices(self) -> Prices:
        """All versions."""
        with self._db.connect() as connection:
            return read_prices(connection)

    def follow(self, wanted: Mapping[str, Decimal | None], currency: str, now: int) -> list[PriceVersion]:
        """Let the site's prices be these from now on; the versions that are new. Raises PriceRefused, changing nothing.

        The first prices of all count for what was held before them, too, and those in another currency for the whole of
        what is not closed: no month is billed in two.
        """
        with writing(self._db) as connection:
            known, open_from = read_prices(connection), _open_from(connection)
            begin = open_from if not known.versions or other_currency(known, currency) else now
            return self._add(connection, changed(known, wanted, currency, begin), known, open_from)

    def add_price(self, version: PriceVersion) -> PriceVersion:
        """Add a version that begins at another time than now. Raises PriceRefused."""
        with writing(self._db) as connection:
            return self._add(connection, [version], read_prices(connection), _open_from(connection))[0]

    def _add(
        self, connection: Connection, versions: list[PriceVersion], known: Prices, open_from: int
    ) -> list[PriceVersion]:
        refuse(versions, known, open_from=open_from)
        last = int(connection.scalar(select(func.max(PriceRow.number))) or 0)
        added = [replace(version, number=last + place) for place, version in enumerate(versions, 1)]
        if added:
            connection.execute(insert(PriceRow), [_price_values(version) for version in added])
        return added

    def closed(self) -> dict[str, ClosedMonth]:
        """The closed months by name, the oldest first."""
        with self._db.connect() as connection:
            rows = connection.execute(select(UsageMonthRow.__table__).order_by(UsageMonthRow.start))
            return {row.name: _closed(row) for row in rows}

    def records(
        self, *, month: str | None = None, booked_in: str | None = None, tenant: str | None = None
    ) -> list[BillRecord]:
        """The rows of a closed month, or those that were booked in a month; originals first."""
        query = select(_ROWS)
        if month is not None:
            query = query.where(BillRow.month == month)
        if booked_in is not None:
            query = query.where(BillRow.booked_in == booked_in)
        if tenant is not None:
            query = query.where(BillRow.tenant == tenant)
        with self._db.connect() as connection:
            return [_record(row) for row in connection.execute(query.order_by(BillRow.month, BillRow.place))]

    def lines(self, span: Span, as_of: int, tenant: str | None = None) -> list[BillLine]:
        """The lines of ``span`` as the ledger and the prices have them now, up to ``as_of``."""
        prices = self.prices()
        until = min(span.end, as_of)
        seconds: Iterable[Seconds] = ()
        if until > span.start:
            seconds = self._reports.seconds(span.start, until, prices, Whose(tenant=tenant))
        return [line for bill in bills(seconds, prices) for line in bill.lines]

    def close(self, span: Span, zone: str, *, by: str, now: int, heard_at: int) -> ClosedMonth:
        """Close the month: its lines are stored with their digest and never change. Raises MonthRefused.

        ``heard_at`` is when the host was heard last: a month whose end has not been heard is not closed.
        """
        _refuse_close(span, self.closed(), min(now, heard_at))
        with self._db.connect() as connection:
            # Before the lines are read: a fact that comes meanwhile is a late one.
            through = _last_change(connection)
        lines = self.lines(span, span.end)
        made = ClosedMonth(span, zone, now, by, through, digest(span, lines))
        with writing(self._db) as connection:
            connection.execute(insert(UsageMonthRow).values(**_month_values(made)))
            _add_rows(connection, span.name, span.name, now, [("original", line) for line in lines])
        return made

    def correct(self, now: int) -> list[BillRecord]:
        """Find what closed months have to be corrected by, because of facts that came late, and book it in the month
        that is open now; the new rows. What was closed stays as it is."""
        with self._db.connect() as connection:
            last = _last_change(connection)
            query = select(UsageMonthRow.__table__).where(UsageMonthRow.checked < last).order_by(UsageMonthRow.start)
            months = connection.execute(query).all()
        return [row for month in months for row in self._correct(month, last, now)]

    def _correct(self, month: Any, last: int, now: int) -> list[BillRecord]:
        closed = _closed(month)
        span, records = closed.span, self.records(month=closed.span.name)
        rows: list[tuple[str, BillLine]] = []
        if self._touched(span, month.checked):
            for each in corrections(standing(records), self.lines(span, span.end)):
                both = (("retraction", each.retracted), ("restatement", each.restated))
                rows += [(record, line) for record, line in both if line is not None]
        booked_in = month_of(now, ZoneInfo(closed.zone)).name
        with writing(self._db) as connection:
            _add_rows(connection, span.name, booked_in, now, rows, place=len(records))
            checked = update(UsageMonthRow).where(UsageMonthRow.name == span.name).values(checked=last)
            connection.execute(checked)
        return self.records(month=span.name)[len(records) :]

    def _touched(self, span: Span, since: int) -> bool:
        query = select(HoldRow.pod).where(HoldRow.changed > since, HoldRow.start < span.end).limit(1)
        with self._db.connect() as connection:
            return connection.execute(query).first() is not None


def _refuse_close(span: Span, known: Mapping[str, ClosedMonth], heard: int) -> None:
    """Raises MonthRefused for a month that is closed, not over, or not the next one."""
    if span.name in known:
        raise MonthRefused(f"{span.name} was closed already, by {known[span.name].closed_by}")
    if heard < span.end:
        raise MonthRefused(f"{span.name} is not over, or its end was not heard of yet: close it later")
    if known and span.start != max(each.span.end for each in known.values()):
        raise MonthRefused(f"{span.name} does not follow on {list(known)[-1]}, the last closed month")


def _price_values(version: PriceVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "profile": version.profile,
        "effective_from": version.effective_from,
        "per_hour": None if version.per_hour is None else f"{version.per_hour:f}",
        "currency": version.currency,
    }


def read_prices(connection: Connection) -> Prices:
    rows = connection.execute(select(_PRICES).order_by(PriceRow.number))
    return Prices.of(
        PriceVersion(
            row.profile,
            row.effective_from,
            None if row.per_hour is None else Decimal(row.per_hour),
            row.currency,
            row.number,
        )
        for row in rows
    )


def _open_from(connection: Connection) -> int:
    return int(connection.scalar(select(func.max(UsageMonthRow.end))) or 0)


def _last_change(connection: Connection) -> int:
    return int(connection.scalar(select(func.max(HoldRow.changed))) or 0)


def _add_rows(
    connection: Connection,
    month: str,
    booked_in: str,
    now: int,
    rows: Iterable[tuple[str, BillLine]],
    place: int = 0,
) -> None:
    values = [
        {
            "month": month,
            "place": place + number,
            "record": record,
            "booked_in": booked_in,
            "booked_at": now,
            "tenant": line.key.tenant,
            "line": json.dumps(line_json(line), sort_keys=True),
        }
        for number, (record, line) in enumerate(rows)
    ]
    if values:
        connection.execute(insert(BillRow), values)


def _record(row: Any) -> BillRecord:
    return BillRecord(row.month, row.place, row.record, row.booked_in, row.booked_at, line_of(json.loads(row.line)))


def _closed(row: Any) -> ClosedMonth:
    span = Span(row.name, row.start, row.end)
    return ClosedMonth(span, row.zone, row.closed_at, row.closed_by, row.through, row.digest)


def _month_values(made: ClosedMonth) -> dict[str, Any]:
    return {
        "name": made.span.name,
        "start": made.span.start,
        "end": made.span.end,
        "zone": made.zone,
        "closed_at": made.closed_at,
        "closed_by": made.closed_by,
        "through": made.through,
        "digest": made.digest,
        "checked": made.through,
    }
