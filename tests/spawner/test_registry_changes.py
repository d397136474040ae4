"""tenants.yaml changes while the hub runs: the spawner, its menu, pages, metrics and the orphan collector follow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from jupyterhub import orm, roles
from prometheus_client import REGISTRY, generate_latest

from aifactory_hub.auth.team_roles import TeamRoles
from aifactory_hub.domain.tenants import Role, Tenant
from aifactory_hub.registry import FileStatus, Phase, Registry, RegistryProvider
from aifactory_spawner.cluster_state import cluster_state
from aifactory_spawner.hub_process import stored_servers
from aifactory_spawner.metrics import HUB_METRICS
from aifactory_spawner.refusals import SpawnRefused

from ..support.tenants import SMALL, make_tenant
from .hub_in_memory import HubInMemory
from .test_cluster_state import page

CHOICE = {"tenant": "robots", "profile": "mig-1g.10gb"}
ROBOTS = make_tenant("robots", quota={SMALL: 1})


def change(hub: HubInMemory, **teams: Tenant | None) -> None:
    """As a new tenants.yaml does it; None takes a team away."""
    wanted = {**hub.registry.tenants, **teams}
    hub.registry = replace(hub.registry, tenants={name: team for name, team in wanted.items() if team is not None})


async def test_a_member_of_a_new_team_starts_a_server_in_it(hub: HubInMemory) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER, robots=Role.MEMBER)
    assert "robots" not in await ada.spawner.team_choice.show_menu()
    with pytest.raises(SpawnRefused):
        await ada.spawn("", options=CHOICE)
    change(hub, robots=ROBOTS)
    assert "robots" in await ada.spawner.team_choice.show_menu()
    await ada.spawn("", options=CHOICE)
    assert hub.cluster.pods_in("robots") == ["nb-ada"]
    assert await ada.spawner.poll() is None


async def test_a_server_of_a_team_that_goes_ends_and_the_team_is_forgotten_after_it(hub: HubInMemory) -> None:
    change(hub, robots=ROBOTS)
    ada = hub.person("ada", robots=Role.MEMBER)
    await ada.spawn("", options=CHOICE)
    change(hub, robots=None)
    hub.host_cluster.forget_gone({key.tenant for key in hub.process.servers().values()})
    assert hub.cluster.forgotten == [], "its server still has to be ended"
    assert await ada.spawner.poll() == 1
    assert ada.spawner.record.last_end == "Team robots was removed from this hub, so its servers were stopped."
    assert hub.cluster.pods_in("robots") == [] and await hub.admission.tickets("robots") == []
    await ada.stop("")
    hub.host_cluster.forget_gone({key.tenant for key in stored_servers(hub.db).values()})
    assert hub.cluster.forgotten == ["robots"]
    assert await hub.admission.tickets("nlp") == []
    with pytest.raises(Exception, match="not in the tenant registry"):
        await hub.admission.tickets("robots")


async def test_a_server_runs_on_while_nobody_has_said_which_teams_people_asked_for(
    hub: HubInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(hub, robots=ROBOTS)
    ada = hub.person("ada", robots=Role.MEMBER)
    await ada.spawn("", options=CHOICE)
    monkeypatch.setattr(RegistryProvider, "complete", False)
    change(hub, robots=None)
    assert await ada.spawner.poll() is None
    assert hub.cluster.pods_in("robots") == ["nb-ada"]
    monkeypatch.setattr(RegistryProvider, "complete", True)
    assert await ada.spawner.poll() == 1


async def test_a_team_that_comes_back_is_not_forgotten(hub: HubInMemory) -> None:
    change(hub, robots=ROBOTS)
    change(hub, robots=None)
    change(hub, robots=ROBOTS)
    hub.host_cluster.forget_gone(())
    assert hub.cluster.forgotten == []


async def test_another_quota_counts_for_the_next_start(hub: HubInMemory) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER)
    choice = {"tenant": "nlp", "profile": "mig-1g.10gb"}
    change(hub, nlp=make_tenant("nlp", quota={SMALL: 0}))
    with pytest.raises(SpawnRefused, match=r"can never|more than"):
        await ada.spawn("", options=choice)
    change(hub, nlp=make_tenant("nlp", quota={SMALL: 1}))
    await ada.spawn("", options=choice)
    assert hub.cluster.pods_in("nlp") == ["nb-ada"]


async def test_a_spawner_that_was_there_before_takes_the_new_image(hub: HubInMemory) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER)
    spawner = ada.spawner
    before = (spawner.image, spawner.start_timeout, spawner.storage_capacity)
    notebook = replace(hub.registry.notebook, image="notebook:2", queue_timeout=9000, storage="7Gi")
    hub.registry = replace(hub.registry, notebook=notebook)
    spawner.follow_registry()
    assert before[0] == "notebook:1" and spawner.image == "notebook:2"
    assert spawner.start_timeout > 9000 > before[1] and spawner.storage_capacity == "7Gi"
    await ada.spawn("", options={"tenant": "nlp", "profile": "mig-1g.10gb"})
    (pod,) = [each for path, each in hub.cluster.apis["nlp"].objects.items() if "/pods/" in path]
    assert pod["spec"]["containers"][0]["image"] == "notebook:2"


async def test_what_the_site_or_a_hook_has_set_stays(hub: HubInMemory) -> None:
    hub.site.TenantKubeSpawner.storage_capacity = "99Gi"
    ada = hub.person("ada", nlp=Role.MEMBER)
    assert ada.spawner.image == "notebook:1"
    ada.spawner.image = "of-a-hook:1"
    hub.registry = replace(hub.registry, notebook=replace(hub.registry.notebook, image="notebook:2", storage="7Gi"))
    ada.spawner.follow_registry()
    assert (ada.spawner.image, ada.spawner.storage_capacity) == ("of-a-hook:1", "99Gi")


async def test_the_orphan_collector_looks_at_the_teams_that_there_are(hub: HubInMemory) -> None:
    change(hub, robots=ROBOTS)
    marks = {"aifactory-hub.io/hub": "test", "aifactory-hub.io/owner": "eve", "aifactory-hub.io/owner-kind": "server"}
    hub.cluster.watch.show(hub.cluster.pod("robots", "nb-eve", marks, phase="Running"))
    await hub.process.orphans.collect_pods(hub.host_cluster, now=1.0)
    assert [orphan.key.tenant for orphan in hub.process.orphans.orphans] == ["robots"]
    # What was found before the team went is told until the next look, and breaks nothing.
    change(hub, robots=None)
    HUB_METRICS.follow(lambda: hub.host_cluster, hub.process.orphans)
    assert b'aifactory_orphan_pods{tenant="robots"} 1.0' in generate_latest(REGISTRY)
    await hub.process.orphans.collect_tickets(hub.host_cluster)
    await hub.process.orphans.collect_pods(hub.host_cluster, now=2.0)
    assert hub.process.orphans.orphans == []


def test_metrics_say_whether_the_file_is_in_use_and_when_it_was_read(hub: HubInMemory) -> None:
    status = FileStatus("d", 1000.0)
    HUB_METRICS.follow(lambda: None, hub.process.orphans, lambda: status)
    assert REGISTRY.get_sample_value("aifactory_tenants_file_ok") == 1
    assert REGISTRY.get_sample_value("aifactory_tenants_file_read_timestamp_seconds") == 1000.0
    status = replace(status, trouble="line 3", read_at=None)
    assert REGISTRY.get_sample_value("aifactory_tenants_file_ok") == 0
    assert REGISTRY.get_sample_value("aifactory_tenants_file_read_timestamp_seconds") is None


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (FileStatus("d" * 64, 0.0), ["works with the file as it is", "dddddddddddd…", "1970-01-01 00:00:00 UTC"]),
        (FileStatus("d", None, "t.yaml:3: <b>"), ["can't be used", "takes it within seconds", "t.yaml:3: &lt;b&gt;"]),
        (FileStatus("d", 0.0, "t.yaml:3: hub", waits=True), ["waits for a restart", "t.yaml:3: hub"]),
    ],
)
def test_the_administrators_page_says_what_is_wrong_and_what_to_do(
    hub: HubInMemory, status: FileStatus, said: list[str]
) -> None:
    hub.provider._status = status
    for cluster in (hub.host_cluster, None):
        html = page(cluster_state(cluster, hub.process.orphans, hub.provider))
        assert all(words in html for words in said), html


# Roles, in the hub's database


def roles_in(hub: HubInMemory) -> set[str]:
    return {role.name for role in hub.db.query(orm.Role) if "robots" in role.name}


async def test_roles_come_last_and_go_first(hub: HubInMemory) -> None:
    made, seen = TeamRoles(hub.db), []

    def part(old: Registry, new: Registry) -> None:
        seen.append((set(new.tenants) - set(old.tenants), roles_in(hub)))

    hub.provider.listen(made.give, Phase.GRANT)
    hub.provider.listen(made.take_away, Phase.REVOKE)
    hub.provider.listen(part)
    change(hub, robots=ROBOTS)
    assert seen == [({"robots"}, set())] and len(roles_in(hub)) == 3
    change(hub, robots=None)
    assert seen[-1] == (set(), set()) and roles_in(hub) == set()


async def test_a_change_of_roles_that_fails_is_tried_again(hub: HubInMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    made = TeamRoles(hub.db)
    hub.provider.listen(made.take_away, Phase.REVOKE)
    hub.provider.listen(made.give, Phase.GRANT)
    grant, fails = roles.grant_role, True

    def unsure(*args: Any, **named: Any) -> Any:
        if fails:
            raise OSError("the database is locked")
        return grant(*args, **named)

    monkeypatch.setattr(roles, "grant_role", unsure)
    change(hub, robots=ROBOTS)
    group = orm.Group.find(hub.db, "tenant-robots")
    assert group is None or not group.roles
    fails = False
    await hub.provider.look()
    assert [role.name for role in orm.Group.find(hub.db, "tenant-robots").roles] == ["tenant-robots-member"]


async def test_a_group_of_an_earlier_team_of_the_name_gives_nothing_to_who_was_in_it(hub: HubInMemory) -> None:
    made = TeamRoles(hub.db)
    eve = hub.person("eve", robots=Role.ADMIN)
    assert {group.name for group in eve.orm_user.groups} == {"tenant-robots", "tenant-robots-admin"}
    new = replace(hub.registry, tenants={**hub.registry.tenants, "robots": ROBOTS})
    made.give(hub.registry, new)
    assert eve.orm_user.groups == [] and len(roles_in(hub)) == 3
    made.give(hub.registry, new)  # may be repeated
    eve.sync_groups(["tenant-robots", "tenant-nlp"])
    made.take_away(new, hub.registry)
    assert [group.name for group in eve.orm_user.groups] == ["tenant-nlp"] and roles_in(hub) == set()
    made.take_away(new, hub.registry)
