"""What guards a tenant, as it is rendered from tenants.yaml."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.registry import read_registry
from aifactory_hub.registry.manifests import HUB_NAMESPACE
from aifactory_hub.registry.output import yaml_documents
from aifactory_hub.registry.policies import allowed_devices, allowed_images, policy_objects

from ..conftest import Golden
from ..registry.files import GOOD, SOURCE, changed, problems

REGISTRY = read_registry(GOOD, SOURCE)
METADATA = IPv4Address("169.254.169.254")


def with_isolation(text: str) -> str:
    return GOOD + f"isolation: {text}\n"


def policies(text: str = GOOD) -> list[dict[str, Any]]:
    return [each for each in policy_objects(read_registry(text, SOURCE)) if each["kind"] == "NetworkPolicy"]


def blocks(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every ipBlock to which anything may go."""
    rules = [rule for each in objects for rule in each["spec"].get("egress", [])]
    return [peer["ipBlock"] for rule in rules for peer in rule["to"] if "ipBlock" in peer]


def opens(block: dict[str, Any], address: str | IPv4Address) -> bool:
    there = ip_address(str(address))
    within = [ip_network(each) for each in block.get("except", [])]
    return there in ip_network(block["cidr"]) and not any(there in each for each in within)


def test_the_policies_are_as_agreed(golden: Golden) -> None:
    golden.check("policies.yaml", yaml_documents(policy_objects(REGISTRY)))


def test_everything_is_denied_that_is_not_named() -> None:
    for tenant in REGISTRY.tenants.values():
        mine = [each for each in policies() if each["metadata"]["namespace"] == tenant.vcluster.namespace]
        deny = next(each for each in mine if each["metadata"]["name"] == "aifactory-default-deny")
        assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []}


def test_no_rule_lets_everybody_in_or_out() -> None:
    """An empty list of peers, or a peer without a selector, would mean everybody."""
    for each in policies(with_isolation("{egress: [0.0.0.0/0]}")):
        spec = each["spec"]
        for rule, side in [(r, "from") for r in spec.get("ingress", [])] + [(r, "to") for r in spec.get("egress", [])]:
            assert rule[side]
            for peer in rule[side]:
                assert peer.get("namespaceSelector") != {}
                assert set(peer) & {"podSelector", "namespaceSelector", "ipBlock"}


def test_only_the_tenant_s_own_namespace_the_hub_s_and_the_name_servers_are_ever_named() -> None:
    named = set()
    for each in policies():
        spec = each["spec"]
        for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
            for peer in [*rule.get("from", []), *rule.get("to", [])]:
                if "namespaceSelector" in peer:
                    named.add(peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])
    assert named == {HUB_NAMESPACE, "kube-system"}


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=4))
def test_the_metadata_address_is_shut_whatever_is_opened(parts: list[tuple[int, int]]) -> None:
    networks = [str(IPv4Network((address, size), strict=False)) for address, size in parts]
    refused = [each for each in networks if ip_network(each).is_private and METADATA in ip_network(each)]
    text = with_isolation(f"{{egress: {networks}, dns: {networks}, api_servers: {networks}}}".replace("'", '"'))
    if refused:
        assert any("metadata address" in line for line in problems(text))
        return
    for each in policies(text):
        if each["metadata"]["name"] == "aifactory-dns":
            continue  # port 53 only, and the site names its name servers one by one
        assert not any(opens(block, METADATA) for block in blocks([each]))


def test_the_internet_is_not_the_inside() -> None:
    (internet,) = [each for each in policies(with_isolation("{egress: [0.0.0.0/0]}")) if "egress" in name(each)][:1]
    (block,) = blocks([internet])
    assert opens(block, "192.0.2.1")
    for inside in ("10.88.0.12", "172.16.0.1", "192.168.1.1", "100.64.0.1", str(METADATA)):
        assert not opens(block, inside)


def test_a_private_network_that_is_named_is_opened() -> None:
    (storage,) = [each for each in policies(with_isolation("{egress: [10.20.0.0/16]}")) if "egress" in name(each)][:1]
    assert blocks([storage]) == [{"cidr": "10.20.0.0/16"}]


def name(policy: dict[str, Any]) -> str:
    return str(policy["metadata"]["name"])


def test_a_hub_at_an_address_is_reached_there_and_at_its_port_only() -> None:
    text = changed("http://hub.example.org:8081/hub/api", "http://10.0.0.5:8081/hub/api")
    rules = [
        rule
        for each in policies(text)
        if name(each) == "aifactory-hub"
        for rule in each["spec"]["egress"]
        if rule["to"] == [{"ipBlock": {"cidr": "10.0.0.5/32"}}]
    ]
    assert [rule["ports"] for rule in rules] == [[{"port": 8081, "protocol": "TCP"}]] * len(REGISTRY.tenants)


@pytest.mark.parametrize(
    ("isolation", "complaint"),
    [
        ("{egress: [somewhere]}", "'somewhere' is not a network; write for example 192.0.2.0/24"),
        ("{egress: [10.0.0.1/8]}", "'10.0.0.1/8' is not a network"),
        ("{egress: [169.254.0.0/16]}", "169.254.0.0/16 has 169.254.169.254/32 in it, the cloud's metadata address"),
        ("{egress: [fd00::/8]}", "fd00::/8 has fd00:ec2::/32 in it, the cloud's metadata address"),
        ("{egres: []}", "egress"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_write(isolation: str, complaint: str) -> None:
    assert any(complaint in line for line in problems(with_isolation(isolation)))


def test_what_a_tenant_may_use_follows_from_its_profiles() -> None:
    assert allowed_devices(REGISTRY, REGISTRY.tenants["vision"]) == ["nvidia.com/mig-1g.10gb"]
    assert allowed_devices(REGISTRY, REGISTRY.tenants["nlp"]) == ["nvidia.com/mig-1g.10gb", "nvidia.com/mig-3g.40gb"]
    assert allowed_images(REGISTRY) == [
        "images.example.org/notebook:1",
        "images.example.org/notebook@sha256:*",  # that of a job's notebook
        "coredns/coredns:*",
    ]


def test_no_policy_reads_its_lists_from_elsewhere() -> None:
    """The API server can stop reading a policy's parameters, and enforces an old list then."""
    objects = policy_objects(REGISTRY)
    assert "ConfigMap" not in {each["kind"] for each in objects}
    assert not [each for each in objects if "paramKind" in each["spec"] or "paramRef" in each["spec"]]


def test_one_tenant_can_be_rendered_alone() -> None:
    objects = policy_objects(REGISTRY, ["vision"])
    assert all("vision" in str(each) and "nlp" not in str(each) for each in objects)
    with pytest.raises(KeyError, match="robots"):
        policy_objects(REGISTRY, ["robots"])
