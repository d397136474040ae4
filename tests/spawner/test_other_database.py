"""A hub whose database is empty, restored or another one: what runs goes on, and is told to the administrator."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from jupyterhub import orm
from prometheus_client import REGISTRY

from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.tickets import Ticket
from aifactory_spawner.cluster_state import cluster_state
from aifactory_spawner.hub_database import HubDatabase
from aifactory_spawner.metrics import HUB_METRICS
from aifactory_spawner.orphan_collector import OrphanRules

from .hub_in_memory import HubInMemory, make_database

CHOICE = {"tenant": "nlp", "profile": "cpu-small"}
TOKEN_PATH = "/api/v1/namespaces/notebooks/pods/nb-ada"


async def tickets(hub: HubInMemory) -> list[Ticket]:
    return await hub.admission.tickets("nlp")


def database_of(hub: HubInMemory) -> HubDatabase:
    assert hub.process.database is not None
    return hub.process.database


async def rounds(hub: HubInMemory, number: int = 3) -> None:
    """What the keeper does in the first minute."""
    hub.process.orphans.suspects = set()
    for at in range(number):
        await hub.process.orphans.collect_tickets(hub.host_cluster)
        await hub.process.orphans.collect_pods(hub.host_cluster, at * 1000.0)


async def running(hub: HubInMemory, *names: str) -> None:
    for name in names:
        await hub.person(name, nlp=Role.MEMBER).spawn("", options=CHOICE)


def lose_the_database(hub: HubInMemory) -> Any:
    """The hub comes back with an empty database; the old one."""
    for person in hub.people.values():
        for spawner in person.spawners.values():
            spawner.stop_polling()
    before, hub.db, hub.people = hub.db, make_database(hub.tenants), {}
    hub._share()
    # Making a database sets up logging anew, outside of a real hub.
    logging.getLogger("aifactory_spawner.orphan_collector").disabled = False
    return before


async def test_tickets_say_which_database_filed_them_and_as_which_one(hub: HubInMemory) -> None:
    await running(hub, "ada", "bob")
    filed = sorted((await tickets(hub)), key=lambda ticket: ticket.sequence)
    assert [(each.user, each.database, each.sequence) for each in filed] == [
        ("ada", database_of(hub).id, 1),
        ("bob", database_of(hub).id, 2),
    ]
    again = HubDatabase(hub.db)
    assert (again.id, again.sequence) == (database_of(hub).id, 2), "a restart finds them again"


async def test_an_empty_database_ends_no_notebook_and_the_administrator_is_told(
    hub: HubInMemory, caplog: pytest.LogCaptureFixture
) -> None:
    await running(hub, "ada", "bob")
    before = lose_the_database(hub)
    logging.getLogger().addHandler(caplog.handler)
    hub.process.orphans.rules = OrphanRules(remove=True, delay=0)
    with caplog.at_level(logging.ERROR):
        await rounds(hub)
    assert len(await tickets(hub)) == 2 and hub.cluster.pods_in("nlp") == ["nb-ada", "nb-bob"]
    assert not [line for line in hub.cluster.journal if "delete" in line]
    assert "2 of 2 tickets of servers belong to no server in this hub's database" in caplog.text
    assert "aifactory-hub tickets" in caplog.text
    HUB_METRICS.follow(lambda: hub.host_cluster, hub.process.orphans)
    labels = {"tenant": "nlp", "reason": "other-database"}
    assert REGISTRY.get_sample_value("aifactory_held_tickets", labels) == 2
    page = cluster_state(hub.host_cluster, hub.process.orphans)
    assert sorted(each["user"] for each in page["held"]) == ["ada", "bob"]
    before.close()


async def test_what_an_administrator_releases_is_ended_and_nothing_else(hub: HubInMemory) -> None:
    await running(hub, "ada", "bob")
    before = lose_the_database(hub)
    await rounds(hub)
    (ada,) = [each.name for each in await tickets(hub) if each.user == "ada"]
    hub.admission.ask_release("nlp", ada)  # type: ignore[attr-defined]
    await rounds(hub)
    assert [each.user for each in await tickets(hub)] == ["bob"]
    assert hub.cluster.pods_in("nlp") == ["nb-bob"] and len(hub.process.orphans.held) == 1
    assert hub.cluster.claims_in("nlp") == ["home-ada", "home-bob"]
    before.close()


async def test_a_restored_backup_knows_that_it_is_one(hub: HubInMemory, caplog: pytest.LogCaptureFixture) -> None:
    """The same id, but tickets from after the backup: all that no server holds are held, and stay so."""
    await running(hub, "ada")
    kept = HubDatabase(hub.db)
    await running(hub, "bob")
    for row in hub.db.query(orm.Spawner).join(orm.User).filter(orm.User.name == "bob"):
        row.server = None
    hub.db.commit()
    kept._store(sequence=kept.sequence)
    hub.people.pop("bob").spawner.stop_polling()
    hub.restart()
    assert hub.people["ada"].spawner.record.binding is not None
    with caplog.at_level(logging.ERROR):
        await rounds(hub)
    assert "was restored from a backup" in caplog.text and database_of(hub).id != kept.id
    assert sorted(each.user for each in await tickets(hub)) == ["ada", "bob"]
    hub.restart()
    assert hub.people["ada"].spawner.record.binding is not None
    await rounds(hub)
    assert [each.ticket.user for each in hub.process.orphans.held] == ["bob"]
    assert hub.cluster.pods_in("nlp") == ["nb-ada", "nb-bob"]


async def test_many_at_once_are_held_also_after_the_next_restart(hub: HubInMemory) -> None:
    await running(hub, "ada", "bob", "eve", "dan")
    for person in list(hub.people.values()):
        person.spawner.stop_polling()
        person.spawner.record.bind(None)
    hub.people.clear()
    await rounds(hub)
    assert len(hub.process.orphans.held) == 4
    hub._share()
    await running(hub, *(f"person-{number}" for number in range(6)))
    await rounds(hub)
    assert len(hub.process.orphans.held) == 4 and len(await tickets(hub)) == 10


async def test_who_starts_the_server_again_is_connected_to_the_notebook_that_runs(hub: HubInMemory) -> None:
    await running(hub, "ada")
    pod = hub.cluster.apis["nlp"].objects[TOKEN_PATH]
    # kubespawner's objects are not JSON of the API server's in this fake: what it was given is.
    token = hub.people["ada"].spawner.api_token
    assert {"name": "JUPYTERHUB_API_TOKEN", "value": token} in pod["spec"]["containers"][0]["env"]
    (filed,) = await tickets(hub)
    before = lose_the_database(hub)
    await rounds(hub)
    writes = list(hub.cluster.journal)
    ada = hub.person("ada", nlp=Role.MEMBER)
    await ada.spawn("", options=CHOICE)
    assert hub.cluster.journal == writes, "nothing was created or deleted"
    assert ada.spawner.api_token == token and orm.APIToken.find(hub.db, token).user is ada.orm_user
    assert not [scope for scope in orm.APIToken.find(hub.db, token).scopes if "vision" in scope]
    assert ada.spawner.record.binding.ticket == filed.name and await ada.spawner.poll() is None
    await rounds(hub)
    assert hub.process.orphans.held == () and len(await tickets(hub)) == 1
    await ada.stop("")
    assert await tickets(hub) == [] and hub.cluster.pods_in("nlp") == []
    before.close()


async def test_a_start_that_can_not_connect_leaves_the_notebook_alone(hub: HubInMemory) -> None:
    await running(hub, "ada")
    hub.cluster.apis["nlp"].objects[TOKEN_PATH]["spec"]["containers"][0]["env"] = []
    before = lose_the_database(hub)
    ada = hub.person("ada", nlp=Role.MEMBER)
    with pytest.raises(Exception, match="can't be connected to this hub"):
        await ada.spawn("", options=CHOICE)
    await ada.stop("")
    assert hub.cluster.pods_in("nlp") == ["nb-ada"] and len(await tickets(hub)) == 1
    before.close()


async def test_servers_of_a_team_that_was_removed_end_in_words(hub: HubInMemory) -> None:
    await running(hub, "ada")
    hub.registry = hub.registry.__class__(**{**vars_of(hub.registry), "tenants": {"vision": hub.tenants["vision"]}})
    forgetful: Any = hub.admission
    forgetful._tenants = {"vision": hub.tenants["vision"]}
    hub.restart()
    ada = hub.people["ada"]
    assert await ada.spawner.poll() == 1
    assert ada.spawner.record.last_end == "Team nlp was removed from this hub, so its servers were stopped."
    assert hub.cluster.pods_in("nlp") == [] and forgetful._filed == {}
    await ada.stop("")


def vars_of(registry: Any) -> dict[str, Any]:
    return {name: getattr(registry, name) for name in registry.__dataclass_fields__}
