"""The values for Zero to JupyterHub: accepted by the chart's schema, and clear of its known traps."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from traitlets.config import Config

from aifactory_hub.registry.manifests import HUB_ACCOUNT
from aifactory_hub.registry.policies import HUB_PORT, NOTEBOOK_PORT
from aifactory_hub.settings import read_hub_settings
from aifactory_spawner import TenantKubeSpawner

from ..conftest import Golden
from .values import JUPYTERHUB, OVERLAYS, Values, documents, jupyterhub, keys_of, merged, read

SETS = [(), *((overlay,) for overlay in OVERLAYS)]
IDS = ["without overlay", *OVERLAYS]


# A folder with the chart's schema and defaults. Without it, the keys that it accepted the last time are compared.
CHART = Path(folder) if (folder := os.environ.get("AIFACTORY_Z2JH_CHART")) else None


# Below these the chart takes anything: environment, annotations, classes of JupyterHub and the like.
FREE = {"hub.config", "hub.extraFiles", "hub.extraEnv", "hub.services", "hub.loadRoles", "hub.nodeSelector",
        "hub.resources", "proxy.chp.resources", "proxy.service.annotations", "ingress.annotations"}  # fmt: skip


def all_keys() -> set[str]:
    return {key for name in (*JUPYTERHUB, *OVERLAYS) for key in keys_of(read(name), FREE)}


def chart_defaults(folder: Path) -> Values:
    as_json = folder / "values.json"
    if as_json.exists():
        defaults: Values = json.loads(as_json.read_text(encoding="utf-8"))
        return defaults
    return documents(folder / "values.yaml")[0]


def complaints(folder: Path, values: Values) -> list[str]:
    schema = json.loads((folder / "values.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    return [error.message for error in validator.iter_errors(merged(chart_defaults(folder), values))]


def test_every_key_is_one_that_the_chart_accepted(golden: Golden) -> None:
    """Where the chart is at hand it is asked; elsewhere, what it said the last time counts."""
    if CHART is not None:
        for overlays in SETS:
            assert complaints(CHART, jupyterhub(*overlays)) == []
        assert complaints(CHART, merged(jupyterhub(), {"hub": {"extraConfg": {}}})), "the schema finds nothing"
    golden.check("z2jh-keys.txt", "\n".join(sorted(all_keys())) + "\n")


@pytest.mark.parametrize("name", [*JUPYTERHUB, *OVERLAYS])
def test_each_file_sets_only_what_some_section_of_the_chart_has(name: str) -> None:
    known = {"hub", "proxy", "singleuser", "scheduling", "prePuller", "cull", "rbac", "ingress"}
    assert set(read(name)) <= known


@pytest.mark.parametrize("overlays", SETS, ids=IDS)
def test_the_known_traps_are_avoided(overlays: tuple[str, ...]) -> None:
    values = jupyterhub(*overlays)
    assert values["singleuser"]["cloudMetadata"]["blockWithIptables"] is False
    assert values["hub"]["consecutiveFailureLimit"] == 0
    assert values["scheduling"]["userScheduler"]["enabled"] is False
    assert values["prePuller"]["hook"]["enabled"] is False
    assert values["rbac"]["create"] is False
    assert values["hub"]["serviceAccount"] == {"create": False, "name": HUB_ACCOUNT}


@pytest.mark.parametrize("overlays", SETS, ids=IDS)
def test_hub_and_proxy_reach_the_tenants_namespaces_and_are_reached_from_them(overlays: tuple[str, ...]) -> None:
    values = jupyterhub(*overlays)
    hub = values["hub"]["networkPolicy"]
    assert {NOTEBOOK_PORT, 8443} <= ports_to_tenants(hub["egress"])
    assert NOTEBOOK_PORT in ports_to_tenants(values["proxy"]["chp"]["networkPolicy"]["egress"])
    assert any(rule["ports"] == [{"port": "http"}] and to_tenants(rule["from"]) for rule in hub["ingress"])
    assert hub["egressAllowRules"]["cloudMetadataServer"] is False
    assert values["proxy"]["chp"]["networkPolicy"]["egressAllowRules"]["privateIPs"] is False


def test_a_file_that_replaces_a_list_repeats_what_was_in_it() -> None:
    before = read("network-policies.yaml")["hub"]["networkPolicy"]["ingress"]
    after = read("observability.yaml")["hub"]["networkPolicy"]["ingress"]
    assert all(rule in after for rule in before)
    volumes = read("common.yaml")["hub"]["extraVolumes"]
    assert all(volume in jupyterhub("overlays/onprem-h100.yaml")["hub"]["extraVolumes"] for volume in volumes)


def ports_to_tenants(rules: list[Values]) -> set[int]:
    return {port["port"] for rule in rules if to_tenants(rule["to"]) for port in rule["ports"]}


def to_tenants(peers: list[Values]) -> bool:
    label = {"key": "aifactory-hub.io/tenant", "operator": "Exists"}
    return any(peer.get("namespaceSelector", {}).get("matchExpressions") == [label] for peer in peers)


def test_the_hub_s_port_is_the_chart_s() -> None:
    assert HUB_PORT == 8081


# What the chart itself sets for notebooks before our file is read, some of it.
OF_THE_CHART = {
    "image": "quay.io/jupyterhub/k8s-singleuser-sample:4.4.0",
    "cmd": "jupyterhub-singleuser",
    "fs_gid": 100,
}


def run_extra_file(c: Config, configured: list[Config]) -> None:
    """What the hub runs of the file that common.yaml puts into its configuration folder."""
    source = jupyterhub()["hub"]["extraFiles"]["aifactory"]["stringData"]
    namespace: dict[str, Any] = {"c": c}
    # The chart's own module, with which its hub reads the values.
    chart = ModuleType("z2jh")
    chart.get_config = {"cull.enabled": True, "cull.timeout": 600}.get  # type: ignore[attr-defined]
    sys.modules["z2jh"] = chart
    source = source.replace("aifactory_hub.configure(c)", "configured.append(c)")
    try:
        exec(source, {**namespace, "configured": configured})  # noqa: S102 - our own file
    finally:
        del sys.modules["z2jh"]


def test_the_chart_s_settings_for_notebooks_do_not_hide_tenants_yaml() -> None:
    c = Config({"KubeSpawner": OF_THE_CHART, "TenantKubeSpawner": {"http_timeout": 300}})
    configured: list[Config] = []
    run_extra_file(c, configured)
    assert configured == [c]
    assert "KubeSpawner" not in c
    assert c.TenantKubeSpawner.http_timeout == 300


def test_servers_know_when_the_culler_would_stop_them() -> None:
    c = Config({"TenantKubeSpawner": {"environment": {"A": "b"}}})
    run_extra_file(c, [])
    assert c.TenantKubeSpawner.environment == {"A": "b", "AIFACTORY_IDLE_TIMEOUT": "600"}


def test_every_trait_that_gpu_mig_sets_exists() -> None:
    traits = read("gpu-mig.yaml")["hub"]["config"]["TenantKubeSpawner"]
    assert set(traits) <= set(TenantKubeSpawner.class_traits(config=True))
    homes = [volume for volume in traits["volumes"] if volume["name"] == "home"]
    assert homes == [{"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}]


def test_the_hub_s_environment_is_what_its_settings_need(tmp_path: Path) -> None:
    environment = {name: "x" if isinstance(value, dict) else value for name, value in read_environment().items()}
    settings = read_hub_settings(environment)
    assert settings.tenants == Path("/etc/aifactory/tenants.yaml")
    assert settings.service_bind.url == "http://aifactory-jobs:8091"
    mounts = {mount["mountPath"] for mount in jupyterhub()["hub"]["extraVolumeMounts"]}
    assert settings.tenants.parent.as_posix() in mounts


def read_environment() -> Values:
    environment: Values = jupyterhub()["hub"]["extraEnv"]
    return environment
