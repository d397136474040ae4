"""Where the host's API servers are, as the host itself says: for a ``tenants.yaml`` that does not name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

from .model import Registry
from .shut import within

HOW_TO_SEE = "kubectl get endpointslices -n default -l kubernetes.io/service-name=kubernetes"


def networks_of(service: Mapping[str, Any] | None, slices: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The addresses of the Service and of what is behind it, each as a network of one address, sorted."""
    spec = (service or {}).get("spec") or {}
    found = [*(spec.get("clusterIPs") or [spec.get("clusterIP")])]
    ends = [end for each in slices for end in each.get("endpoints") or ()]
    found += [address for end in ends for address in end.get("addresses") or ()]
    networks = {ip_network(ip_address(address)) for address in found if address and address != "None"}
    return tuple(map(str, sorted(networks, key=lambda network: (network.version, network.network_address))))


def with_api_servers(registry: Registry, networks: Iterable[str]) -> Registry:
    """The registry with these networks where it names none."""
    if registry.isolation.api_servers:
        return registry
    return replace(registry, isolation=replace(registry.isolation, api_servers=tuple(networks)))


def uncovered(registry: Registry, addresses: Iterable[str]) -> list[str]:
    """Those of ``addresses`` (networks of one address) that are in no network of ``isolation.api_servers``."""
    named = [ip_network(each) for each in registry.isolation.api_servers]
    return [each for each in addresses if not any(within(ip_network(each), outer) for outer in named)]
