"""Addresses that people name: which of them may be reached, and which Git remotes may be cloned.

The names of hosts are judged in the form in which a connector uses them, so callers give the host of an address that
the connector's own library has normalised. Address ranges are those of IANA's special-purpose registries
(https://www.iana.org/assignments/iana-ipv4-special-registry, .../iana-ipv6-special-registry). They are written out
here, because ``ipaddress.is_global`` differs between versions of Python.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address

_NOT_PUBLIC = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared address space; Alibaba Cloud's metadata is 100.100.100.200
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's platform address
        "169.254.0.0/16",  # link-local; the metadata address of most clouds is 169.254.169.254
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; Oracle Cloud's metadata is 192.0.0.192
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
        "::/96",  # unspecified, loopback, IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64 of a site
        "100::/64",
        "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",  # unique local; metadata: AWS fd00:ec2::254, Google Cloud fd20:ce::254, Scaleway fd00:42::42
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
)
_PUBLIC_V6 = ip_network("2000::/3")
# Names that lead into this machine or this network wherever they are asked.
_INNER_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "svc", "home.arpa", "in-addr.arpa")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_DOTS = str.maketrans({"。": ".", "．": ".", "｡": "."})  # noqa: RUF001

_TRANSPORTS = ("ext", "fd", "file", "ftp", "git", "http", "https", "ssh")
_REMOTE_HOST = re.compile(r"(?:[A-Za-z0-9_][\w.+-]*@)?(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*)", re.ASCII)


class BadAddress(ValueError):
    """An address that may not be used; the text says why and what to write instead."""


def is_public(address: Address) -> bool:
    """Whether the address is one of the public internet: no private, special, translated or metadata address."""
    if isinstance(address, IPv6Address) and address not in _PUBLIC_V6:
        return False
    return not any(address in network for network in _NOT_PUBLIC if network.version == address.version)


def literal(host: str) -> Address | None:
    """The address that ``host`` spells by number, in any form that a resolver understands; None for a name.

    Full-width and other Unicode digits and dots, octal, hexadecimal and short forms, one number for all four bytes,
    brackets, a zone (``%eth0``) and a dot at the end are all understood.
    """
    text = unicodedata.normalize("NFKC", host).translate(_DOTS).strip().rstrip(".")
    text = text.removeprefix("[").removesuffix("]").partition("%")[0]
    text = "".join(str(unicodedata.decimal(char, char)) for char in text)
    try:
        return ip_address(text)
    except ValueError:
        return _ipv4_of_numbers(text)


def check_public_host(host: str) -> None:
    """Check the form of a host that must be a name of the public internet. Raises BadAddress.

    ``host`` is normalised: as the connector will look it up. Where the name leads is not known here.
    """
    if literal(host) is not None or ":" in host or _looks_like_a_number(host):
        raise BadAddress("it names a number, not a host")
    name = host.lower().removesuffix(".")
    if _NAME.fullmatch(name) is None or len(name) > 253:
        raise BadAddress("its host is not the name of a host")
    if "." not in name or any(name == inner or name.endswith(f".{inner}") for inner in _INNER_NAMES):
        raise BadAddress("it names a host of an internal network")


def check_git_remote(remote: str) -> None:
    """Check that a Git remote is an https or ssh address. Raises BadAddress.

    Everything else that git understands is refused: ``ext::`` and other helpers run commands, ``file:`` reads the local
    disk, ``http:`` and ``git:`` are not encrypted, and a host that begins with a dash is an option of ssh.
    """
    scheme, separator, _ = remote.partition("://")
    if not separator:
        host, colon, path = remote.partition(":")
        if not colon or host.lower() in _TRANSPORTS or not path or path.startswith((":", "-")):
            raise BadAddress(_WRITE_A_REMOTE)
        _check_remote_host(host)
        return
    if scheme.lower() not in ("https", "ssh"):
        raise BadAddress(f"{scheme}: is not used here; {_WRITE_A_REMOTE}")
    if any(ord(char) <= 32 or ord(char) == 127 for char in remote):
        raise BadAddress("it has spaces or control characters")
    try:
        parts = urlsplit(remote)
        _ = parts.port
    except ValueError as error:
        raise BadAddress(f"it is not an address: {error}") from error
    _check_remote_host(parts.hostname or "")
    if (parts.username or "").startswith("-"):
        raise BadAddress("its user name begins with a dash")


_WRITE_A_REMOTE = (
    "write https://<host>/<path>, ssh://<user>@<host>/<path> or <user>@<host>:<path>, or the path of a folder here"
)


def _check_remote_host(host: str) -> None:
    found = _REMOTE_HOST.fullmatch(host)
    if found is None:
        raise BadAddress(f"its host is not the name of a host; {_WRITE_A_REMOTE}")
    address = literal(found["host"])
    if address is not None and (address.is_link_local or address.is_unspecified or address.is_multicast):
        raise BadAddress("its host is an address that no Git server has")


def _ipv4_of_numbers(text: str) -> IPv4Address | None:
    """As inet_aton reads it: one to four numbers, each decimal, octal or hexadecimal; the last fills what is left."""
    parts = text.split(".")
    if not 1 <= len(parts) <= 4 or not all(_NUMBER.fullmatch(part) and len(part) <= 40 for part in parts):
        return None
    try:
        *first, last = (_number(part) for part in parts)
    except ValueError:
        return None
    if any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        return None
    return IPv4Address(sum(number << (8 * (3 - place)) for place, number in enumerate(first)) + last)


def _number(part: str) -> int:
    if part[:2] in ("0x", "0X"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if part.startswith("0") and len(part) > 1 else 10)


def _looks_like_a_number(host: str) -> bool:
    """No top-level domain is a number (RFC 3696), so such a host is an address that somebody reads otherwise."""
    return _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) is not None
