"""The spawner's settings: all are told with help, those that can't work are refused with the reason."""

from __future__ import annotations

import pytest
from traitlets.config import Config

from aifactory_spawner import TenantKubeSpawner
from aifactory_spawner.unsupported import refuse_unsupported, unsupported


def config(section: str, name: str, value: object) -> Config:
    made = Config()
    made[section][name] = value
    return made


@pytest.mark.parametrize("section", ["TenantKubeSpawner", "KubeSpawner"])
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("enable_user_namespaces", True, "the namespace of a server is fixed"),
        ("services_enabled", True, "known inside the vCluster only"),
        ("profile_list", [{"display_name": "x"}], "Write them into tenants.yaml"),
        ("namespace", "default", "`notebooks`"),
        ("delete_pvc", True, "the hub deletes none"),
    ],
)
def test_what_can_not_work_is_refused_with_the_reason(section: str, name: str, value: object, said: str) -> None:
    (line,) = unsupported(config(section, name, value))
    assert line.startswith(f"c.{section}.{name} can't be used")
    assert said in line


def test_internal_ssl_ends_the_hub_at_its_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        refuse_unsupported(config("JupyterHub", "internal_ssl", True))
    assert ended.value.code == 1
    assert "c.JupyterHub.internal_ssl" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("KubeSpawner", "enable_user_namespaces", False),
        ("JupyterHub", "internal_ssl", False),
        ("KubeSpawner", "extra_labels", {"a": "b"}),
        ("KubeSpawner", "tolerations", []),
        ("TenantKubeSpawner", "preemption_grace", 5),
    ],
)
def test_everything_else_stays_usable(section: str, name: str, value: object) -> None:
    assert unsupported(config(section, name, value)) == []


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
