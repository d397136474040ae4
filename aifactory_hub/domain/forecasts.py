"""What can be said beforehand of a job: when it would start, and what it would cost."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from .quota import Quota

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Demand:
    """What something takes, and for how much longer: ``likely`` and ``longest`` in seconds.

    ``likely`` None: it may end any moment. ``longest`` None: nothing ends it, as a notebook. Of something that still
    waits, both count from its start.
    """

    devices: Mapping[str, int]
    likely: float | None = None
    longest: float | None = None


@dataclass(frozen=True, slots=True)
class ExpectedStart:
    """In seconds from now. ``latest`` None: it may wait for something that has no end."""

    earliest: float
    latest: float | None


def expect_start(
    quota: Quota, running: Sequence[Demand], ahead: Sequence[Demand], devices: Mapping[str, int]
) -> ExpectedStart | None:
    """When something that asks for ``devices`` would start, behind ``ahead``; None when it can never.

    ``earliest`` takes what may be borrowed for idle and all that runs for as long as it says it will; ``latest``
    counts on the tenant's own devices only, with everything running for as long as it may. Both take it that nobody
    comes who goes before.
    """
    if any(count > quota.limit(resource) for resource, count in devices.items()):
        return None
    own = {resource: quota.nominal.get(resource, 0) for resource in devices}
    most = {resource: quota.limit(resource) for resource in devices}
    earliest = _free_at(most, [(d.devices, d.likely or 0.0) for d in running], [], devices)
    latest = _free_at(own, [(d.devices, d.longest) for d in running], [(d.devices, d.longest) for d in ahead], devices)
    return ExpectedStart(earliest or 0.0, latest)


def cost(price_per_hour: Decimal | None, seconds: float) -> Decimal | None:
    """The price of so much time, to the cent; None where the site sets no price."""
    if price_per_hour is None:
        return None
    return (price_per_hour * Decimal(str(seconds)) / 3600).quantize(_CENT, ROUND_HALF_UP)


_Held = tuple[Mapping[str, int], float | None]


def _free_at(
    room: Mapping[str, int], running: Sequence[_Held], ahead: Sequence[_Held], devices: Mapping[str, int]
) -> float | None:
    """When ``devices`` are free after all ``ahead`` had their turn, one after the other; None for never."""
    free = dict(room)
    ends: list[tuple[float, int, Mapping[str, int]]] = []
    number = 0

    def take(held: Mapping[str, int], until: float | None) -> None:
        nonlocal number
        for resource in free:
            free[resource] -= held.get(resource, 0)
        if until is not None:
            number += 1  # two mappings can't be compared
            heapq.heappush(ends, (until, number, held))

    for held, rest in running:
        take(held, rest)
    now = 0.0
    for wanted, lasts in [*ahead, (devices, None)]:
        while any(free[resource] < wanted.get(resource, 0) for resource in free):
            if not ends:
                return None
            now, _, given_back = heapq.heappop(ends)
            for resource in free:
                free[resource] += given_back.get(resource, 0)
        take(wanted, None if lasts is None else now + lasts)
    return now
