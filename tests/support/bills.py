"""Holds, prices and bills for tests: a team's month that is closed, was corrected, and is told in FOCUS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from aifactory_hub.domain.bills import (
    BillLine,
    BillRecord,
    ClosedMonth,
    bills,
    charges,
    corrections,
    digest,
    summed,
)
from aifactory_hub.domain.focus import Account, Month
from aifactory_hub.domain.months import Span, month
from aifactory_hub.domain.prices import Prices, PriceVersion
from aifactory_hub.domain.usage import FactKind, Hold, Possession

ZONE = ZoneInfo("Europe/Berlin")
SEPTEMBER, OCTOBER = month("2026-09", ZONE), month("2026-10", ZONE)
ACCOUNT = Account("main", "GPU Hub", "host")
NAMES = {"nlp": "Language", "robots": "Robots"}
# One price that changes in the middle of October, and a profile without one.
PRICES = Prices.of(
    [
        PriceVersion("small", 0, Decimal("0.40"), "EUR", 1),
        PriceVersion("large", 0, Decimal("2.99"), "EUR", 2),
        PriceVersion("small", OCTOBER.start + 1_000_000, Decimal("0.45"), "EUR", 3),
    ]
)


def hold(pod: str, start: int, end: int | None, tenant: str = "nlp", user: str = "ada", profile: str = "small") -> Hold:
    """A server's hold of a seventh of a GPU, from ``start`` to ``end`` in seconds since October began."""
    whose = Possession(
        tenant,
        user,
        profile,
        "server",
        user,
        f"jupyter-{user}",
        devices={"h100-80gb/nvidia.com/mig-1g.10gb": 1},
        gpus=Fraction(1, 7),
    )
    until = None if end is None else OCTOBER.start + end
    return Hold(pod, whose, OCTOBER.start + start, until, until, ended_by=None if end is None else FactKind.ENDED)


def job(pod: str, start: int, end: int, user: str = "eve") -> Hold:
    """A job's, of a whole simulated GPU."""
    made = hold(pod, start, end, "robots", user, "large")
    whose = replace(made.possession, kind="job", owner="j-1", gpus=Fraction(1), simulated=True)
    return replace(made, possession=whose)


# What ran in October: one hold goes over a price's change, one into November, one has no user, one has no price.
HOLDS = [
    hold("p1", 100, 4_000),
    hold("p2", 999_000, 1_001_001),
    hold("p3", -500, 333, user=""),
    hold("p4", 2_500_000, 9_000_000, user="bob"),
    job("p5", 7, 100_006),
    replace(job("p6", 200_000, 200_001), latest_end=OCTOBER.start + 200_030),
    hold("p7", 50, 60, profile="unpriced"),
]


def lines_of(holds: Iterable[Hold], span: Span, prices: Prices = PRICES) -> list[BillLine]:
    """The bills' lines, from the holds themselves."""
    charged = [charge for each in holds for charge in charges(each, prices, span.start, span.end)]
    return [line for bill in bills(summed(charged), prices) for line in bill.lines]


def records_of(span: Span, lines: Iterable[BillLine]) -> list[BillRecord]:
    """The rows of a month that is closed with these lines."""
    return [BillRecord(span.name, n, "original", span.name, span.end, line) for n, line in enumerate(lines)]


def corrected(span: Span, booked_in: Span, before: Iterable[Hold], after: Iterable[Hold]) -> list[BillRecord]:
    """The rows that correct a month, in another one."""
    found = corrections(lines_of(before, span), lines_of(after, span))
    pairs = [(r, line) for c in found for r, line in (("retraction", c.retracted), ("restatement", c.restated))]
    at = booked_in.start + 5
    told = [(record, line) for record, line in pairs if line is not None]
    return [BillRecord(span.name, 50 + n, record, booked_in.name, at, line) for n, (record, line) in enumerate(told)]


# September was closed without a hold that was heard of in October.
BEFORE = [hold("s1", -900_000, -800_000), hold("s2", -700_000, -600_500, user="bob")]
LATE = hold("s3", -90_000, -80_000)
RECORDS = [*records_of(OCTOBER, lines_of(HOLDS, OCTOBER)), *corrected(SEPTEMBER, OCTOBER, BEFORE, [*BEFORE, LATE])]


def closed(span: Span, lines: Iterable[BillLine]) -> ClosedMonth:
    return ClosedMonth(span, "Europe/Berlin", span.end + 259_200, "root", 40, digest(span, lines))


def october(*, chargeback: bool = True, is_closed: bool = True) -> Month:
    """October as it is told."""
    made = closed(OCTOBER, lines_of(HOLDS, OCTOBER)) if is_closed else None
    until = OCTOBER.end if is_closed else OCTOBER.start + 2_600_000
    spans = {"2026-09": SEPTEMBER, **({"2026-10": OCTOBER} if is_closed else {})}
    return Month(ACCOUNT, OCTOBER, until, chargeback, made, spans, NAMES)
