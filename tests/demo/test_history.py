"""The demo's made months: always the same, always marked, and never more than there is of the simulated fleet."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aifactory_hub.demo.history import MADE, ROUTINES, fill, made_history
from aifactory_hub.demo.site import Ports, tenants_yaml
from aifactory_hub.domain.months import before, month_of
from aifactory_hub.domain.usage import FactKind
from aifactory_hub.registry.load import read_registry
from aifactory_hub.store import migrate, open_db
from aifactory_hub.store.ledger import Ledger
from aifactory_hub.store.usage_reports import UsageReports

REGISTRY = read_registry(tenants_yaml(Ports(1, 2, 3, 4, 5)), "demo")
NOW = int(datetime(2026, 11, 18, 15, 0, tzinfo=UTC).timestamp())
# The first minutes and the first morning of a month in the site's zone, the middle of one and its last second.
TIMES = ("2026-12-01T00:09", "2026-12-01T09:00", "2026-11-18T15:00", "2026-11-30T23:59")


def at(time: str) -> int:
    return int(datetime.fromisoformat(time).replace(tzinfo=REGISTRY.billing.zone).timestamp())


def test_it_is_the_same_each_time_and_ends_before_now() -> None:
    facts = list(made_history(REGISTRY, NOW))
    assert facts == list(made_history(REGISTRY, NOW))
    assert len(facts) > 500
    assert all(fact.at < NOW and fact.note == MADE for fact in facts)
    assert all(fact.possession.simulated for fact in facts if fact.possession is not None)


@pytest.mark.parametrize("time", TIMES)
def test_nobody_holds_more_than_the_teams_have(time: str) -> None:
    changes: list[tuple[int, int, tuple[str, str]]] = []
    facts = list(made_history(REGISTRY, at(time)))
    whose = {f.pod: f.possession for f in facts if f.possession is not None}
    for fact in facts:
        held = whose[fact.pod]
        if fact.kind is not FactKind.STARTED:
            changes.append((fact.at, 1 if fact.kind is FactKind.BOUND else -1, (held.tenant, held.profile)))
    now: Counter[tuple[str, str]] = Counter()
    for _, change, key in sorted(changes):
        now[key] += change
        tenant = REGISTRY.tenants[key[0]]
        limits = {p: tenant.quota.nominal[d] for p in tenant.profiles for d in REGISTRY.catalogue.profile(p).takes}
        assert now[key] <= limits[key[1]]


@pytest.mark.parametrize("time", TIMES)
def test_on_every_day_each_person_has_held_something_in_each_of_the_three_months(tmp_path: Path, time: str) -> None:
    db = open_db(f"sqlite:///{tmp_path}/service.sqlite")
    migrate(db)
    zone, now = REGISTRY.billing.zone, at(time)
    fill(Ledger(db), REGISTRY, now)
    this = month_of(now, zone)
    last = before(this, zone)
    for span in (this, last, before(last, zone)):
        holds = UsageReports(db).holds(span.start, min(span.end, now))
        assert {hold.possession.user for hold in holds} == {routine.name for routine in ROUTINES}
        assert all(hold.end is not None and hold.end > hold.start for hold in holds)


def test_it_is_written_once_and_shows_in_the_ledger(tmp_path: Path) -> None:
    db = open_db(f"sqlite:///{tmp_path}/service.sqlite")
    migrate(db)
    ledger = Ledger(db)
    assert fill(ledger, REGISTRY, NOW) > 500
    assert fill(ledger, REGISTRY, NOW) == 0
    assert ledger.verify().problem is None
    total = UsageReports(db).total(0, NOW)
    assert (total.uncertain, total.seconds > 100 * 3600) == (0, True)
