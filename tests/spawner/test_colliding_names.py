"""Starting a server for a person whose names collide with another's."""

from __future__ import annotations

import pytest

from aifactory_hub.domain import names
from aifactory_hub.domain.tenants import Role
from aifactory_spawner.refusals import SpawnRefused

from .hub_in_memory import HubInMemory, start


@pytest.fixture
def colliding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has worked for a second name with the same digest."""
    monkeypatch.setattr(names, "_digest", lambda kind, *parts: "0123456789ab")


@pytest.mark.usefixtures("colliding")
async def test_two_people_whose_names_collide_do_not_get_at_each_other(hub: HubInMemory) -> None:
    victim = await start(hub.person("Ada.B", nlp=Role.MEMBER))
    claims = hub.cluster.claims_in("nlp")
    assert len(claims) == 1
    with pytest.raises(SpawnRefused, match="another person's lead to the same names"):
        await start(hub.person("ada-b.", nlp=Role.MEMBER))
    assert await victim.poll() is None
    assert hub.cluster.claims_in("nlp") == claims


@pytest.mark.usefixtures("colliding")
async def test_the_volume_of_somebody_who_is_gone_is_nobody_else_s(
    hub: HubInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = hub.person("Ada.B", nlp=Role.MEMBER)
    await start(ada)
    await ada.stop()
    monkeypatch.setattr("aifactory_spawner.team_choice.shares_name", lambda *_: None)
    with pytest.raises(SpawnRefused, match="is another person's"):
        await start(hub.person("ada-b.", nlp=Role.MEMBER))
    assert (await start(ada)).server.url
