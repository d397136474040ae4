"""What the hub and the job service may do in the APIs they use: what they need, and what would be too much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One thing that an account may do. Empty ``namespace``: in all, or of the cluster; empty ``name``: any."""

    verb: str
    resource: str  # with its subresource after a slash
    group: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {kind}" + (f" {self.name}" if self.name else "")


@dataclass(frozen=True, slots=True)
class AskedRights:
    """Answers of an API: right -> whether it is there, None when nobody could say."""

    who: str
    where: str
    needed: Mapping[Right, bool | None] = field(default_factory=dict)
    too_much: Mapping[Right, bool | None] = field(default_factory=dict)

    @property
    def missing(self) -> list[Right]:
        return sorted(right for right, there in self.needed.items() if there is False)

    @property
    def excess(self) -> list[Right]:
        return sorted(right for right, there in self.too_much.items() if there)

    @property
    def unknown(self) -> bool:
        return not self.needed or None in {*self.needed.values(), *self.too_much.values()}


def rights_of(rules: Iterable[Mapping[str, Any]], namespace: str = "") -> list[Right]:
    """The rights that the rules of a Role (in its namespace) or ClusterRole give."""
    return [
        Right(verb, resource, group, namespace, name)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    ]


# Of the hub's account on the host. With any of these a stolen hub would be more than a hub.
OF_THE_CLUSTER = (
    Right("list", "secrets"),
    Right("create", "pods"),
    Right("get", "nodes/proxy"),
    Right("create", "clusterrolebindings", "rbac.authorization.k8s.io"),
    Right("escalate", "clusterroles", "rbac.authorization.k8s.io"),
    Right("impersonate", "users"),
    Right("delete", "namespaces"),
)


def too_much_on_the_host(namespace: str) -> Sequence[Right]:
    """In a tenant's namespace on the host, where only its vCluster makes pods."""
    return (
        Right("list", "secrets", "", namespace),
        Right("create", "pods", "", namespace),
        Right("create", "pods/exec", "", namespace),
        Right("create", "serviceaccounts/token", "", namespace),
        Right("patch", "statefulsets", "apps", namespace),
        Right("create", "rolebindings", "rbac.authorization.k8s.io", namespace),
    )


def too_much_in_a_vcluster(own: str, other: str) -> Sequence[Right]:
    """Of the account for the namespace ``own``; the other account's namespace is ``other``."""
    return (
        Right("create", "pods/exec", "", own),
        Right("list", "secrets", "", own),
        Right("list", "pods", "", other),
        Right("get", "secrets", "", other),
        Right("list", "secrets"),
        Right("list", "nodes"),
        Right("create", "clusterrolebindings", "rbac.authorization.k8s.io"),
    )
