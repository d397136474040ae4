"""The tenant, the ticket and the vCluster of a server: fixed when it starts, never derived again from groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from aifactory_hub.domain.tenants import VCluster


@dataclass(frozen=True, slots=True)
class Binding:
    """``namespace_uid`` is that of the vCluster's namespace on the host: a tenant made anew under the same name is
    another tenant. None when the hub may not read it. ``started``: the pod has run. ``port``: where its container
    listens; None of a server that an earlier version started. ``environment`` is ``name@version``, empty where the site
    has none."""

    tenant: str
    profile: str
    ticket: str
    vcluster_namespace: str
    vcluster_name: str
    namespace_uid: str | None = None
    started: bool = False
    port: int | None = None
    environment: str = ""

    @property
    def vcluster(self) -> VCluster:
        return VCluster(self.vcluster_namespace, self.vcluster_name)

    def as_started(self) -> Binding:
        return replace(self, started=True)

    def to_state(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any] | None) -> Binding | None:
        """What ``to_state`` gave, also one of a newer version that knew more; None when there is none."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in state.items() if name in known}) if state else None
