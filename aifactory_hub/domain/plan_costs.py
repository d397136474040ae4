"""What a plan to cut GPUs anew costs: what there is less of, and whose quota it touches: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from aifactory_profiles import Device

from .cut_plans import Plan
from .quota import Usage
from .tenants import Tenant


@dataclass(frozen=True, slots=True)
class Capacity:
    """A device of which there is more or less after a plan. ``promised`` is what all teams own of it together.

    ``carved`` and ``after`` are the counts of ``cluster.carved`` in tenants.yaml, before and after. ``teams`` own some.
    """

    device: Device
    carved: int
    after: int
    promised: int
    teams: tuple[str, ...]

    @property
    def short(self) -> int:
        """How many that teams own are not there any more, beyond those that are missing already."""
        return max(0, self.promised - self.after) - max(0, self.promised - self.carved)


@dataclass(frozen=True, slots=True)
class MoreQuota:
    """A team whose quota has to grow by ``more`` of a device before what the plan makes room for can start."""

    tenant: str
    device: Device
    more: int


def capacities(plan: Plan, carved: Mapping[Device, int], tenants: Mapping[str, Tenant]) -> tuple[Capacity, ...]:
    """What changes of each device, those that lose the most first."""
    found = []
    for device, change in sorted(plan.changes.items(), key=lambda each: (each[1], each[0])):
        owned = {name: tenant.quota.nominal.get(device, 0) for name, tenant in tenants.items()}
        there = carved.get(device, 0)
        teams = tuple(name for name, count in owned.items() if count)
        found.append(Capacity(device, there, max(0, there + change), sum(owned.values()), teams))
    return tuple(found)


def more_quota(
    plan: Plan, tenants: Mapping[str, Tenant], usage: Mapping[str, Usage | None]
) -> tuple[MoreQuota, ...] | None:
    """Which teams need more of what. None while it is not known what one of them holds.

    Kueue admits by quota and does not see slices, and what nobody owns nobody can borrow: so new slices alone start
    nothing that waits for quota.
    """
    wanted: Counter[tuple[str, Device]] = Counter()
    for each in (demand for step in plan.steps for demand in step.starts if not demand.admitted):
        wanted.update({(each.tenant, device): count for device, count in each.devices.items()})
    found = []
    for (name, device), count in sorted(wanted.items()):
        held, tenant = usage.get(name), tenants.get(name)
        if held is None or tenant is None:
            return None
        more = held.used.get(device, 0) + count - tenant.quota.nominal.get(device, 0)
        if more > 0:
            found.append(MoreQuota(name, device, min(more, count)))
    return tuple(found)
