"""The values for charts that are in no package registry: keys that were found in the charts, and their known traps."""

from __future__ import annotations

import pytest

from aifactory_hub import constants
from aifactory_hub.registry import read_registry
from aifactory_hub.registry.mig import mig_objects

from ..registry.files import GOOD, SOURCE
from .values import FOLDER, JUPYTERHUB, ROOT, Values, documents, keys_of, read

(KNOWN,) = documents(ROOT / "tests/data/chart-keys.yaml")
# Of Zero to JupyterHub, and those whose charts are rendered.
ELSEWHERE = {*JUPYTERHUB, "vcluster.yaml", "kueue.yaml"}


def test_every_values_file_is_compared_with_a_chart() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == set(KNOWN) | ELSEWHERE


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_key_was_found_in_the_chart(name: str) -> None:
    assert sorted(keys_of(read(name), KNOWN[name].get("free", []))) == KNOWN[name]["keys"]
    repository, path, commit = KNOWN[name]["source"].split()
    assert (repository.count("/"), path.endswith("values.yaml"), len(commit)) == (1, True, 40)


def test_the_mig_manager_reads_the_config_that_is_rendered() -> None:
    (rendered,) = mig_objects(read_registry(GOOD, SOURCE), 8)
    config = read("gpu-operator.yaml")["migManager"]["config"]
    assert (config["create"], config["name"]) == (False, rendered["metadata"]["name"])
    assert read("gpu-operator.yaml")["mig"]["strategy"] == "mixed"


def test_what_is_kept_for_a_month_is_kept_on_a_volume() -> None:
    prometheus = read("kube-prometheus-stack.yaml")["prometheus"]["prometheusSpec"]
    assert prometheus["retention"] == "30d"
    assert prometheus["storageSpec"]["volumeClaimTemplate"]["spec"]["resources"]["requests"]["storage"]


def test_only_labels_that_we_set_are_let_through() -> None:
    allowed = read("kube-prometheus-stack.yaml")["kube-state-metrics"]["metricLabelsAllowlist"]
    names = {name for entry in allowed for name in entry.partition("=[")[2].rstrip("]").split(",")}
    ours = {value for key, value in vars(constants).items() if key.startswith("LABEL_")}
    assert names <= ours


def test_no_label_that_a_team_chooses_becomes_one_of_its_gpu_s_series() -> None:
    assert read("dcgm-exporter.yaml")["kubernetes"] == {"enablePodLabels": False}


def test_grafana_s_sidecar_looks_for_the_label_that_the_chart_gives_dashboards() -> None:
    (chart,) = documents(ROOT / "charts/aifactory-hub/values.yaml")
    sidecar = read("kube-prometheus-stack.yaml")["grafana"]["sidecar"]["dashboards"]
    assert sidecar["enabled"] and sidecar["label"] in chart["dashboards"]["labels"]


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("argo-workflows.yaml", ("controller", "executor")),
        ("jobset.yaml", ("controller",)),
        ("mlflow.yaml", ("",)),
        ("trainer.yaml", ("manager",)),
    ],
)
def test_what_runs_in_a_tenant_would_pass_pod_security_restricted(name: str, paths: tuple[str, ...]) -> None:
    for path in paths:
        values: Values = read(name)[path] if path else read(name)
        context = values["securityContext"]
        pod = values.get("podSecurityContext", {})
        assert True in (context.get("runAsNonRoot"), pod.get("runAsNonRoot"))
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {"type": "RuntimeDefault"} in (context.get("seccompProfile"), pod.get("seccompProfile"))
