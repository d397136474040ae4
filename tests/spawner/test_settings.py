"""The spawner's settings: each works, or ends the hub's start with the reason."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from jupyterhub import __version__
from kubespawner import KubeSpawner
from packaging.version import Version
from traitlets.config import Config

from aifactory_hub.domain.tenants import Role
from aifactory_spawner import TenantKubeSpawner
from aifactory_spawner.site_settings import REFUSED, WORKS, as_markdown, end_if_refused, refusals

from .hub_in_memory import HubInMemory

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "kubespawner.md"
CHOICE = {"tenant": "nlp", "profile": "mig-1g.10gb"}


def config(section: str, name: str, value: object) -> Config:
    made = Config()
    made[section][name] = value
    return made


@pytest.mark.parametrize("section", ["TenantKubeSpawner", "KubeSpawner", "Spawner"])
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("enable_user_namespaces", True, "the namespace of a server is fixed"),
        ("services_enabled", True, "known inside the vCluster only"),
        ("profile_list", [{"display_name": "x"}], "Write them into tenants.yaml"),
        ("namespace", "default", "`notebooks`"),
        ("delete_pvc", True, "the hub deletes none"),
        ("after_pod_created_hook", print, "Use modify_pod_hook"),
        ("delete_grace_period", 1, "terminationGracePeriodSeconds"),
        ("delete_stopped_pods", False, "keep its quota"),
        ("port", 0, "Write a port"),
        ("mem_limit", "4G", "the profile sets it"),
        ("slug_scheme", "escape", "names of pods, claims and namespaces are fixed"),
        ("k8s_api_verify_ssl", False, "its objects on the host"),
        ("slow_spawn_message", "wait", "the start page"),
        ("user_namespace_labels", {"a": "b"}, "fixed by its team's vCluster"),
        ("start_timeout", 60, "notebook.queue_timeout"),
    ],
)
def test_what_can_not_work_is_refused_with_the_reason(section: str, name: str, value: object, words: str) -> None:
    (line,) = refusals(config(section, name, value))
    assert line.startswith(f"c.{section}.{name} can't be used")
    assert words in line


def test_internal_ssl_ends_the_hub_at_its_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        end_if_refused(config("JupyterHub", "internal_ssl", True))
    assert ended.value.code == 1
    assert "c.JupyterHub.internal_ssl" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("KubeSpawner", "enable_user_namespaces", False),
        ("JupyterHub", "internal_ssl", False),
        ("KubeSpawner", "extra_labels", {"a": "b"}),
        ("KubeSpawner", "tolerations", []),
        ("KubeSpawner", "port", 8889),
        ("KubeSpawner", "delete_stopped_pods", True),
        ("KubeSpawner", "mem_limit", None),
        ("TenantKubeSpawner", "preemption_grace", 5),
    ],
)
def test_everything_else_stays_usable(section: str, name: str, value: object) -> None:
    assert refusals(config(section, name, value)) == []


def test_every_setting_of_the_installed_kubespawner_is_decided() -> None:
    """A new one upstream fails here until somebody has looked at what it does."""
    installed = set(KubeSpawner.class_traits(config=True))
    assert installed - {*WORKS, *REFUSED} == set()
    assert set(WORKS) & set(REFUSED) == set()
    if Version(__version__) >= Version("6"):
        assert {*WORKS, *REFUSED} - installed == set()


def test_the_page_of_all_settings_is_made_from_the_table() -> None:
    before, mark, _ = PAGE.read_text().partition("<!-- settings -->\n")
    wanted = f"{before}{mark}{as_markdown()}"
    if os.environ.get("AIFACTORY_TEST_REWRITE"):
        PAGE.write_text(wanted)
    assert PAGE.read_text() == wanted


async def started(hub: HubInMemory, **site: Any) -> tuple[Any, dict[str, Any]]:
    """Ada's server on a hub with these settings of KubeSpawner, and its pod's container."""
    for name, value in site.items():
        hub.site.KubeSpawner[name] = value
    ada = hub.person("ada", nlp=Role.MEMBER)
    await ada.spawn("", options=CHOICE)
    pod = hub.cluster.apis["nlp"].objects["/api/v1/namespaces/notebooks/pods/nb-ada"]
    return ada.spawner, pod["spec"]["containers"][0]


async def test_another_port_is_for_new_servers_and_cuts_none_off_that_runs(hub: HubInMemory) -> None:
    spawner, _ = await started(hub)
    assert spawner.server.url == "http://10.1.0.7:8888/user/ada/"
    hub.site.KubeSpawner.port = 9999
    hub.restart()
    again = hub.people["ada"].spawner
    assert await again.poll() is None
    assert (again.server.url, again.port) == ("http://10.1.0.7:8888/user/ada/", 8888)
    await hub.people["ada"].stop("")
    assert hub.people["ada"].spawner.port == 9999


async def test_a_server_that_an_earlier_version_started_keeps_its_port_too(hub: HubInMemory) -> None:
    spawner, _ = await started(hub)
    state = spawner.get_state()
    del state["aifactory"]["port"]
    spawner.orm_spawner.state = state
    hub.db.commit()
    hub.site.KubeSpawner.port = 9999
    hub.restart()
    again = hub.people["ada"].spawner
    assert await again.poll() is None
    assert again.server.url == "http://10.1.0.7:8888/user/ada/"


async def test_the_working_folder_has_the_person_s_name(hub: HubInMemory) -> None:
    _, container = await started(hub, working_dir="/home/{username}")
    assert container["workingDir"] == "/home/ada"


async def test_user_and_group_of_the_site_are_the_container_s(hub: HubInMemory) -> None:
    _, container = await started(hub, uid=1234, gid=5678)
    assert container["securityContext"]["runAsUser"] == 1234
    assert container["securityContext"]["runAsGroup"] == 5678
    assert container["securityContext"]["runAsNonRoot"] is True


async def test_a_dollar_in_a_name_stays_one_and_a_site_may_mean_it(hub: HubInMemory) -> None:
    hub.site.KubeSpawner.environment = {"POD": "$(HOSTNAME)"}
    person = hub.person("a$$b", nlp=Role.MEMBER)
    await person.spawn("", options=CHOICE)
    pod = hub.cluster.apis["nlp"].objects[f"/api/v1/namespaces/notebooks/pods/{person.spawner.pod_name}"]
    values = {entry["name"]: entry.get("value") for entry in pod["spec"]["containers"][0]["env"]}
    assert values["JUPYTERHUB_USER"] == "a$$$$b"
    assert values["POD"] == "$(HOSTNAME)"


def test_every_setting_of_ours_has_help() -> None:
    told = TenantKubeSpawner.class_get_help()
    own = [
        name
        for name, trait in TenantKubeSpawner.class_traits(config=True).items()
        if trait.this_class.__module__.startswith("aifactory")
    ]
    assert {"get_registry", "preemption_grace", "remove_orphans", "orphan_delay"} <= set(own)
    for name in own:
        trait = TenantKubeSpawner.class_traits()[name]
        assert trait.help.strip(), name
        assert f"--TenantKubeSpawner.{name}" in told


def test_kubespawners_own_settings_are_told_too() -> None:
    assert "--TenantKubeSpawner.tolerations" in TenantKubeSpawner.class_get_help()
