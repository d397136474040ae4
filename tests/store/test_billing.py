"""Prices and months on both databases: what is closed never changes, and what came late is booked afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from aifactory_hub.domain.bills import bills, charges, digest, summed
from aifactory_hub.domain.months import Span, following
from aifactory_hub.domain.prices import PriceRefused, Prices, PriceVersion
from aifactory_hub.domain.usage import FactKind, Possession, Source, UsageFact
from aifactory_hub.store.billing import Billing, BillRecord, MonthRefused
from aifactory_hub.store.database import writing
from aifactory_hub.store.ledger import Ledger
from aifactory_hub.store.usage_reports import UsageReports, Whose

from ..support.bills import OCTOBER, SEPTEMBER, ZONE

NOVEMBER = following(OCTOBER, ZONE)
ADA = Possession("nlp", "ada", "small", "server", "ada", gpus=Fraction(1, 7))
LATER = NOVEMBER.start + 300_000
WANTED = {"small": Decimal("0.40"), "large": Decimal("2.99")}


class Site:
    """A ledger and the bills of it."""

    def __init__(self, db: Engine) -> None:
        self.db = db
        self.ledger, self.billing, self.reports = Ledger(db), Billing(db), UsageReports(db)
        self.billing.follow(WANTED, "EUR", SEPTEMBER.start)

    def hold(self, pod: str, start: int, end: int | None, whose: Possession = ADA) -> None:
        facts = [UsageFact.exact(pod, FactKind.BOUND, Source.WATCH, start, start, possession=whose)]
        if end is not None:
            facts.append(UsageFact.exact(pod, FactKind.ENDED, Source.WATCH, end, end))
        self.ledger.append(facts)

    def end(self, pod: str, at: int) -> None:
        self.ledger.append([UsageFact.exact(pod, FactKind.ENDED, Source.REPLAY, at, LATER)])

    def close(self, span: Span, **more: Any) -> Any:
        given = {"by": "root", "now": LATER, "heard_at": LATER, **more}
        return self.billing.close(span, "Europe/Berlin", **given)


@pytest.fixture
def site(db: Engine) -> Site:
    return Site(db)


def told(records: Iterable[BillRecord]) -> list[tuple[str, str, int, str]]:
    return [(each.month, each.record, each.line.seconds, str(each.line.amount)) for each in records]


def test_a_month_is_closed_under_a_hold_that_goes_on(site: Site) -> None:
    site.hold("p1", OCTOBER.end - 3600, None)
    made = site.close(OCTOBER)
    assert told(site.billing.records(month="2026-10")) == [("2026-10", "original", 3600, "0.40")]
    site.end("p1", NOVEMBER.start + 7200)
    # The end is news of November, and of nothing that was billed.
    assert site.billing.correct(LATER) == []
    assert [line.seconds for line in site.billing.lines(NOVEMBER, LATER)] == [7200]
    assert site.billing.closed()["2026-10"] == made


def test_a_fact_that_comes_late_is_two_rows_of_the_open_month(site: Site) -> None:
    site.hold("p1", OCTOBER.start, None)
    made = site.close(OCTOBER)
    before = site.billing.records(month="2026-10")
    site.end("p1", OCTOBER.start + 36_000)
    booked = site.billing.correct(LATER)
    assert told(booked) == [
        ("2026-10", "retraction", OCTOBER.seconds, str(before[0].line.amount)),
        ("2026-10", "restatement", 36_000, "4.00"),
    ]
    assert {each.booked_in for each in booked} == {"2026-11"}
    assert site.billing.records(month="2026-10") == [*before, *booked]
    assert site.billing.records(booked_in="2026-11") == booked
    assert site.billing.closed()["2026-10"].digest == made.digest == digest(OCTOBER, [each.line for each in before])
    assert site.billing.correct(LATER) == []


def test_a_hold_that_nobody_knew_of_is_only_stated(site: Site) -> None:
    site.close(OCTOBER)
    site.hold("p1", OCTOBER.start, OCTOBER.start + 3600)
    assert told(site.billing.correct(LATER)) == [("2026-10", "restatement", 3600, "0.40")]


def test_corrections_of_several_months_are_each_booked_once(site: Site) -> None:
    site.hold("p1", SEPTEMBER.end - 3600, None)
    site.close(SEPTEMBER)
    site.close(OCTOBER)
    for end in (OCTOBER.start + 3600, SEPTEMBER.end - 1800):
        facts = [UsageFact.exact("p1", FactKind.CORRECTED, Source.OPERATOR, end, LATER, note="the node was down")]
        site.ledger.append(facts)
        site.billing.correct(LATER)
    assert [row[:3] for row in told(site.billing.records(booked_in="2026-11"))] == [
        ("2026-09", "retraction", 3600),
        ("2026-09", "restatement", 1800),
        ("2026-10", "retraction", OCTOBER.seconds),
        ("2026-10", "restatement", 3600),
        ("2026-10", "retraction", 3600),
    ]


def test_a_fact_that_comes_while_a_month_is_closed_is_not_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.hold("p1", OCTOBER.start, OCTOBER.start + 3600)
    lines = site.billing.lines

    def meanwhile(*arguments: Any) -> Any:
        found = lines(*arguments)
        site.hold("p2", OCTOBER.start, OCTOBER.start + 7200)
        return found

    monkeypatch.setattr(site.billing, "lines", meanwhile)
    site.close(OCTOBER)
    monkeypatch.undo()
    assert told(site.billing.correct(LATER)) == [
        ("2026-10", "retraction", 3600, "0.40"),
        ("2026-10", "restatement", 10_800, "1.20"),
    ]


@pytest.mark.parametrize(
    ("closed_before", "span", "more", "says"),
    [
        ([OCTOBER], OCTOBER, {}, "2026-10 was closed already, by root"),
        ([], OCTOBER, {"now": OCTOBER.end - 1}, "2026-10 is not over"),
        ([], OCTOBER, {"heard_at": OCTOBER.end - 1}, "or its end was not heard of yet: close it later"),
        (
            [SEPTEMBER],
            NOVEMBER,
            {"now": NOVEMBER.end, "heard_at": NOVEMBER.end},
            "does not follow on 2026-09, the last",
        ),
        ([OCTOBER], SEPTEMBER, {}, "2026-09 does not follow on 2026-10"),
    ],
)
def test_months_are_closed_in_order_and_once(
    site: Site, closed_before: list[Span], span: Span, more: dict[str, int], says: str
) -> None:
    for each in closed_before:
        site.close(each)
    with pytest.raises(MonthRefused, match=says):
        site.close(span, **more)
    assert list(site.billing.closed()) == [each.name for each in closed_before]


def test_the_first_prices_count_for_what_was_held_before_them(site: Site) -> None:
    assert [(v.profile, v.effective_from) for v in versions(site)] == [("large", 0), ("small", 0)]
    assert site.billing.follow(WANTED, "EUR", LATER) == []


def versions(site: Site) -> list[PriceVersion]:
    return sorted((v for each in site.billing.prices().versions.values() for v in each), key=lambda v: v.number)


def test_a_price_in_a_closed_month_is_refused(site: Site) -> None:
    site.close(OCTOBER)
    late = PriceVersion("small", OCTOBER.end - 1, Decimal(1), "EUR")
    with pytest.raises(PriceRefused, match=f"let it begin at {OCTOBER.end} or later"):
        site.billing.add_price(late)
    assert site.billing.add_price(replace(late, effective_from=OCTOBER.end)).number == 3


def test_a_price_in_another_currency_is_refused_in_a_month_that_has_one(site: Site) -> None:
    site.close(OCTOBER)
    with pytest.raises(
        PriceRefused, match=r"billing\.currency is USD, and .* is billed in EUR in the month that is open"
    ):
        site.billing.add_price(PriceVersion("small", LATER, Decimal(1), "USD"))
    assert len(versions(site)) == 2


def test_another_currency_counts_for_all_that_is_not_closed(site: Site) -> None:
    site.close(OCTOBER)
    site.hold("p1", NOVEMBER.start, NOVEMBER.start + 3600)
    new = site.billing.follow(WANTED, "USD", LATER)
    assert {(v.effective_from, v.currency) for v in new} == {(OCTOBER.end, "USD")}
    (line,) = site.billing.lines(NOVEMBER, LATER)
    assert (line.currency, line.amount) == ("USD", Decimal("0.40"))
    assert {each.line.currency for each in site.billing.records(month="2026-10")} <= {"EUR"}


def test_another_currency_is_refused_where_a_price_changed_since(site: Site) -> None:
    site.close(OCTOBER)
    site.billing.follow({**WANTED, "small": Decimal(1)}, "EUR", LATER)
    with pytest.raises(PriceRefused, match="close that month first, or keep EUR until then"):
        site.billing.follow(WANTED, "USD", LATER + 1)
    assert {v.currency for v in versions(site)} == {"EUR"}


def test_a_bill_of_the_database_is_that_of_the_holds(site: Site) -> None:
    """The database adds up seconds; a price that changes for one profile changes nothing of another's."""
    site.billing.follow({**WANTED, "small": Decimal("0.45")}, "EUR", OCTOBER.start + 5000)
    large = replace(ADA, profile="large", gpus=Fraction(1))
    for n in range(20):
        whose = ADA if n % 3 else large
        site.hold(f"p{n}", OCTOBER.start + n * 700, OCTOBER.start + n * 700 + (n % 7) * 900, whose)
    site.hold("on", OCTOBER.end - 5, None, replace(ADA, user=""))
    prices = site.billing.prices()
    holds = site.reports.holds(OCTOBER.start, OCTOBER.end)
    charged = [charge for each in holds for charge in charges(each, prices, OCTOBER.start, OCTOBER.end)]
    right = [line for bill in bills(summed(charged), prices) for line in bill.lines]
    assert site.billing.lines(OCTOBER, LATER) == right
    assert {line.pods for line in right if line.key.profile == "large"} == {6}


def test_a_hold_of_no_length_is_on_no_bill(site: Site) -> None:
    site.hold("p1", OCTOBER.start + 5, OCTOBER.start + 5)
    assert site.billing.lines(OCTOBER, LATER) == []
    # One that nobody saw end is told as uncertain, and is no line either.
    site.ledger.append(
        [
            UsageFact.exact("p2", FactKind.BOUND, Source.WATCH, OCTOBER.start - 10, 0, possession=ADA),
            UsageFact(
                "p2", FactKind.GONE, Source.LIST, OCTOBER.start - 5, OCTOBER.start - 5, OCTOBER.start + 30, LATER
            ),
        ]
    )
    assert site.billing.lines(OCTOBER, LATER) == []
    assert site.reports.total(OCTOBER.start, OCTOBER.end, Whose("nlp")).uncertain == 30


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM usage_prices",
        "UPDATE usage_prices SET per_hour = '0'",
        "DELETE FROM usage_bill_rows",
        "UPDATE usage_bill_rows SET tenant = 'robots'",
    ],
)
def test_the_database_itself_refuses_to_change_money(site: Site, change: str) -> None:
    site.hold("p1", OCTOBER.start, OCTOBER.end)
    site.close(OCTOBER)
    with pytest.raises(sa.exc.DBAPIError, match="rows are only ever added"), writing(site.db) as connection:
        connection.execute(sa.text(change))


def test_no_prices_make_no_amounts(db: Engine) -> None:
    Ledger(db).append(
        [UsageFact.exact("p1", FactKind.BOUND, Source.WATCH, OCTOBER.start, OCTOBER.start, possession=ADA)]
    )
    (line,) = Billing(db).lines(OCTOBER, OCTOBER.start + 60)
    assert (line.seconds, line.amount, line.key.price) == (60, None, 0)
    assert Billing(db).prices() == Prices.of([])
