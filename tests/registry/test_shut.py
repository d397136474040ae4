"""Addresses where clouds give credentials away: no setting opens them, and wide networks leave them out."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from aifactory_hub.registry import read_registry
from aifactory_hub.registry.policies import policy_objects
from aifactory_hub.registry.shut import METADATA, TRANSLATED

from .files import GOOD, SOURCE, problems

ADDRESSES = [
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "64:ff9b::a9fe:a9fe",  # 169.254.169.254 behind a NAT64
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]
WIDE = ("0.0.0.0/0", "::/0", "168.0.0.0/8", "100.64.0.0/10", "192.0.0.0/8", "2000::/3", "64::/16", "128.0.0.0/1")


def blocks(text: str) -> list[dict[str, Any]]:
    policies = [each for each in policy_objects(read_registry(text, SOURCE)) if each["kind"] == "NetworkPolicy"]
    rules = [rule for each in policies for rule in each["spec"].get("egress", [])]
    return [peer["ipBlock"] for rule in rules for peer in rule["to"] if "ipBlock" in peer]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_wide_network_opens_it_in_any_key(address: str) -> None:
    there = ip_address(address)
    networks = ", ".join(f'"{each}"' for each in WIDE)
    found = blocks(f"{GOOD}isolation: {{egress: [{networks}], dns: [{networks}], api_servers: [{networks}]}}\n")
    assert found
    for block in found:
        inside = there in ip_network(block["cidr"])
        assert not inside or any(there in ip_network(each) for each in block["except"]), block


@pytest.mark.parametrize("key", ["egress", "dns", "api_servers"])
@pytest.mark.parametrize("network", [str(each) for each in {**METADATA, **TRANSLATED}.values()])
def test_itself_is_refused_by_name(key: str, network: str) -> None:
    assert any(f"{network} has " in line for line in problems(f'{GOOD}isolation: {{{key}: ["{network}"]}}\n'))


def test_an_exception_is_within_its_network_as_kubernetes_asks() -> None:
    networks = ", ".join(f'"{each}"' for each in WIDE)
    for block in blocks(f"{GOOD}isolation: {{egress: [{networks}]}}\n"):
        outer = ip_network(block["cidr"])
        exceptions = [ip_network(each) for each in block.get("except", [])]
        assert all(each.version == outer.version and each.prefixlen > outer.prefixlen for each in exceptions)
        assert all(each.network_address in outer for each in exceptions)
        # Kubernetes takes no network of IPv4-mapped addresses.
        assert ip_network("::ffff:0:0/96") not in exceptions


def test_carrier_grade_addresses_can_be_named_without_opening_alibaba_s() -> None:
    (block,) = {
        str(each) for each in blocks(f"{GOOD}isolation: {{egress: [100.64.0.0/10]}}\n") if "100.64" in str(each)
    }
    assert "100.100.100.200/32" in block


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{dns_pods: [kube-dns]}", "'kube-dns' names no pods; write for example kube-system/k8s-app=kube-dns"),
        ('{labels: ["*"]}', "'*' is no name; write for example example.org/team"),
        ('{annotations: ["a*b"]}', "'a*b' is no name"),
    ],
)
def test_a_list_with_something_else_is_refused_with_what_to_write(text: str, complaint: str) -> None:
    assert any(complaint in line for line in problems(f"{GOOD}isolation: {text}\n"))


def test_name_servers_are_pods_by_label_and_no_others_of_their_namespace() -> None:
    text = f"{GOOD}isolation: {{dns_pods: [openshift-dns/dns.operator.openshift.io/daemonset-dns=default]}}\n"
    dns = [each for each in policy_objects(read_registry(text, SOURCE)) if each["metadata"]["name"] == "aifactory-dns"]
    for policy in dns:
        (rule,) = policy["spec"]["egress"]
        assert rule["to"] == [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}},
                "podSelector": {"matchLabels": {"dns.operator.openshift.io/daemonset-dns": "default"}},
            }
        ]
        assert {each["port"] for each in rule["ports"]} == {53}


def test_a_list_that_no_policy_could_hold_is_refused_before_it_is_applied() -> None:
    images = ", ".join(f"registry.example.org/team/image-{number}:1" for number in range(2000))
    assert any(
        "isolation.images: the list has" in line for line in problems(f"{GOOD}isolation: {{images: [{images}]}}\n")
    )
