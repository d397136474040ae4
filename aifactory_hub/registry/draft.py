"""The parts of ``tenants.yaml`` that are checked against each other, as far as they can be read.

A file with mistakes is no valid :class:`TenantsFile`, and still all of its contradictions shall be named at once.
So the checks look at this loose view: what is unreadable is left out here, the schema has complained of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Slice or resource name as written -> count; None where something is written that is no count.
DraftCounts = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class DraftTenant:
    """One tenant as written. ``groups`` and ``profiles`` keep their place in the list."""

    name: str
    vcluster: tuple[str, str] | None
    groups: tuple[tuple[int, str], ...]
    profiles: tuple[tuple[int, str], ...]
    quota: DraftCounts
    borrowing: DraftCounts
    lending: DraftCounts
    per_user: DraftCounts
    weighted: bool = False


@dataclass(frozen=True, slots=True)
class DraftGpu:
    """What a GPU profile takes: ``count`` of the device called ``device``; ``replicas`` is for shared ones."""

    device: str
    count: int = 1
    replicas: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """The file as written.

    ``site_profiles`` maps each name to whether it says something of ``gpu``, so means to be no slice; ``gpus`` are
    those of them that have whole or shared GPUs.
    ``weighted`` tenants have a weight of their own, which counts where ``fair_sharing`` is on.
    ``quotas_readable`` is False when somebody's quota can't be read, so that nothing is concluded from its absence.
    """

    gpu_models: tuple[tuple[int, str], ...]
    cards: tuple[tuple[int, str], ...]
    carved: DraftCounts
    site_profiles: Mapping[str, bool]
    gpus: Mapping[str, DraftGpu]
    tenants: tuple[DraftTenant, ...]
    quotas_readable: bool
    fair_sharing: bool = False


def read_draft(data: Any) -> Draft:
    """The draft of whatever the file holds; never raises."""
    cluster = _mapping(_mapping(data).get("cluster"))
    profiles = _mapping(_mapping(data).get("profiles"))
    tenants = _mapping(_mapping(data).get("tenants"))
    return Draft(
        gpu_models=_texts(cluster.get("gpu_models")),
        cards=_texts(cluster.get("cards")),
        carved=_counts(cluster.get("carved")),
        site_profiles={str(name): "gpu" in _mapping(said) for name, said in profiles.items()},
        gpus={str(name): gpu for name, said in profiles.items() if (gpu := _gpu(_mapping(said))) is not None},
        tenants=tuple(_tenant(str(name), _mapping(said)) for name, said in tenants.items()),
        quotas_readable=all(_quota_is_readable(said) for said in tenants.values()),
        fair_sharing=cluster.get("fair_sharing") is True,
    )


def _gpu(said: Mapping[Any, Any]) -> DraftGpu | None:
    kind, model = said.get("gpu"), said.get("model")
    if kind not in ("whole", "shared"):
        return None
    device = "gpu" if kind == "whole" else "gpu.shared"
    count, replicas = said.get("count", 1), said.get("replicas")
    return DraftGpu(
        f"{model}:{device}" if isinstance(model, str) else device,
        count if kind == "whole" and _is_count(count) else 1,
        replicas if _is_count(replicas) else None,
    )


def _tenant(name: str, data: Mapping[Any, Any]) -> DraftTenant:
    vcluster = _mapping(data.get("vcluster"))
    place = (vcluster.get("namespace"), vcluster.get("name"))
    groups = data.get("groups")
    rules = enumerate(groups) if isinstance(groups, list) else ()
    named = ((index, _mapping(rule).get("group")) for index, rule in rules)
    return DraftTenant(
        name=name,
        vcluster=(place[0], place[1]) if isinstance(place[0], str) and isinstance(place[1], str) else None,
        groups=tuple((index, group) for index, group in named if isinstance(group, str)),
        profiles=_texts(data.get("profiles")),
        quota=_counts(data.get("quota")),
        borrowing=_counts(data.get("borrowing")),
        lending=_counts(data.get("lending")),
        per_user=_counts(data.get("per_user")),
        weighted=_weighted(data.get("weight", 1)),
    )


def _weighted(weight: Any) -> bool:
    return isinstance(weight, int | float) and weight > 0 and weight != 1


def _quota_is_readable(tenant: Any) -> bool:
    quota = tenant.get("quota", {}) if isinstance(tenant, dict) else None
    return isinstance(quota, dict) and all(_is_count(count) for count in quota.values())


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> tuple[tuple[int, str], ...]:
    items = enumerate(value) if isinstance(value, list) else ()
    return tuple((index, item) for index, item in items if isinstance(item, str))


def _counts(value: Any) -> dict[str, int | None]:
    return {str(name): count if _is_count(count) else None for name, count in _mapping(value).items()}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
