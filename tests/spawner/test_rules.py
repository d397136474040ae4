"""The site's rules about notebook servers, before a ticket is filed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.tenants import Role
from aifactory_hub.policy import RulesProvider
from aifactory_spawner.refusals import SpawnRefused

from ..policy.rules import rule
from ..support.rules import write_rules
from .hub_in_memory import HubInMemory, start

CASES = [
    {"expect": "pass", "view": {"user": {"name": "ada", "role": "admin"}}},
    {"expect": "fail", "view": {"user": {"name": "ada", "role": "member"}}},
]


def admins_only(**changes: Any) -> dict[str, Any]:
    return rule(
        id="admins-only",
        title="Notebooks are for admins",
        target="server",
        verbs=["start-server"],
        assert_="has(user.role) && user.role == 'admin'",
        message="user.name + ' is a ' + user.role + ' in ' + team.name + ', and takes ' + server.profile",
        fix="Ask an admin.",
        field="profile",
        cases=CASES,
        **changes,
    )


def put(hub: HubInMemory, folder: Path, *rules: dict[str, Any]) -> RulesProvider:
    write_rules(folder, *rules)
    hub.host_cluster.rules = RulesProvider.open(lambda: folder)
    return hub.host_cluster.rules


async def test_a_start_that_a_rule_refuses_files_no_ticket(hub: HubInMemory, tmp_path: Path) -> None:
    put(hub, tmp_path, admins_only())
    with pytest.raises(SpawnRefused) as refused:
        await start(hub.person("ada", nlp=Role.MEMBER))
    assert refused.value.reason == "policy"
    assert "ada is a member in nlp, and takes mig-1g.10gb (rule admins-only) Ask an admin." in str(refused.value)
    assert await hub.admission.tickets("nlp") == []
    assert hub.cluster.apis["nlp"].objects == {}


async def test_who_meets_the_rule_starts(hub: HubInMemory, tmp_path: Path) -> None:
    put(hub, tmp_path, admins_only())
    await start(hub.person("grace", nlp=Role.ADMIN))
    assert len(await hub.admission.tickets("nlp")) == 1


async def test_advice_is_told_while_it_starts(hub: HubInMemory, tmp_path: Path) -> None:
    put(hub, tmp_path, admins_only(severity="advisory"))
    spawner = await start(hub.person("ada", nlp=Role.MEMBER))
    told = [event["message"] async for event in spawner.progress()]
    assert any("ada is a member in nlp" in message for message in told), told


async def test_the_form_says_it_before_anything_starts(hub: HubInMemory, tmp_path: Path) -> None:
    put(hub, tmp_path, admins_only())
    spawner = hub.person("ada", nlp=Role.MEMBER).spawners[""]
    with pytest.raises(SpawnRefused, match="ada is a member in nlp"):
        await spawner.team_choice.read_menu({"tenant": ["nlp"], "profile": ["mig-1g.10gb"]})


async def test_rules_that_change_count_for_the_next_start(hub: HubInMemory, tmp_path: Path) -> None:
    rules = put(hub, tmp_path, admins_only())
    write_rules(tmp_path, admins_only(severity="advisory"))
    for _ in range(2):
        rules.look()
    await start(hub.person("ada", nlp=Role.MEMBER))
    assert len(await hub.admission.tickets("nlp")) == 1
