"""What the ledger has done by the clock: prices follow tenants.yaml, months close in order, late facts are booked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from aifactory_hub.demo.site import SMALL, Ports, tenants_yaml
from aifactory_hub.domain.usage import FactKind, Possession, Source, UsageFact
from aifactory_hub.registry import Registry
from aifactory_hub.registry.load import read_registry
from aifactory_hub.service.metering.months import BY_ITSELF, Months
from aifactory_hub.store import migrate, open_db
from aifactory_hub.store.billing import Billing
from aifactory_hub.store.ledger import Ledger
from aifactory_hub.store.usage_reports import UsageReports

REGISTRY = read_registry(tenants_yaml(Ports(1, 2, 3, 4, 5)), "demo")
HOUR = 3600


def at(month: int, day: int, hour: int = 0) -> int:
    return int(datetime(2026, month, day, hour, tzinfo=UTC).timestamp())


class Site:
    """A ledger with its prices and months, and a clock that stands still."""

    def __init__(self, folder: Path) -> None:
        db = open_db(f"sqlite:///{folder}/service.sqlite")
        migrate(db)
        self.ledger, self.billing, self.usage = Ledger(db), Billing(db), UsageReports(db)
        self.registry, self.now, self.heard_at = REGISTRY, at(9, 10), 0
        self.months = Months(
            lambda: self.registry,
            self.billing,
            lambda: self.heard_at or self.now,
            self.usage.first_second,
            lambda: self.now,
        )

    def held(self, pod: str, start: int, end: int | None) -> None:
        whose = Possession("nlp", "ada", SMALL, "server")
        facts = [UsageFact.exact(pod, FactKind.BOUND, Source.WATCH, start, start, possession=whose)]
        if end is not None:
            facts.append(UsageFact.exact(pod, FactKind.ENDED, Source.WATCH, end, end))
        self.ledger.append(facts)

    def priced(self, per_hour: str, currency: str = "EUR") -> None:
        self.registry = priced(per_hour, currency)


def priced(per_hour: str, currency: str) -> Registry:
    profile = replace(REGISTRY.catalogue.profile(SMALL), price_per_hour=Decimal(per_hour))
    catalogue = replace(REGISTRY.catalogue, profiles={**REGISTRY.catalogue.profiles, SMALL: profile})
    return replace(REGISTRY, catalogue=catalogue, billing=replace(REGISTRY.billing, currency=currency))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_a_new_price_counts_from_when_it_is_seen_and_the_first_for_what_was_before(site: Site) -> None:
    site.held("p1", at(9, 1), at(9, 10, 2))
    await site.months.tick()
    site.now = at(9, 10, 1)
    site.priced("0.80")
    await site.months.tick()
    await site.months.tick()
    versions = site.billing.prices().versions[SMALL]
    assert [(v.effective_from, v.per_hour) for v in versions] == [(0, Decimal("0.40")), (at(9, 10, 1), Decimal("0.80"))]


async def test_another_currency_is_refused_once_a_price_changed_in_the_open_month(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    await site.months.tick()
    site.now += HOUR
    site.priced("0.80")
    await site.months.tick()
    site.priced("0.80", "USD")
    await site.months.tick()
    await site.months.tick()
    said = [record.getMessage() for record in caplog.records if "stay as they were" in record.getMessage()]
    assert len(said) == 1
    assert "billing.currency is USD" in said[0]
    assert "EUR" in said[0]


async def test_months_are_closed_in_order_once_they_had_time_for_what_comes_late(site: Site) -> None:
    site.held("p1", at(9, 30, 23), at(10, 1, 1))
    site.held("p2", at(10, 20), None)
    site.now = at(11, 3)
    await site.months.tick()
    assert list(site.billing.closed()) == ["2026-09"]
    site.now = at(11, 4)
    await site.months.tick()
    closed = site.billing.closed()
    assert [(month.span.name, month.closed_by) for month in closed.values()] == [
        ("2026-09", BY_ITSELF),
        ("2026-10", BY_ITSELF),
    ]
    lines = [record.line for record in site.billing.records(month="2026-10")]
    assert sum(line.seconds for line in lines) == HOUR + (at(11, 1) - at(10, 20))


async def test_a_month_whose_end_was_not_heard_stays_open(site: Site) -> None:
    site.held("p1", at(9, 1), at(9, 2))
    site.now, site.heard_at = at(11, 20), at(9, 30)
    await site.months.tick()
    assert site.billing.closed() == {}


async def test_what_comes_late_is_booked_in_the_open_month(site: Site) -> None:
    site.held("p1", at(9, 1), at(9, 1, 2))
    site.now = at(10, 10)
    await site.months.tick()
    digest = site.billing.closed()["2026-09"].digest
    site.held("late", at(9, 5), at(9, 5, 1))
    await site.months.tick()
    await site.months.tick()
    booked = site.billing.records(booked_in="2026-10")
    assert [(row.month, row.record, row.line.seconds) for row in booked] == [
        ("2026-09", "retraction", 2 * HOUR),
        ("2026-09", "restatement", 3 * HOUR),
    ]
    assert site.billing.closed()["2026-09"].digest == digest


async def test_another_time_zone_begins_where_the_last_month_ended(site: Site) -> None:
    site.held("p1", at(9, 1), None)
    site.now = at(10, 10)
    await site.months.tick()
    site.registry = replace(REGISTRY, billing=replace(REGISTRY.billing, time_zone="Asia/Tokyo"))
    site.now = at(11, 10)
    await site.months.tick()
    october = site.billing.closed()["2026-10"].span
    assert (october.start, october.end) == (at(10, 1), at(11, 1) - 9 * HOUR)
