"""The demo's made month: always the same, always marked, and never more than there is of the simulated fleet."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from aifactory_hub.demo.history import MADE, fill, made_history
from aifactory_hub.demo.site import Ports, tenants_yaml
from aifactory_hub.domain.usage import FactKind
from aifactory_hub.registry.load import read_registry
from aifactory_hub.store import migrate, open_db
from aifactory_hub.store.ledger import Ledger
from aifactory_hub.store.usage_reports import UsageReports

REGISTRY = read_registry(tenants_yaml(Ports(1, 2, 3, 4, 5)), "demo")
NOW = int(datetime(2026, 11, 18, 15, 0, tzinfo=UTC).timestamp())


def test_it_is_the_same_each_time_and_ends_before_now() -> None:
    facts = list(made_history(REGISTRY, NOW))
    assert facts == list(made_history(REGISTRY, NOW))
    assert len(facts) > 500
    assert all(fact.at < NOW and fact.note == MADE for fact in facts)
    assert all(fact.possession.simulated for fact in facts if fact.possession is not None)


def test_nobody_holds_more_than_the_teams_have() -> None:
    changes: list[tuple[int, int, tuple[str, str]]] = []
    whose = {f.pod: f.possession for f in made_history(REGISTRY, NOW) if f.possession is not None}
    for fact in made_history(REGISTRY, NOW):
        held = whose[fact.pod]
        if fact.kind is not FactKind.STARTED:
            changes.append((fact.at, 1 if fact.kind is FactKind.BOUND else -1, (held.tenant, held.profile)))
    now: Counter[tuple[str, str]] = Counter()
    for _, change, key in sorted(changes):
        now[key] += change
        tenant = REGISTRY.tenants[key[0]]
        limits = {p: tenant.quota.nominal[d] for p in tenant.profiles for d in REGISTRY.catalogue.profile(p).takes}
        assert now[key] <= limits[key[1]]


def test_it_is_written_once_and_shows_in_the_ledger(tmp_path: Path) -> None:
    db = open_db(f"sqlite:///{tmp_path}/service.sqlite")
    migrate(db)
    ledger = Ledger(db)
    assert fill(ledger, REGISTRY, NOW) > 500
    assert fill(ledger, REGISTRY, NOW) == 0
    assert ledger.verify().problem is None
    total = UsageReports(db).total(0, NOW)
    assert (total.uncertain, total.seconds > 100 * 3600) == (0, True)
