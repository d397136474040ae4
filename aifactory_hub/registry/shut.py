"""Addresses that no network of ``tenants.yaml`` opens: where clouds give a machine's credentials to whoever asks."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network

# What answers there, in each cloud.
METADATA: dict[str, Network] = {
    "the cloud's metadata address (AWS, Azure, Google, OpenStack and others)": ip_network("169.254.169.254/32"),
    "the cloud's credentials for tasks (AWS)": ip_network("169.254.170.0/24"),
    "the cloud's metadata address (AWS, IPv6)": ip_network("fd00:ec2::/32"),
    "the cloud's metadata address (Google, IPv6)": ip_network("fd20:ce::254/128"),
    "the cloud's host agent (Azure)": ip_network("168.63.129.16/32"),
    "the cloud's metadata address (Alibaba)": ip_network("100.100.100.200/32"),
    "the cloud's metadata address (Oracle)": ip_network("192.0.0.192/32"),
}
# IPv6 addresses that stand for IPv4 ones: what is shut there must not open under another name.
TRANSLATED: dict[str, Network] = {
    "IPv4 addresses behind a NAT64": ip_network("64:ff9b::/96"),
    "IPv4 addresses behind a NAT64 of the site": ip_network("64:ff9b:1::/48"),
    "IPv4 addresses in 6to4": ip_network("2002::/16"),
    "IPv4 addresses in Teredo": ip_network("2001::/32"),
    "IPv4 addresses written as IPv6": ip_network("::ffff:0:0/96"),
}
# Kubernetes takes no network of IPv4-mapped addresses in a policy. It needs none: a packet to such an address is an
# IPv4 packet, and policies judge it as that.
SHUT: tuple[Network, ...] = (
    ip_network("169.254.0.0/16"),
    ip_network("fe80::/10"),
    *METADATA.values(),
    *(each for each in TRANSLATED.values() if each != TRANSLATED["IPv4 addresses written as IPv6"]),
)


# A network in one of these that holds a shut one is refused, because it was meant for something else. Carrier-grade
# addresses are not here: sites name all of them, and Alibaba's address in them is left out.
_PRIVATE: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in ("10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")
)


def within(inner: Network, outer: Network) -> bool:
    """Whether ``inner`` is a part of ``outer``, or the same."""
    return (
        inner.version == outer.version
        and inner.prefixlen >= outer.prefixlen
        and inner.network_address in outer
    )  # fmt: skip


def shut_part(network: Network) -> tuple[str, Network] | None:
    """Why ``network`` can't be named: what is shut there, and its addresses. None for one that can.

    A network that is wide enough to hold some beside others may be named: the rendered policies leave them out.
    """
    private = any(within(network, each) for each in _PRIVATE)
    for name, shut in {**METADATA, **TRANSLATED}.items():
        if within(network, shut) or (private and within(shut, network)):
            return name, shut
    return None
