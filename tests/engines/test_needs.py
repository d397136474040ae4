"""What engines need in a team's vCluster is theirs to say, wherever they come from."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from aifactory_hub.domain.engines import EngineNeeds, Rule
from aifactory_hub.engines import installed
from aifactory_hub.registry.render_vcluster import seeded_objects, vcluster_values

from ..registry.test_render import REGISTRY

TENANT = REGISTRY.tenants["nlp"]
RAY = Rule("ray.io", ("rayjobs",), ("get", "create"))


class RayEngine:
    """An engine of another package."""

    needs = EngineNeeds(rules=(RAY,), api_server=("--feature-gates=Ray=true",))


def rules(names: list[str]) -> list[dict[str, Any]]:
    """Those of the job service's Role in the vCluster."""
    seeded = seeded_objects(TENANT, installed.engine_needs(names))
    return next(o["rules"] for o in seeded if o["kind"] == "Role" and o["metadata"]["namespace"] == "jobs")


def test_an_engine_of_another_package_gets_its_rights_and_its_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    found = EntryPoints([EntryPoint("ray", f"{__name__}:RayEngine", installed.GROUP)])
    monkeypatch.setattr(installed, "entry_points", lambda group: found)
    needs = installed.engine_needs(["ray"])
    assert {"apiGroups": ["ray.io"], "resources": ["rayjobs"], "verbs": ["get", "create"]} in rules(["ray"])
    values = vcluster_values(TENANT, REGISTRY.addresses, needs)
    assert values["controlPlane"]["distro"]["k8s"]["apiServer"]["extraArgs"] == ["--feature-gates=Ray=true"]


def test_an_engine_that_nobody_names_has_no_rights() -> None:
    groups = {group for rule in rules(["kubernetes-job"]) for group in rule["apiGroups"]}
    assert groups == {"", "batch"}
    more = {group for rule in rules(["kubernetes-job", "jobset"]) for group in rule["apiGroups"]}
    assert more - groups == {"jobset.x-k8s.io"}


def test_an_engine_that_is_not_installed_is_refused_with_those_that_are() -> None:
    with pytest.raises(installed.UnknownEngine, match=r"no engine 'slurm'\. Installed: .*kubernetes-job"):
        installed.engine_needs(["slurm"])
