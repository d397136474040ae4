"""The chart's own files, without helm: rights are the rendered ones, and every key has a description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from aifactory_hub import __version__
from aifactory_hub.clusters.objects import _collection
from aifactory_hub.registry import load_registry
from aifactory_hub.registry.chart_files import apply_rules, chart_files
from aifactory_hub.registry.render import host_objects

from .chart import CHART, TENANTS, documents, rendered_files

(VALUES,) = documents((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
REGISTRY = load_registry(TENANTS)


@pytest.mark.parametrize("name", sorted(rendered_files()))
def test_a_generated_file_is_what_is_rendered(name: str, request: pytest.FixtureRequest) -> None:
    text = rendered_files()[name]
    if request.config.getoption("--update-golden"):
        (CHART / name).write_text(text, encoding="utf-8")
    assert (CHART / name).read_text(encoding="utf-8") == text, "see --update-golden"


def test_a_hub_s_name_that_is_part_of_other_words_is_not_replaced() -> None:
    with pytest.raises(ValueError, match="can't be told from other words"):
        chart_files(REGISTRY)


def test_the_chart_has_the_version_of_the_package() -> None:
    (chart,) = documents((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def properties(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, each in schema.get("properties", {}).items():
        yield f"{path}{name}", each
        yield from properties(each, f"{path}{name}.")
        yield from properties(each.get("items", {}), f"{path}{name}[].")


def test_every_key_has_a_description_and_no_other_is_taken() -> None:
    found = dict(properties(SCHEMA))
    # Rules of Kubernetes' own form: its documents describe them.
    lacking = [name for name, each in found.items() if "description" not in each and ".egress[]" not in name]
    assert [name for name in lacking if not name.startswith("networkPolicy.egress[]")] == []
    open_ended = [name for name, each in found.items() if "properties" in each and "additionalProperties" not in each]
    assert open_ended == []
    assert SCHEMA["additionalProperties"] is False


def keys(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{path}{name}"
        if isinstance(value, dict):
            yield from keys(value, f"{path}{name}.")


FREE = ("jobService.resources.", "provisioner.resources.", "monitors.labels.", "dashboards.labels.")


def test_values_and_schema_have_the_same_keys() -> None:
    written = {key for key in keys(VALUES) if not key.startswith(FREE)}
    described = {name for name, _ in properties(SCHEMA) if "[]" not in name} - {"global"}
    assert written == described
    jsonschema.Draft7Validator(SCHEMA).validate(VALUES)


def allowed(verb: str, group: str, resource: str, name: str) -> bool:
    return any(
        verb in rule["verbs"]
        and group in rule["apiGroups"]
        and resource in rule["resources"]
        and name in rule.get("resourceNames", [name])
        for rule in apply_rules()
    )


def test_the_account_that_applies_may_make_all_that_is_rendered() -> None:
    for manifest in host_objects(REGISTRY):
        path = _collection(manifest["kind"], "")
        group, resource = (manifest["apiVersion"].rpartition("/")[0], path.rpartition("/")[2])
        for verb in ("get", "list", "create", "patch"):
            assert allowed(verb, group, resource, manifest["metadata"]["name"]), (verb, manifest["kind"])


def test_it_reads_no_secret_starts_nothing_and_gives_itself_no_right() -> None:
    rbac = "rbac.authorization.k8s.io"
    for verb in ("get", "list", "create", "patch"):
        for group, resource in (("", "secrets"), ("", "pods"), ("batch", "jobs"), ("", "serviceaccounts/token")):
            assert not allowed(verb, group, resource, "aifactory-hub")
    for verb in ("escalate", "bind", "patch"):
        assert not allowed(verb, rbac, "clusterroles", "aifactory-apply")
        assert not allowed(verb, rbac, "clusterroles", "cluster-admin")
    assert not any("*" in rule["verbs"] or "*" in rule["resources"] for rule in apply_rules())


def test_the_generated_files_are_objects_of_their_kinds() -> None:
    files = rendered_files()
    kinds = [each["kind"] for each in documents(files["files/apply-rights.yaml"])]
    assert kinds == ["ClusterRole", "ClusterRoleBinding"]
    provisioner = files["files/provisioner-rights.yaml"].replace("@HUB@", "main")
    assert "Namespace" not in {each["kind"] for each in documents(provisioner)}
