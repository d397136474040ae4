"""Who may speak with a tenant's pods, and with whom they may speak: NetworkPolicies of its namespace on the host.

Nothing is allowed that is not named here. Policies add up and a tenant can't make any on the host (its vCluster does
not sync them), so nothing that a tenant does widens these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from ..domain.tenants import Tenant
from .manifests import HUB_NAMESPACE, Manifest
from .model import Registry
from .shut import SHUT, Network, within

HUB_PORT = 8081
NOTEBOOK_PORT = 8888
# The port of a vCluster's API server in its pod; its Service has 443.
TENANT_API_PORT = 8443
# Of the proxy's pods, behind its Service: the proxy's own, and those of its TLS end.
_PROXY_PORTS = (8000, 8080, 8443)
_HOST_API_PORTS = (443, 6443)

# Private, carrier-grade and link-local addresses: other tenants and the host. A wider network never opens these; one
# that names a part of a private network on purpose does. What is SHUT, no network opens.
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
# Everything of TCP but the port of notebooks, and all of UDP.
_NOT_NOTEBOOKS: tuple[Manifest, ...] = (
    {"port": 1, "endPort": NOTEBOOK_PORT - 1, "protocol": "TCP"},
    {"port": NOTEBOOK_PORT + 1, "endPort": 65535, "protocol": "TCP"},
    {"port": 1, "endPort": 65535, "protocol": "UDP"},
)


def network_policies(registry: Registry, tenant: Tenant) -> list[Manifest]:
    """All NetworkPolicies of the tenant's namespace on the host."""
    pods = {"matchLabels": {"vcluster.loft.sh/managed-by": tenant.vcluster.name}}
    control_plane = {"matchLabels": {"app": "vcluster", "release": tenant.vcluster.name}}
    isolation = registry.isolation
    policies = [
        _policy(tenant, "default-deny", {}, ingress=[], egress=[]),
        # A notebook is its owner's: who reaches its port is asked for no password, the hub's proxy has asked already.
        _policy(
            tenant,
            "same-tenant",
            {},
            ingress=[{"from": [_PEERS], "ports": list(_NOT_NOTEBOOKS)}],
            egress=[{"to": [_PEERS]}],
        ),
        _policy(tenant, "dns", {}, egress=[_dns(isolation.dns_pods, isolation.dns)]),
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
            egress=_to_api_servers(isolation.api_servers),
        ),
    ]
    if isolation.egress:
        outside = [_block(network, (*_INSIDE, *SHUT)) for network in isolation.egress]
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


def _dns(pods: Sequence[str], servers: Sequence[str]) -> Manifest:
    peers = [*(_name_servers(each) for each in pods), *(_block(server, SHUT) for server in servers)]
    return {"to": peers, "ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]}


def _name_servers(place: str) -> Manifest:
    """The pods of ``namespace/label=value``."""
    namespace, _, selector = place.partition("/")
    label, _, value = selector.partition("=")
    return _in_namespace(namespace, {"matchLabels": {label: value}})


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


def _to_api_servers(networks: Sequence[str]) -> list[Manifest]:
    """The host's API servers. An empty list of peers would mean everybody, so without networks there is no rule."""
    peers = [_block(network, SHUT) for network in networks]
    return [{"to": peers, "ports": _ports(*_HOST_API_PORTS)}] if peers else []


def _block(network: str, without: Iterable[Network] = ()) -> Manifest:
    outer = ip_network(network)
    inner = _widest(each for each in without if each != outer and within(each, outer))
    return {"ipBlock": {"cidr": network, **({"except": [str(each) for each in inner]} if inner else {})}}


def _widest(networks: Iterable[Network]) -> list[Network]:
    """Without those that are in another of them."""
    networks = list(dict.fromkeys(networks))
    return [each for each in networks if not any(each != other and within(each, other) for other in networks)]
