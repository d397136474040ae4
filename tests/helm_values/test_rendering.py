"""Charts that come with a Go module, rendered by helm with our values. No cluster is asked; helm is built with it.

Helm compares the values with the schema that the chart has.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from aifactory_hub.registry import load_registry
from aifactory_hub.registry.output import yaml_documents
from aifactory_hub.registry.render_vcluster import vcluster_values
from tests.cluster.programs import MODULES, module_folder, program
from tests.cluster.settings import layout

from .values import FOLDER, ROOT

# Not a running one: the programs are enough.
pytestmark = pytest.mark.cluster

Object = dict[str, Any]
VERSIONS = ("1.33", "1.35")
REGISTRY = load_registry(ROOT / "tests/e2e/tenants.yaml")
# Kubernetes' own schemas know nothing of these.
NOT_CHECKED = ("CustomResourceDefinition", "APIService")


def chart(name: str) -> Path:
    module, dependency, folder = {
        "vcluster": ("kubernetes", "github.com/loft-sh/vcluster", "chart"),
        "kueue": ("kueue", "sigs.k8s.io/kueue", "charts/kueue"),
    }[name]
    found = next(each for each in MODULES if each.name == module)
    return module_folder(layout(), found, dependency) / folder


def helm(name: str, namespace: str, *values: Path) -> subprocess.CompletedProcess[str]:
    files = [word for path in values for word in ("-f", str(path))]
    argv = [program(layout(), "helm"), "template", name, str(chart(name)), "--namespace", namespace, *files]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


def objects(done: subprocess.CompletedProcess[str]) -> list[Object]:
    assert done.returncode == 0, done.stderr
    # CRDs are large, and nothing of ours is in them.
    parts = [part for part in done.stdout.split("\n---\n") if "\nkind: CustomResourceDefinition\n" not in part]
    yaml = YAML(typ="safe")
    # vCluster's chart writes a pod's priorityClassName twice, with one value; Helm takes that.
    yaml.allow_duplicate_keys = True
    loaded = (yaml.load(part) for part in parts)
    return [each for each in loaded if each]


@pytest.fixture(scope="module")
def vcluster(tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    rendered = tmp_path_factory.mktemp("values") / "nlp.yaml"
    rendered.write_text(yaml_documents([vcluster_values(REGISTRY.tenants["nlp"], REGISTRY.addresses)]))
    return objects(helm("vcluster", "vc-nlp", FOLDER / "vcluster.yaml", rendered))


@cache
def kueue() -> tuple[Object, ...]:
    return tuple(objects(helm("kueue", "kueue-system", FOLDER / "kueue.yaml")))


def test_every_object_is_one_that_kubernetes_takes(vcluster: list[Object]) -> None:
    for each in [*vcluster, *kueue()]:
        if each["kind"] not in NOT_CHECKED:
            for version in VERSIONS:
                kubernetes_validate.validate(each, version, strict=False)


def test_a_vcluster_has_a_volume_and_no_right_on_the_whole_host(vcluster: list[Object]) -> None:
    kinds = {each["kind"] for each in vcluster}
    assert "StatefulSet" in kinds
    assert not {"ClusterRole", "ClusterRoleBinding", "Deployment"} & kinds
    (made,) = [each for each in vcluster if each["kind"] == "StatefulSet"]
    assert made["spec"]["volumeClaimTemplates"]


def test_a_vcluster_s_control_plane_would_pass_pod_security_restricted(vcluster: list[Object]) -> None:
    (made,) = [each for each in vcluster if each["kind"] == "StatefulSet"]
    pod = made["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        context = container["securityContext"]
        assert (context["allowPrivilegeEscalation"], context["runAsUser"]) == (False, 12345), container["name"]
        assert context["capabilities"]["drop"] == ["ALL"], container["name"]


def test_a_misspelled_key_is_found_by_the_chart_s_schema(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("controlPlane: {statefullSet: {}}\n")
    done = helm("vcluster", "vc-nlp", FOLDER / "vcluster.yaml", wrong)
    assert done.returncode
    assert "statefullSet" in done.stderr


def test_kueue_takes_only_what_carries_a_queue_s_name_in_tenants_namespaces() -> None:
    (configuration,) = [each for each in kueue() if each["kind"] == "ConfigMap"]
    settings = YAML(typ="safe").load(configuration["data"]["controller_manager_config.yaml"])
    assert settings["manageJobsWithoutQueueName"] is False
    assert settings["managedJobsNamespaceSelector"]["matchLabels"] == {"aifactory-hub.io/tickets": "true"}
    assert settings["integrations"]["frameworks"] == ["batch/job"]
