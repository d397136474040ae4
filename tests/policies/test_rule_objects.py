"""The site's rules about pods as admission policies: their text as it is, and what a severity means there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from aifactory_hub.cli import main
from aifactory_hub.domain.gates import Rule
from aifactory_hub.domain.verdicts import Severity, Target
from aifactory_hub.registry.rule_objects import rule_objects

from ..policy.rules import rule
from ..support.rules import write_rules
from ..support.tenants import make_tenant

GOOD = (Path(__file__).parents[1] / "e2e" / "tenants.yaml").read_text()
TENANTS = [make_tenant("nlp"), make_tenant("vision")]
RULE = Rule(
    "few", "Pods have few containers", Target.POD, Severity.HARD, "object.spec.containers.size() < variables.most",
    "'it has ' + string(object.spec.containers.size())", variables={"most": "5"},
)  # fmt: skip
OF_PODS = rule(
    id="few",
    target="pod",
    assert_="object.spec.containers.size() < 2",
    message="'too many'",
    cases=[
        {"expect": "pass"},
        {"expect": "fail", "view": {"object": {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}}},
    ],
)


def kinds(rule: Rule) -> list[Any]:
    return rule_objects("main", TENANTS, [rule])


def test_a_rule_is_one_policy_with_a_binding_for_each_team() -> None:
    policy, *bindings = kinds(RULE)
    assert policy["metadata"]["name"] == "aifactory-hub.io-rule-main.few"
    assert policy["spec"]["variables"] == [{"name": "most", "expression": "5"}]
    [check] = policy["spec"]["validations"]
    assert (check["expression"], check["messageExpression"]) == (RULE.holds, RULE.message)
    assert check["message"] == "Pods have few containers."
    assert [each["metadata"]["name"] for each in bindings] == [
        "aifactory-hub.io-rule-main.few.nlp",
        "aifactory-hub.io-rule-main.few.vision",
    ]
    places = [each["spec"]["matchResources"]["namespaceSelector"]["matchLabels"] for each in bindings]
    assert places == [{"kubernetes.io/metadata.name": "vc-nlp"}, {"kubernetes.io/metadata.name": "vc-vision"}]


@pytest.mark.parametrize(
    ("severity", "actions"),
    [(Severity.HARD, ["Deny", "Audit"]), (Severity.SOFT, ["Audit"]), (Severity.ADVISORY, ["Audit"])],
)
def test_only_a_hard_rule_denies(severity: Severity, actions: list[str]) -> None:
    _, *bindings = kinds(replace(RULE, severity=severity))
    assert all(each["spec"]["validationActions"] == actions for each in bindings)


def test_a_condition_that_can_not_be_evaluated_is_part_of_no_or() -> None:
    policy = kinds(replace(RULE, condition="object.spec.x == 1"))[0]
    assert policy["spec"]["validations"][0]["expression"] == f"(object.spec.x == 1) ? ({RULE.holds}) : true"


def test_a_team_s_rule_is_bound_to_the_team() -> None:
    _, *bindings = kinds(replace(RULE, teams=frozenset({"vision"})))
    assert [each["metadata"]["name"] for each in bindings] == ["aifactory-hub.io-rule-main.few.vision"]


def test_rules_about_jobs_stay_in_the_service() -> None:
    assert kinds(replace(RULE, target=Target.JOB)) == []


def rendered(tmp_path: Path, *rules: dict[str, Any]) -> Any:
    write_rules(tmp_path / "policies", *rules)
    file = tmp_path / "tenants.yaml"
    file.write_text(f"{GOOD}\npolicies: {{folder: policies}}\n")
    return CliRunner().invoke(main, ["tenants", "render", str(file), "--part", "policies"])


def test_render_has_the_rules_of_the_folder(tmp_path: Path) -> None:
    done = rendered(tmp_path, OF_PODS)
    assert done.exit_code == 0, done.output
    assert "object.spec.containers.size() < 2" in done.output
    binding = done.output.rpartition("aifactory-hub.io-rule-")[2]
    assert "Audit" in binding and "Deny" in binding


def test_a_rule_that_is_only_tried_denies_nothing(tmp_path: Path) -> None:
    done = rendered(tmp_path, OF_PODS | {"enforce_from": "2999-01-01"})
    binding = done.output.rpartition("aifactory-hub.io-rule-")[2]
    assert "Audit" in binding and "Deny" not in binding


def test_rules_that_can_not_be_used_render_nothing(tmp_path: Path) -> None:
    done = rendered(tmp_path, OF_PODS | {"assert": "object.spec >"})
    assert (done.exit_code, "site.yaml:7" in done.output) == (2, True), done.output
