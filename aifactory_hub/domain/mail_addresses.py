"""Mail addresses that messages may go to, and mail servers. Pure."""

from __future__ import annotations

import re
from ipaddress import ip_address

# What RFC 5321 allows a path to have.
LONGEST_ADDRESS = 254
_LOCAL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_LOCAL}@{_LABEL}(?:\.{_LABEL})*")


def is_mail_address(text: object) -> bool:
    """Whether this is one plain address: no name, no list, no space, nothing that could begin another header."""
    return isinstance(text, str) and len(text) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


def domain_of(address: str) -> str:
    """The part after the last @."""
    return address.rpartition("@")[2]


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, by its name or its number."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
