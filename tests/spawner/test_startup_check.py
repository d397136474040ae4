"""The hub looks at its servers when it starts, with JupyterHub's own check: silence ends none of them."""

from __future__ import annotations

from typing import Any

import pytest
from jupyterhub.user import User
from jupyterhub.utils import AnyTimeoutError

from aifactory_hub.domain.tenants import Role
from aifactory_spawner.shared_reads import takes_connections

from ..support.ports import free_port
from .hub_in_memory import HubInMemory

CHOICE = {"tenant": "nlp", "profile": "mig-1g.10gb"}


async def silent_after_a_restart(hub: HubInMemory) -> Any:
    """A running server at an address where nothing answers, and a hub that has just started."""
    ada = hub.person("ada", nlp=Role.MEMBER)
    await ada.spawn("", options=CHOICE)
    orm_server = ada.orm_spawners[""].server
    orm_server.ip, orm_server.port = "127.0.0.1", free_port()
    hub.db.commit()
    hub.restart()
    spawner = hub.people["ada"].spawners[""]
    spawner.http_timeout = 1
    return spawner


async def test_a_notebook_that_does_not_answer_is_left_running(hub: HubInMemory) -> None:
    spawner = await silent_after_a_restart(hub)
    spawner._check_pending = True
    await User._wait_up(hub.people["ada"], spawner)
    assert spawner.server.url.startswith("http://127.0.0.1:")
    assert hub.cluster.pods_in("nlp") == ["nb-ada"]


async def test_its_address_is_the_same_before_and_after_the_look(hub: HubInMemory) -> None:
    spawner = await silent_after_a_restart(hub)
    before = spawner.server.url
    spawner._check_pending = True
    assert spawner.server.url == before
    spawner.server.port = 4321
    spawner._check_pending = False
    assert spawner.server.port == 4321 == spawner.orm_spawner.server.port
    spawner.server = None
    assert spawner.server is None and spawner.orm_spawner.server is None


async def test_at_any_other_time_jupyterhub_asks_it(hub: HubInMemory) -> None:
    """A start: what does not answer there is removed."""
    spawner = await silent_after_a_restart(hub)
    spawner._check_pending = True
    assert spawner.server is not None
    spawner._check_pending = False
    with pytest.raises(AnyTimeoutError):
        await User._wait_up(hub.people["ada"], spawner)
    assert hub.cluster.pods_in("nlp") == []


async def test_nothing_takes_connections_at_a_port_that_nobody_listens_at() -> None:
    assert not await takes_connections("127.0.0.1", free_port())
