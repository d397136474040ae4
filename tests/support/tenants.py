"""Builders of tenants and catalogues for tests: only what a case is about has to be said."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from aifactory_hub.domain.quota import Quota
from aifactory_hub.domain.tenants import GroupRule, Role, Tenant, VCluster
from aifactory_profiles import Catalogue, Device, SiteProfile, load_catalogue

SMALL = Device("h100-80gb", "nvidia.com/mig-1g.10gb")
LARGE = Device("h100-80gb", "nvidia.com/mig-3g.40gb")
PROFILES = ("cpu-small", "mig-1g.10gb", "mig-3g.40gb")


def make_catalogue() -> Catalogue:
    """An H100's slices, the smallest with a price, and one profile without a GPU."""
    return load_catalogue(
        ["h100-80gb"],
        [
            SiteProfile("cpu-small", cpu_only=True, cpu_millicores=250, memory_bytes=2**30),
            SiteProfile(
                "mig-1g.10gb", cpu_millicores=500, memory_bytes=2**31, price_per_hour=Decimal("0.40"), currency="EUR"
            ),
        ],
    )


def make_tenant(
    name: str,
    *,
    quota: Mapping[Device, int] | None = None,
    borrowing: Mapping[Device, int] | None = None,
    profiles: tuple[str, ...] = PROFILES,
    groups: Mapping[str, Role] | None = None,
) -> Tenant:
    """A tenant whose vCluster is called like it; one small and one large slice unless said otherwise."""
    rules = groups if groups is not None else {f"teams/{name}": Role.MEMBER}
    return Tenant(
        name=name,
        display_name=name.title(),
        vcluster=VCluster(f"vc-{name}", name),
        rules=tuple(GroupRule(group, role) for group, role in rules.items()),
        profiles=profiles,
        quota=Quota(dict(quota if quota is not None else {SMALL: 1, LARGE: 1}), dict(borrowing or {})),
    )
