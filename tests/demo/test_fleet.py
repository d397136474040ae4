"""The simulated neighbours: what they want is decided by scenario, time and seed alone."""

from __future__ import annotations

from collections import Counter

import pytest

from aifactory_hub.admission import InProcessAdmission
from aifactory_hub.cli import demo as command_line
from aifactory_hub.demo.fleet import SCENARIOS, Neighbours, wishes
from aifactory_hub.demo.site import LARGE, OLDER, SMALL, Ports, tenants_yaml
from aifactory_hub.registry.load import read_registry
from aifactory_profiles import Device

from ..support.gate import gated

REGISTRY = read_registry(tenants_yaml(Ports(1, 2, 3, 4, 5)), "demo")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_moment_gives_the_same_wishes(scenario: str) -> None:
    for seconds in range(0, 2000, 7):
        assert wishes(scenario, seconds, 3) == wishes(scenario, seconds, 3)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_all_neighbours_are_at_work_at_the_start(scenario: str) -> None:
    assert {wish.habit for wish in wishes(scenario, 0)} == set(SCENARIOS[scenario])


@pytest.mark.parametrize(
    ("scenario", "least", "most"),
    [("calm", 0.0, 0.0), ("busy", 0.0, 0.0), ("full", 0.6, 1.0), ("fragmented", 0.0, 0.0), ("miscut", 1.0, 1.0)],
)
def test_a_scenario_leaves_as_much_room_as_its_name_says(scenario: str, least: float, most: float) -> None:
    limit = REGISTRY.tenants["nlp"].quota.limit(Device("h100-80gb", "nvidia.com/mig-1g.10gb"))
    moments = range(0, 3600, 5)
    full = sum(_small(scenario, seconds) >= limit for seconds in moments) / len(moments)
    assert least <= full <= most


def test_a_fragmented_fleet_has_small_slices_free_and_never_a_large_one() -> None:
    for seconds in range(0, 3600, 5):
        taken = Counter((w.habit.tenant, w.habit.profile) for w in wishes("fragmented", seconds))
        for tenant in REGISTRY.tenants:
            assert taken[tenant, LARGE] == 1 and taken[tenant, OLDER] == 1
            assert taken[tenant, SMALL] < 3


def test_the_command_line_offers_every_scenario() -> None:
    assert list(command_line.SCENARIOS) == list(SCENARIOS)


def _small(scenario: str, seconds: float) -> int:
    return sum((w.habit.tenant, w.habit.profile) == ("nlp", SMALL) for w in wishes(scenario, seconds))


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_neighbours_hold_what_they_wish_and_never_more_than_the_quota(scenario: str) -> None:
    admission, clock = InProcessAdmission(REGISTRY.tenants), Clock()
    neighbours = Neighbours(
        gated(admission, lambda: REGISTRY.tenants), REGISTRY.catalogue, scenario=scenario, speed=10, clock=clock
    )
    for _ in range(200):
        await neighbours.step()
        for name, tenant in REGISTRY.tenants.items():
            used = (await admission.usage(name)).used
            assert all(count <= tenant.quota.limit(resource) for resource, count in used.items())
            names = {ticket.name for ticket in await admission.tickets(name)}
            assert names == {w.ticket for w in wishes(scenario, clock.now * 10) if w.habit.tenant == name}
        clock.now += 1.0


async def test_with_speed_0_time_stands_still() -> None:
    admission, clock = InProcessAdmission(REGISTRY.tenants), Clock()
    neighbours = Neighbours(
        gated(admission, lambda: REGISTRY.tenants), REGISTRY.catalogue, scenario="calm", speed=0, clock=clock
    )
    await neighbours.step()
    before = await admission.tickets("nlp")
    clock.now += 100_000
    await neighbours.step()
    assert await admission.tickets("nlp") == before
