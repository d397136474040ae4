"""Options of a start that somebody wrote by hand: another team, another image, another type. None starts anything."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.domain.tenants import Role
from aifactory_spawner.refusals import SpawnRefused

from .hub_in_memory import HubInMemory

FORGED: list[Any] = [
    {"tenant": "nlp", "profile": "cpu-small"},
    {"tenant": "vision", "profile": "nlp/cpu-small"},
    {"tenant": "vision", "profile": "cpu-small", "image": "evil:1"},
    {"tenant": "vision", "profile": "cpu-small", "env": {"LD_PRELOAD": "x"}},
    {"tenant": "vision", "profile": "cpu-small", "extra_pod_config": {"hostNetwork": True}},
    {"tenant": ["vision"], "profile": "cpu-small"},
    {"tenant": {"$ne": 1}, "profile": "cpu-small"},
    {"tenant": "vision", "profile": None},
    {"tenant": "vision", "profile": "mig-1g.10gb "},
    {"tenant": "VISION", "profile": "cpu-small"},
    {"tenant": "vision\x00", "profile": "cpu-small"},
    {"tenant": "", "profile": "nlp/cpu-small"},
    {"profile": "cpu-small", "wait": True},
    {"profile": "cpu-small", "wait": "no"},
    {"profile": "__proto__"},
    {"profile": "../../cpu-small"},
    {"profile": -1},
    {"profile": "x" * 100_000},
    {"aifactory": {"tenant": "nlp"}, "profile": "cpu-small"},
    [],
    "vision",
    None,
]


@pytest.mark.parametrize("options", FORGED, ids=[repr(options)[:40] for options in FORGED])
async def test_forged_options_are_refused_in_words(hub: HubInMemory, options: Any) -> None:
    person = hub.person("kai", vision=Role.MEMBER)
    spawner = person.spawner
    spawner.user_options = options
    with pytest.raises(SpawnRefused) as refused:
        await spawner.team_choice.plan()
    assert 400 <= refused.value.status_code < 500
    assert len(str(refused.value.jupyterhub_message)) > 20
    assert hub.cluster.claims_in("nlp") == hub.cluster.claims_in("vision") == []


@pytest.mark.parametrize(
    "form",
    [
        {"tenant": ["nlp"], "profile": ["cpu-small"]},
        {"profile": ["nlp/cpu-small/wait"]},
        {"tenant": ["vision", "nlp"], "profile": ["cpu-small"]},
        {"profile": ["cpu-small", "mig-1g.10gb"]},
        {"profile": ["cpu-small"], "image": ["x"]},
        {"profile": ["vision/cpu-small/now"]},
        {"profile": [{"filename": "a", "body": b""}]},
    ],
    ids=str,
)
async def test_a_forged_form_is_refused_in_words(hub: HubInMemory, form: dict[str, list[Any]]) -> None:
    spawner = hub.person("kai", vision=Role.MEMBER).spawner
    with pytest.raises(SpawnRefused):
        await spawner.run_options_from_form(form)


async def test_a_handed_over_account_has_another_home_volume_unless_it_was_kept(hub: HubInMemory) -> None:
    class Given:
        def __init__(self, home: int) -> None:
            self.home = home

        def handed_over(self, name: str) -> Given:
            return self

    spawner = hub.person("kai", vision=Role.MEMBER).spawner
    names = []
    for home in (0, 1, 2):
        spawner.authenticator = type("Authenticator", (), {"accounts": Given(home)})()
        spawner._name_objects()
        names.append(spawner.pvc_name)
    assert names == ["home-kai", "home-kai--home1", "home-kai--home2"]
