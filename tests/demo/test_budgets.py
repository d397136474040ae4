"""The demo's first team is near its budget on any day."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from aifactory_hub.demo.budgets import near_budget
from aifactory_hub.demo.history import fill
from aifactory_hub.demo.site import Ports, tenants_yaml
from aifactory_hub.domain.budgets import Action
from aifactory_hub.registry import read_registry
from aifactory_hub.service.budgets import Budgets
from aifactory_hub.store import Jobs, migrate, open_db
from aifactory_hub.store.ledger import Ledger

PORTS = Ports(8000, 8001, 8002, 8003, 8004)


@pytest.fixture
def db(tmp_path: Path) -> Engine:
    db = open_db(f"sqlite:///{tmp_path}/service.sqlite")
    migrate(db)
    return db


@pytest.mark.parametrize("day", ["2026-11-01T00:30:00+00:00", "2026-11-30T23:30:00+00:00", "2027-03-01T09:00:00+00:00"])
def test_it_is_warned_and_nothing_is_held(db: Engine, day: str) -> None:
    now = int(datetime.fromisoformat(day).timestamp())
    budget = near_budget(read_registry(tenants_yaml(PORTS), "demo"), now)
    registry = read_registry(tenants_yaml(PORTS, budgets=budget), "demo")
    fill(Ledger(db), registry, now)
    jobs = Jobs(db)
    [account] = Budgets(lambda: registry, jobs.budgets, lambda: float(now)).accounts("nlp")
    assert 87 <= account.per_cent <= 89
    assert [action for action in Action if account.reached(action)] == [Action.WARN]
    jobs.close()
