"""Somebody asks for a team: what of the cluster is promised to nobody, and what of the request fits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aifactory_profiles import Device

from .tenants import Tenant


@dataclass(frozen=True, slots=True)
class Room:
    """One kind of device, by its ``name`` in tenants.yaml: how many there are, and how many teams own.

    ``to`` is whom the rest is promised to: nobody, or no other team than the one that asks.
    """

    name: str
    carved: int
    promised: int
    asked: int
    to: str = "nobody"

    @property
    def uncommitted(self) -> int:
        """How many are promised to nobody; never less than none."""
        return max(0, self.carved - self.promised)

    @property
    def fits(self) -> int:
        """The most of what is asked for that can be owned now."""
        return min(self.asked, self.uncommitted)

    @property
    def to_borrow(self) -> int:
        """How many of the rest others own, and might lend when they leave them idle."""
        return min(self.asked - self.fits, self.carved - self.fits)

    def sentence(self) -> str:
        """What the person who asks is told."""
        free = f"{self.uncommitted} of {self.carved} {self.name} are promised to {self.to}"
        if self.fits == self.asked:
            return f"{free}; you ask for {self.asked}, which fits."
        now = f"{self.fits} now" if self.fits else "none now"
        if not self.to_borrow:
            return f"{free}; you ask for {self.asked}: you can have {now}."
        both = self.fits + self.to_borrow
        return (
            f"{free}; you ask for {self.asked}: you can have {now}, or {both} of which {self.to_borrow} are borrowed."
        )


def rooms(
    asked: Mapping[str, tuple[Device, int]],
    carved: Mapping[Device, int],
    tenants: Iterable[Tenant],
    *,
    to: str = "nobody",
) -> tuple[Room, ...]:
    """For each kind of device that is asked for: how many there are, and how many the ``tenants`` own."""
    teams = tuple(tenants)
    return tuple(
        Room(name, carved.get(device, 0), sum(team.quota.nominal.get(device, 0) for team in teams), count, to)
        for name, (device, count) in asked.items()
    )
