"""Who may speak with a tenant's pods, and with whom they may speak: NetworkPolicies of its namespace on the host.

Nothing is allowed that is not named here. Policies add up and a tenant can't make any on the host (its vCluster does
not sync them), so nothing that a tenant does widens these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from ..domain.tenants import Tenant
from .manifests import HUB_NAMESPACE, Manifest
from .model import Registry

HUB_PORT = 8081
NOTEBOOK_PORT = 8888
# The port of a vCluster's API server in its pod; its Service has 443.
TENANT_API_PORT = 8443
# Of the proxy's pods, behind its Service: the proxy's own, and those of its TLS end.
_PROXY_PORTS = (8000, 8080, 8443)
_HOST_API_PORTS = (443, 6443)

Network = IPv4Network | IPv6Network

# Private, carrier-grade and link-local addresses: other tenants, the host, and 169.254.169.254, where clouds give
# credentials away. A wider network never opens these; one that names a part of a private network on purpose does.
_INSIDE: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)
_EVERYWHERE = ("0.0.0.0/0", "::/0")
_LINK_LOCAL: tuple[Network, ...] = (ip_network("169.254.0.0/16"), ip_network("fe80::/10"))


def network_policies(registry: Registry, tenant: Tenant) -> list[Manifest]:
    """All NetworkPolicies of the tenant's namespace on the host."""
    pods = {"matchLabels": {"vcluster.loft.sh/managed-by": tenant.vcluster.name}}
    control_plane = {"matchLabels": {"app": "vcluster", "release": tenant.vcluster.name}}
    isolation = registry.isolation
    policies = [
        _policy(tenant, "default-deny", {}, ingress=[], egress=[]),
        _policy(tenant, "same-tenant", {}, ingress=[{"from": [_PEERS]}], egress=[{"to": [_PEERS]}]),
        _policy(tenant, "dns", {}, egress=[_dns(isolation.dns)]),
        _policy(
            tenant,
            "hub",
            pods,
            ingress=[{"from": [_hub_pods("hub", "proxy")], "ports": _ports(NOTEBOOK_PORT)}],
            egress=_to_hub(registry),
        ),
        _policy(
            tenant,
            "control-plane",
            control_plane,
            ingress=[{"from": [_hub_pods("hub"), _job_service()], "ports": _ports(TENANT_API_PORT)}],
            egress=[{"to": _api_servers(isolation.api_servers), "ports": _ports(*_HOST_API_PORTS)}],
        ),
    ]
    if isolation.egress:
        outside = [_block(network, _INSIDE) for network in isolation.egress]
        policies.append(_policy(tenant, "egress", pods, egress=[{"to": outside}]))
    return policies


_PEERS: Manifest = {"podSelector": {}}


def _policy(
    tenant: Tenant,
    name: str,
    pods: Manifest,
    *,
    ingress: list[Manifest] | None = None,
    egress: list[Manifest] | None = None,
) -> Manifest:
    directions = {"Ingress": ingress, "Egress": egress}
    spec: Manifest = {
        "podSelector": pods,
        "policyTypes": [kind for kind, rules in directions.items() if rules is not None],
    }
    spec |= {kind.lower(): rules for kind, rules in directions.items() if rules is not None}
    metadata = {"name": f"aifactory-{name}", "namespace": tenant.vcluster.namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _ports(*numbers: int) -> list[Manifest]:
    return [{"port": number, "protocol": "TCP"} for number in numbers]


def _in_namespace(namespace: str, pods: Manifest | None = None) -> Manifest:
    peer: Manifest = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    return peer if pods is None else {**peer, "podSelector": pods}


def _hub_pods(*components: str) -> Manifest:
    expression = {"key": "component", "operator": "In", "values": list(components)}
    return _in_namespace(HUB_NAMESPACE, {"matchExpressions": [expression]})


def _job_service() -> Manifest:
    return _in_namespace(HUB_NAMESPACE, {"matchLabels": {"app.kubernetes.io/name": "aifactory-jobs"}})


def _dns(servers: Sequence[str]) -> Manifest:
    peers = [_in_namespace("kube-system"), *(_block(server) for server in servers)]
    return {"to": peers, "ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]}


def _to_hub(registry: Registry) -> list[Manifest]:
    """The hub's API and the job service: as pods of the hub's namespace, or at the addresses that tenants.yaml names.

    A name outside the cluster can't be told here; it has to be within ``isolation.egress``.
    """
    rules: list[Manifest] = [
        {"to": [_hub_pods("hub")], "ports": _ports(HUB_PORT)},
        {"to": [_hub_pods("proxy", "autohttps")], "ports": _ports(*_PROXY_PORTS)},
    ]
    for address in dict.fromkeys((registry.addresses.hub_api, registry.addresses.service)):
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if (network := _as_network(parts.hostname or "")) is not None:
            rules.append({"to": [_block(network)], "ports": _ports(port)})
    return rules


def _as_network(host: str) -> str | None:
    try:
        return str(ip_network(ip_address(host)))
    except ValueError:
        return None


def _api_servers(networks: Sequence[str]) -> list[Manifest]:
    """The host's API servers; anywhere but the metadata address when the site does not say."""
    return [_block(network, _LINK_LOCAL) for network in networks or _EVERYWHERE]


def _block(network: str, without: Iterable[Network] = ()) -> Manifest:
    outer = ip_network(network)
    inner = [str(each) for each in without if each.version == outer.version and _within(each, outer)]
    return {"ipBlock": {"cidr": network, **({"except": inner} if inner else {})}}


def _within(inner: Network, outer: Network) -> bool:
    """Whether ``inner`` is a part of ``outer`` and smaller; both have the same version."""
    same = inner.network_address in outer and inner.broadcast_address in outer
    return same and inner.prefixlen > outer.prefixlen
