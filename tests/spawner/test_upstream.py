"""What this spawner takes for granted of kubespawner and JupyterHub, so that a new version is noticed here."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest
from kubespawner import KubeSpawner

from aifactory_hub.domain.tenants import Role
from aifactory_spawner import TenantKubeSpawner

from .hub_in_memory import HubInMemory

MEANT = {
    "__init__", "api", "pod_reflector", "event_reflector", "reflectors", "get_state", "load_state", "clear_state",
    "get_env", "load_user_options", "progress", "poll", "stop", "delete_forever", "_start", "_start_watching_pods",
    "_start_watching_events", "_make_create_pvc_request", "_make_create_pod_request", "options_from_query", "server",
}  # fmt: skip


def test_nothing_of_kubespawner_is_hidden_by_accident() -> None:
    own = {name for name in vars(TenantKubeSpawner) if not name.startswith("__") or name == "__init__"}
    traitlets = {
        name for name in own if name.startswith(("_trait", "_all_trait", "_descriptors", "_instance", "_static"))
    }
    hidden = {name for name in own - traitlets if hasattr(KubeSpawner, name)}
    assert hidden - MEANT == set()


async def test_every_attribute_that_kubespawner_makes_at_its_start_is_made_here_too(hub: HubInMemory) -> None:
    source = ast.parse(textwrap.dedent(inspect.getsource(KubeSpawner.__init__)))
    made = {
        target.attr
        for node in ast.walk(source)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
    }
    spawner = hub.person("ada", nlp=Role.MEMBER).spawner
    missing = [name for name in made - {"api"} if not hasattr(spawner, name)]
    assert missing == []
    with pytest.raises(RuntimeError, match="bound to no tenant's API"):
        spawner.api  # noqa: B018


async def test_no_client_of_the_whole_process_is_made(hub: HubInMemory) -> None:
    from kubespawner import clients

    await hub.person("ada", nlp=Role.MEMBER).spawn("", options={"tenant": "nlp", "profile": "mig-1g.10gb"})
    assert clients._client_cache == {}
    assert clients.load_config.cache_info().currsize == 0
    assert KubeSpawner.reflectors == {}
    assert TenantKubeSpawner.reflectors == {}


async def test_the_state_survives_a_round_trip_and_one_of_a_newer_version(hub: HubInMemory) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER)
    await ada.spawn("", options={"tenant": "nlp", "profile": "mig-1g.10gb"})
    state = ada.spawner.get_state()
    assert "pvc_name" not in state
    newer = {**state, "aifactory": {**state["aifactory"], "a_newer_field": 1}}
    fresh = ada._new_spawner("")
    fresh.load_state({**newer, "pvc_name": "one-of-another-team"})
    assert fresh.record.binding == ada.spawner.record.binding
    assert fresh.pvc_name == "home-ada"
    assert fresh.record.binding.started
    ada.spawner.clear_state()
    assert "aifactory" not in ada.spawner.get_state()
