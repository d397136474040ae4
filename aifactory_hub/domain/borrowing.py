"""What a tenant could have right now, its own and others' idle devices: pure, by Kueue's rules for a flat cohort.

A tenant's nominal devices are its own. What its lending limit holds back from the cohort is guaranteed to it; the rest,
while idle, others may borrow up to their borrowing limits. Borrowed devices come back when their owner asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from aifactory_profiles import Device

from .quota import Quota


class Reclaim(StrEnum):
    """Which of its own devices that others borrowed a tenant takes back by ending what runs on them.

    ANY: whatever borrowed them. LOWER_PRIORITY: only what is less urgent, so that a notebook is never ended for it.
    NEVER: it waits until they are given back.
    """

    ANY = "any"
    LOWER_PRIORITY = "lower-priority"
    NEVER = "never"


Held = Mapping[str, Mapping[Device, int]]


@dataclass(frozen=True, slots=True)
class Free:
    """Devices of one kind that a tenant could have now.

    ``own`` are idle ones of its own, ``borrowable`` idle ones of others within both sides' limits. ``lent`` are its own
    that others hold now: they come back when it asks, but not at once.
    """

    own: int
    borrowable: int
    lent: int = 0

    @property
    def now(self) -> int:
        """How many can be had at once."""
        return self.own + self.borrowable


def guaranteed(quota: Quota, device: Device) -> int:
    """How many of its own the tenant keeps for itself, even while they are idle."""
    nominal = quota.nominal.get(device, 0)
    return nominal - min(nominal, quota.lending.get(device, nominal))


def available(tenant: str, device: Device, quotas: Mapping[str, Quota], held: Held) -> int:
    """How many more of ``device`` Kueue would admit for ``tenant`` now. Below 0 when more is held than there is.

    ``held`` is what each tenant holds, all queues of the cohort included.
    """
    quota = quotas[tenant]
    kept, used = guaranteed(quota, device), _held(held, tenant, device)
    from_others = min(
        _in_cohort(device, quotas, held),
        quota.nominal.get(device, 0) - kept - max(0, used - kept) + quota.borrowing.get(device, 0),
    )
    return max(0, kept - used) + from_others


def free_now(tenant: str, device: Device, quotas: Mapping[str, Quota], held: Held) -> Free:
    """What the tenant could have of ``device`` now, and what of its own is lent out."""
    left = max(0, quotas[tenant].nominal.get(device, 0) - _held(held, tenant, device))
    can = max(0, available(tenant, device, quotas, held))
    own = min(left, can)
    return Free(own=own, borrowable=can - own, lent=left - own)


def free_for(tenant: str, devices: Iterable[Device], quotas: Mapping[str, Quota], held: Held) -> dict[Device, Free]:
    """:func:`free_now` of several devices."""
    return {device: free_now(tenant, device, quotas, held) for device in devices}


def _in_cohort(device: Device, quotas: Mapping[str, Quota], held: Held) -> int:
    """What the tenants have put together and nobody of them holds."""
    total = 0
    for name, quota in quotas.items():
        kept = guaranteed(quota, device)
        total += quota.nominal.get(device, 0) - kept - max(0, _held(held, name, device) - kept)
    return total


def _held(held: Held, tenant: str, device: Device) -> int:
    return held.get(tenant, {}).get(device, 0)
