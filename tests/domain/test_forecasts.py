"""Who is before a job, when it would start, and for how much."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aifactory_hub.domain.forecasts import Forecast, cost, forecast
from aifactory_hub.domain.menu import TeamLoad
from aifactory_hub.domain.quota import Holder, Usage
from aifactory_hub.domain.tickets import Ticket, TicketState
from aifactory_hub.domain.wait_forecast import UNKNOWN, Wait
from aifactory_profiles import Device

from ..support.tenants import LARGE, SMALL, make_catalogue, make_tenant

NOW = 1000.0
NLP = make_tenant("nlp", quota={SMALL: 2})


def holder(devices: dict[Device, int], ends_by: float | None) -> Holder:
    return Holder("job", "j", "ada", devices, profile="mig-1g.10gb", since=NOW - 10, ends_by=ends_by)


def waiting(name: str, devices: dict[Device, int], most: int | None = 100) -> Ticket:
    return Ticket("nlp", name, "u", TicketState.QUEUED, kind="job", devices=devices, max_seconds=most)


def team_load(holders: list[Holder] = [], queue: list[Ticket] = [], **more: Any) -> TeamLoad:  # noqa: B006
    used: dict[Device, int] = {}
    for h in holders:
        for resource, count in h.devices.items():
            used[resource] = used.get(resource, 0) + count
    return TeamLoad(NOW, Usage(used, tuple(holders)), queue=tuple(queue), **more)


FULL = [holder({SMALL: 1}, NOW + 60), holder({SMALL: 1}, NOW + 30)]
ONE = {SMALL: 1}
CASES = [
    ("room", team_load(), None, Forecast(0, Wait(0.0, 0.0, 0.0))),
    ("the sooner of two deadlines", team_load(FULL), None, Forecast(0, Wait(most=30.0))),
    ("behind another", team_load(FULL, [waiting("a", ONE)]), None, Forecast(1, Wait(most=60.0))),
    ("behind two", team_load(FULL, [waiting("a", ONE), waiting("b", ONE)]), None, Forecast(2, Wait(most=130.0))),
    ("its own place", team_load(FULL, [waiting("a", ONE), waiting("b", ONE)]), "a", Forecast(0, Wait(most=30.0))),
    ("others' devices are no queue", team_load(FULL, [waiting("a", {LARGE: 1})]), None, Forecast(0, Wait(most=30.0))),
    ("nothing ends them", team_load([holder({SMALL: 2}, None)]), None, Forecast(0, UNKNOWN)),
    ("one to be borrowed", team_load(FULL, borrowable=ONE), None, Forecast(0, Wait(0.0, 0.0, 0.0))),
    ("not known", TeamLoad(NOW, None), None, Forecast()),
]


@pytest.mark.parametrize(
    ("seen", "ticket", "expected"), [c[1:] for c in CASES], ids=[c[0].replace(" ", "-") for c in CASES]
)
def test_place_and_wait(seen: TeamLoad, ticket: str | None, expected: Forecast) -> None:
    assert forecast(NLP, make_catalogue().profile("mig-1g.10gb"), seen, ticket=ticket) == expected


def test_a_job_without_devices_waits_for_nothing() -> None:
    found = forecast(NLP, make_catalogue().profile("cpu-small"), team_load(FULL, [waiting("a", ONE)]))
    assert found == Forecast(0, Wait(0.0, 0.0, 0.0))


def test_a_price_is_to_the_cent_and_no_price_is_not_free() -> None:
    assert cost(Decimal("0.40"), 86400) == Decimal("9.60")
    assert cost(Decimal("0.40"), 45) == Decimal("0.01")
    assert cost(None, 3600) is None
