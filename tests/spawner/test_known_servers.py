"""Which servers the hub's database has, by their tickets, also those that no spawner object was made for."""

from __future__ import annotations

from jupyterhub import orm

from aifactory_hub.domain.orphans import ServerKey
from aifactory_hub.domain.tenants import Role
from aifactory_spawner.hub_process import stored_servers

from .hub_in_memory import HubInMemory

CHOICE = {"tenant": "nlp", "profile": "cpu-small"}


async def test_servers_of_the_database_are_known_and_stopped_ones_are_not(hub: HubInMemory) -> None:
    ada, bob = (hub.person(name, nlp=Role.MEMBER) for name in ("ada", "bob"))
    await ada.spawn("", options=CHOICE)
    await bob.spawn("", options=CHOICE)
    # A server of another spawner class, as of a hub that was changed to ours.
    stranger = orm.Spawner(name="old", user=bob.orm_user, server=orm.Server(), state={"pid": 1})
    hub.db.add(stranger)
    hub.db.commit()
    ticket = ada.spawner.record.binding.ticket
    await bob.stop("")
    assert stored_servers(hub.db) == {ticket: ServerKey("nlp", "ada")}
