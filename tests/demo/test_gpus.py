"""The demo's GPUs: cut as its tenants.yaml says, held as its tickets say, and with a plan where the cut is wrong."""

from __future__ import annotations

from collections import Counter

import pytest

from aifactory_hub.admission import InProcessAdmission
from aifactory_hub.admission.team_load import TeamLoads
from aifactory_hub.demo.fleet import Neighbours
from aifactory_hub.demo.gpus import FLEET, DemoHost
from aifactory_hub.demo.site import Ports, tenants_yaml
from aifactory_hub.domain.cut_plans import recarve
from aifactory_hub.domain.queue_view import QueueReader, demands_of, queue_view
from aifactory_hub.registry import RegistryProvider, read_registry
from aifactory_profiles import Device

from ..support.gate import gated

REGISTRY = read_registry(tenants_yaml(Ports(1, 2, 3, 4, 5)), "tenants.yaml")


def test_the_fleet_is_what_the_demos_file_says_is_carved() -> None:
    carved: Counter[Device] = Counter()
    for _node, _index, model, name, count in FLEET:
        carved[Device(model, f"nvidia.com/mig-{name}")] += count
    assert carved == REGISTRY.cluster.carved


@pytest.mark.parametrize(("scenario", "held", "steps"), [("calm", [2, 0, 0], 0), ("miscut", [6, 0, 0], 1)])
async def test_slices_are_held_as_the_tickets_say(scenario: str, held: list[int], steps: int) -> None:
    admission = gated(InProcessAdmission(REGISTRY.tenants), lambda: REGISTRY.tenants)
    loads = TeamLoads(admission, REGISTRY.tenants, REGISTRY.cluster.carved, fresh=0.0)
    await Neighbours(admission, REGISTRY.catalogue, scenario=scenario, speed=0).step()
    gpus = await DemoHost(RegistryProvider(REGISTRY), loads).gpus()
    assert [sum(each.held for each in gpu.slices) for gpu in gpus] == held
    found = await loads.of(dict.fromkeys(REGISTRY.tenants))
    reader = QueueReader("rene", {}, platform=True)
    waiting = demands_of(queue_view(REGISTRY.tenants, found, REGISTRY.catalogue, reader))
    plan = recarve(gpus, {card.name: card for card in REGISTRY.catalogue.cards}, waiting)
    assert len(plan.steps) == steps
    assert all(step.gpu.uuid == "GPU-simulated-1-1" for step in plan.steps)
