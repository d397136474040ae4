"""What /hub/metrics tells."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY, generate_latest

from aifactory_hub.domain.tenants import Role
from aifactory_spawner.metrics import HUB_METRICS, phases
from aifactory_spawner.orphan_collector import OrphanRules
from aifactory_spawner.refusals import SpawnRefused

from .hub_in_memory import HubInMemory

CHOICE = {"tenant": "nlp", "profile": "mig-1g.10gb"}
WHERE = ("vc-nlp", "nlp", "notebooks", "nb-ada")


def spawns(**labels: str) -> float:
    return REGISTRY.get_sample_value("aifactory_spawns_total", labels) or 0.0


def follow(hub: HubInMemory) -> None:
    HUB_METRICS.follow(lambda: hub.host_cluster, hub.process.orphans)


async def test_a_start_is_counted_by_tenant_profile_and_outcome(hub: HubInMemory) -> None:
    labels = {"tenant": "nlp", "profile": "mig-1g.10gb"}
    ready, failed = spawns(**labels, outcome="ready"), spawns(**labels, outcome="start-failed")
    ada = hub.person("ada", nlp=Role.MEMBER)
    await ada.spawn("", options=CHOICE)
    assert spawns(**labels, outcome="ready") == ready + 1
    hub.cluster.fate = "exits"
    with pytest.raises(SpawnRefused):
        await hub.person("bob", nlp=Role.MEMBER).spawn("", options=CHOICE)
    assert spawns(**labels, outcome="start-failed") == failed + 1


async def test_what_somebody_typed_is_no_label(hub: HubInMemory) -> None:
    none = {"tenant": "none", "profile": "none", "outcome": "not-a-member"}
    before = spawns(**none)
    with pytest.raises(SpawnRefused):
        await hub.person("ada", nlp=Role.MEMBER).spawn("", options={**CHOICE, "tenant": 'evil"} 1'})
    assert spawns(**none) == before + 1
    assert b"evil" not in generate_latest(REGISTRY)


def test_phases_are_those_that_came_to_their_end() -> None:
    assert phases({"quota": 1.0, "queue": 1.5, "pod": 3.0, "ready": 7.0}) == {
        "decision": 1.0,
        "admission": 2.0,
        "pod": 4.0,
    }
    assert phases({"quota": 1.0, "queue": 1.5}) == {"decision": 1.0}
    assert phases({}) == {}


async def test_tenants_and_orphans_are_told(hub: HubInMemory) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER)
    await ada.spawn("", options=CHOICE)
    hub.cluster.down["vision"] = "paused"
    follow(hub)
    assert REGISTRY.get_sample_value("aifactory_tenant_api_up", {"tenant": "nlp"}) == 1
    assert REGISTRY.get_sample_value("aifactory_tenant_api_up", {"tenant": "vision"}) == 0
    assert REGISTRY.get_sample_value("aifactory_host_watch_stale") == 0
    assert REGISTRY.get_sample_value("aifactory_orphan_pods", {"tenant": "nlp"}) == 0


async def test_a_pod_without_a_server_is_told_and_goes_only_when_the_rules_say(hub: HubInMemory) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER)
    await ada.spawn("", options=CHOICE)
    follow(hub)
    await hub.admission.release("nlp", ada.spawner.record.binding.ticket)
    ada.orm_spawners[""].state = {}
    hub.db.commit()
    hub.restart()
    orphans = hub.process.orphans
    await orphans.collect_pods(hub.host_cluster, 0.0)
    await orphans.collect_pods(hub.host_cluster, 10_000.0)
    assert [orphan.pod for orphan in orphans.orphans] == ["nb-ada"]
    assert hub.cluster.pods_in("nlp") == ["nb-ada"]
    follow(hub)
    assert REGISTRY.get_sample_value("aifactory_orphan_pods", {"tenant": "nlp"}) == 1
    orphans.rules = OrphanRules(remove=True, delay=600)
    hub.cluster.watch.stale = True
    await orphans.collect_pods(hub.host_cluster, 10_000.0)
    assert hub.cluster.pods_in("nlp") == ["nb-ada"]
    hub.cluster.watch.stale = False
    await orphans.collect_pods(hub.host_cluster, 10_000.0)
    assert hub.cluster.pods_in("nlp") == []
    assert hub.cluster.claims_in("nlp") == ["home-ada"]
