"""Kubernetes-safe names. Different texts have different names, except for a collision that somebody works for.

Names that Kubernetes does not take carry a digest of 48 bits: longer ones would not fit beside what kubespawner and
vCluster add, and would give the volumes that exist another name. No two names collide by accident. A second name for
somebody's digest can be computed in hours by whoever may choose their own user name, so a start compares whole names:
``shares_name`` with the hub's other people, and the owner that a volume's claim names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

# kubespawner adds suffixes, and vCluster's host name is <name>-x-<ns>-x-<vcluster>: stay well under 63.
_LONGEST = 40
# In hexadecimal digits: see above.
_DIGEST = 12
_PLAIN = re.compile(r"[a-z]([a-z0-9]|-(?=[a-z0-9]))*")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_UNSAFE = re.compile(r"[^a-z0-9]+")


def slug(text: str) -> str:
    """A DNS label for any text. Short plain names pass unchanged; all others carry a digest.

    Names with ``--`` or with ``-x-`` never pass unchanged: ``--`` marks our own joins, ``---`` our digests
    (were both the same, user ``a`` could name a server like another user's digest), and vCluster joins the
    parts of a host name with ``-x-``.
    """
    if _passes(text):
        return text
    return f"{_stem(text)}---{_digest('slug', text)}"


def join(*parts: str) -> str:
    """One DNS label for several texts; different lists of texts give different labels."""
    joined = "--".join(slug(part) for part in parts)
    if parts and len(joined) <= _LONGEST and all(_passes(part) for part in parts):
        return joined
    return f"{_stem('-'.join(parts))}---{_digest('join', *parts)}"


def label_value(text: str) -> str:
    """The text as the value of a Kubernetes label: unchanged where that is allowed, else its slug."""
    return text if _LABEL_VALUE.fullmatch(text) else slug(text)


def server_id(user: str, server: str) -> str:
    """The id of a user's server: the base of its pod's, ticket's and volume's names."""
    return join(user, server) if server else slug(user)


def home_id(user: str, generation: int) -> str:
    """The id of a user's home volumes. An account that was handed over without them has others: ``generation``."""
    return join(user, f"home{generation}") if generation else slug(user)


def shares_name(user: str, others: Iterable[str]) -> str | None:
    """Who of the ``others`` has the same slug as ``user``, so that their objects would have the same names; or None.

    Only names with a digest can be shared.
    """
    own = slug(user)
    if own == user:
        return None
    return next((other for other in others if other != user and slug(other) == own), None)


def server_pod(user: str, server: str) -> str:
    """The name of the pod of a user's server, in whichever tenant it starts."""
    return f"nb-{server_id(user, server)}"


def _stem(text: str) -> str:
    words = [word for word in _UNSAFE.split(text.lower()) if word not in ("", "x")]
    stem = "-".join(words)
    # Service names and label values differ in what they may begin with; a letter suits them all.
    lettered = stem if stem[:1].isalpha() else f"n-{stem}"
    return lettered[: _LONGEST - _DIGEST - 3].removesuffix("-x").strip("-")


def _digest(kind: str, *parts: str) -> str:
    # Length-prefixed, so that ("ab", "c") and ("a", "bc") differ whatever bytes the parts hold.
    text = kind + "".join(f"\x00{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]


def _passes(text: str) -> bool:
    short = len(text) <= _LONGEST - _DIGEST - 3
    return short and _PLAIN.fullmatch(text) is not None and "-x-" not in f"-{text}-"
