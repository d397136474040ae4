"""Charts are told by labels, and rights by rules."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.domain.doctor import CHARTS
from aifactory_hub.domain.site_charts import Chart, charts_of
from aifactory_hub.domain.site_rights import Right, rights_of

from ..helm_values.values import FOLDER


def made(labels: dict[str, str] | None, namespace: str = "a") -> dict[str, Any]:
    return {"metadata": {"name": "x", "namespace": namespace, "labels": labels}}


@pytest.mark.parametrize(
    ("labels", "chart"),
    [
        ({"helm.sh/chart": "kueue-0.19.2"}, Chart("kueue", "0.19.2", "a")),
        ({"chart": "vcluster-0.33.1", "app": "vcluster"}, Chart("vcluster", "0.33.1", "a")),
        ({"helm.sh/chart": "gpu-operator-v25.3.0"}, Chart("gpu-operator", "v25.3.0".removeprefix("v"), "a")),
        ({"chart": "jupyterhub-4.4.0"}, Chart("jupyterhub", "4.4.0", "a")),
        ({"chart": "jupyterhub-4.4.1-0.dev.git.7100.h1"}, Chart("jupyterhub", "4.4.1-0.dev.git.7100.h1", "a")),
        ({"helm.sh/chart": "kube-prometheus-stack-72.6.2"}, Chart("kube-prometheus-stack", "72.6.2", "a")),
        # Helm writes a plus sign as an underscore in labels.
        ({"helm.sh/chart": "kueue-0.19.2_sha1"}, Chart("kueue", "0.19.2_sha1", "a")),
    ],
)
def test_a_label_names_chart_and_version(labels: dict[str, str], chart: Chart) -> None:
    assert charts_of([made(labels), made(labels)]) == [chart]


@pytest.mark.parametrize("labels", [None, {}, {"app": "x"}, {"helm.sh/chart": "kueue"}, {"chart": ""}])
def test_what_no_chart_made_has_none(labels: dict[str, str] | None) -> None:
    assert charts_of([made(labels)]) == []


@pytest.mark.parametrize(
    ("image", "version"),
    [("ghcr.io/loft-sh/vcluster-oss:0.33.1", "0.33.1"), ("registry:5000/vcluster", "0.0.1"), ("vcluster:dev", "0.0.1")],
)
def test_a_chart_from_its_sources_is_as_new_as_its_image(image: str, version: str) -> None:
    release = made({"chart": "vcluster-0.0.1"}) | {"spec": {"template": {"spec": {"containers": [{"image": image}]}}}}
    assert charts_of([release]) == [Chart("vcluster", version, "a")]


def test_what_follows_the_patch_does_not_count() -> None:
    assert Chart("jupyterhub", "4.4.1-0.dev.git.7100.h1", "a").numbers == (4, 4, 1)
    assert Chart("gpu-operator", "23.9.2", "a").numbers > CHARTS["gpu-operator"][1].oldest


def test_the_values_that_are_named_exist() -> None:
    assert all((FOLDER.parent / wanted.path).exists() for _, wanted in CHARTS.values())


def test_a_rule_gives_each_verb_on_each_resource_by_each_name() -> None:
    rules = [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["a", "b"]},
        {"apiGroups": ["batch"], "resources": ["jobs", "jobs/status"], "verbs": ["patch"]},
    ]
    assert list(map(str, rights_of(rules, "ns"))) == [
        "get secrets a",
        "get secrets b",
        "patch jobs.batch",
        "patch jobs/status.batch",
    ]
    assert rights_of(rules, "ns")[0] == Right("get", "secrets", "", "ns", "a")
