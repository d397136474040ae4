"""The rules of the admission policies as they are rendered; the real cluster evaluates them elsewhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.registry import read_registry
from aifactory_hub.registry.cel import LONGEST_EXPRESSION, listed, literal, literals
from aifactory_hub.registry.changes import Ref, unbound
from aifactory_hub.registry.pod_rules import PodLists, pod_rules, pod_variables
from aifactory_hub.registry.policies import SHARED_POLICIES, policy_objects, replaced_objects

from ..registry.files import GOOD, SOURCE

REGISTRY = read_registry(GOOD, SOURCE)


@given(st.text(max_size=40))
def test_a_text_of_the_file_can_not_end_its_literal(text: str) -> None:
    """Whatever an entry holds, it is one CEL string: quotes, backslashes and line breaks are escaped."""
    written = literal(text)
    assert json.loads(written) == text
    assert '"' not in written[1:-1].replace("\\\\", "").replace('\\"', "")
    assert "\n" not in written


def test_a_long_list_fits_in_an_expression_and_its_message_stays_short() -> None:
    images = [f"registry.example.org/team/image-{number}:1.0" for number in range(1000)]
    lists = PodLists("nlp", "nlp", images, ["nvidia.com/mig-1g.10gb"], ["nvidia.com/gpu"])
    longest = max([*pod_variables(lists).values(), *(each.expression for each in pod_rules(lists).values())], key=len)
    assert images[-1] in longest
    assert len(longest) < LONGEST_EXPRESSION
    assert "and 992 more" in listed(images)
    assert all(len(each.message) < 2000 for each in pod_rules(lists).values())


def test_two_teams_share_no_policy() -> None:
    named = [
        (each["kind"], each["metadata"]["name"]) for each in policy_objects(REGISTRY) if "Admission" in each["kind"]
    ]
    assert len(named) == len(set(named)) == 2 * 2 * len(REGISTRY.tenants)
    for each in policy_objects(REGISTRY):
        if each["kind"] == "ValidatingAdmissionPolicyBinding":
            assert each["spec"]["policyName"] == each["metadata"]["name"]


@pytest.mark.parametrize("name", ["nlp", "vision"])
def test_a_policy_names_its_own_team_and_no_other(name: str) -> None:
    other = {"nlp": "vision", "vision": "nlp"}[name]
    mine = [each for each in policy_objects(REGISTRY, [name]) if each["kind"].startswith("ValidatingAdmission")]
    assert literals([name])[1:-1] in str(mine)
    assert other not in str(mine)


def test_what_an_earlier_version_rendered_is_known_and_is_rendered_no_more() -> None:
    old = {(each["kind"], each["metadata"]["name"]) for each in replaced_objects(REGISTRY.tenants.values())}
    assert ("ConfigMap", "tenant-nlp") in old
    assert ("ValidatingAdmissionPolicyBinding", "aifactory-hub.io-tenant-pods-vision") in old
    now = {(each["kind"], each["metadata"]["name"]) for each in policy_objects(REGISTRY)}
    assert not old & now
    assert not {("ValidatingAdmissionPolicy", each["metadata"]["name"]) for each in SHARED_POLICIES} & now


def test_a_policy_that_another_hub_s_binding_names_is_left() -> None:
    pods, services = (Ref("ValidatingAdmissionPolicy", "", name) for name in ("pods", "services"))
    bindings = [
        {"kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": {"policyName": policy}}
        for name, policy in (("pods-ours", "pods"), ("pods-theirs", "pods"), ("services-ours", "services"))
    ]
    going = [Ref("ValidatingAdmissionPolicyBinding", "", name) for name in ("pods-ours", "services-ours")]
    assert unbound([pods, services], bindings, going) == [services]
