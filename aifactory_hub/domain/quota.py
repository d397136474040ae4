"""May this be had now? The quota rule, over plain numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aifactory_profiles import Device, Profile

from ..constants import KIND_SERVER
from .refusals import Refusal, RefusalReason


@dataclass(frozen=True, slots=True)
class Quota:
    """A tenant's own devices (``nominal``) and how many more it may borrow from idle ones (``borrowing``).

    ``lending`` is how many of its own others may borrow, all of them where it says nothing. ``per_user`` is how many
    one person may have or wait for in the tenant, as many as they like where it says nothing. What is borrowed can be
    taken back, so a notebook does not borrow unless ``notebooks_borrow``: what it has then is the tenant's own.
    """

    nominal: Mapping[Device, int] = field(default_factory=dict)
    borrowing: Mapping[Device, int] = field(default_factory=dict)
    lending: Mapping[Device, int] = field(default_factory=dict)
    per_user: Mapping[Device, int] = field(default_factory=dict)
    notebooks_borrow: bool = False

    @property
    def devices(self) -> tuple[Device, ...]:
        """All that the tenant has or may borrow, in order."""
        return tuple(sorted({*self.nominal, *self.borrowing}))

    def limit(self, device: Device) -> int:
        """The most of ``device`` that the tenant can ever hold; 0 for one that it has no quota for."""
        return self.nominal.get(device, 0) + self.borrowing.get(device, 0)

    def notebook_limit(self, device: Device) -> int:
        """The most of ``device`` that the tenant's notebooks can ever hold together."""
        return self.limit(device) if self.notebooks_borrow else self.nominal.get(device, 0)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds how many devices: shown to team mates, so that they know whom to ask.

    ``since`` is when it was admitted and ``ends_by`` when it ends at the latest, in seconds since 1970; None when
    that is not known, or when nothing ends it.
    """

    kind: str
    owner: str
    user: str
    devices: Mapping[Device, int]
    profile: str = ""
    since: float | None = None
    ends_by: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tenant holds now, from the host's tickets."""

    used: Mapping[Device, int] = field(default_factory=dict)
    holders: tuple[Holder, ...] = ()

    def by(self, kind: str, device: Device) -> int:
        """How many of ``device`` servers hold, or jobs."""
        return sum([holder.devices.get(device, 0) for holder in self.holders if holder.kind == kind])

    def of(self, user: str) -> dict[Device, int]:
        """What one person holds."""
        held: Counter[Device] = Counter()
        for holder in self.holders:
            if holder.user == user:
                held.update(holder.devices)
        return dict(held)


@dataclass(frozen=True, slots=True)
class UserLimit:
    """One person would have more than the tenant lets one person have: ``used`` and ``asked`` go over ``limit``."""

    device: Device
    asked: int
    used: int
    limit: int

    def text(self, user: str, tenant: str) -> str:
        """For people, with the numbers."""
        return (
            f"One person may have {self.limit} of {self.device} in team {tenant}. "
            f"{user} has or waits for {self.used}, and this asks {self.asked} more."
        )


@dataclass(frozen=True, slots=True)
class Fits:
    """The quota has room now."""


def over_user_limit(quota: Quota, has: Mapping[Device, int], asks: Mapping[Device, int]) -> UserLimit | None:
    """The first device of which somebody who ``has`` so many may not have what is asked besides; None: they may."""
    for device, asked in asks.items():
        limit, used = quota.per_user.get(device), has.get(device, 0)
        if limit is not None and used + asked > limit:
            return UserLimit(device, asked, used, limit)
    return None


def check_user(tenant: str, quota: Quota, usage: Usage, profile: Profile, user: str) -> Fits | Refusal:
    """Whether ``user`` may have this profile beside what they hold in the tenant already."""
    over = over_user_limit(quota, usage.of(user), profile.takes)
    if over is None:
        return Fits()
    return Refusal(
        reason=RefusalReason.USER_LIMIT,
        message=f"Profile {profile.name}: {over.text(user, tenant)} Stop one of them first.",
        field="profile",
        resource=over.device.resource,
        flavor=over.device.flavor,
        asked=over.asked,
        used=over.used,
        limit=over.limit,
    )


def check_quota(
    quota: Quota, usage: Usage, profile: Profile, menu: Sequence[Profile] = (), *, notebook: bool = False
) -> Fits | Refusal:
    """Whether ``profile`` fits into what the tenant has left; a refusal carries the numbers and what fits instead.

    ``menu`` is what the person may choose from; those that fit are named in the refusal. A ``notebook`` is held to
    what the tenant's notebooks may have, too.
    """
    for device, asked in profile.takes.items():
        for used, limit in _bounds(quota, usage, device, notebook=notebook):
            if used + asked > limit:
                fits_now = tuple(p.name for p in menu if room_for(quota, usage, p, notebook=notebook) != 0)
                return _refuse(profile, device, asked=asked, used=used, limit=limit, fits_now=fits_now)
    return Fits()


def room_for(quota: Quota, usage: Usage, profile: Profile, *, notebook: bool = False) -> int | None:
    """How many more of ``profile`` the quota has room for; None when it takes no device, so has no limit here."""
    rooms = [
        max(0, limit - used) // count
        for device, count in profile.takes.items()
        for used, limit in _bounds(quota, usage, device, notebook=notebook)
    ]
    return min(rooms, default=None)


def _bounds(quota: Quota, usage: Usage, device: Device, *, notebook: bool) -> list[tuple[int, int]]:
    """What is used of each limit that counts."""
    bounds = [(usage.used.get(device, 0), quota.limit(device))]
    if notebook and not quota.notebooks_borrow:
        bounds.append((usage.by(KIND_SERVER, device), quota.notebook_limit(device)))
    return bounds


def quota_left(quota: Quota, usage: Usage) -> dict[Device, int]:
    """How many of each device the tenant may take beyond what it holds; 0 when it holds more than it may."""
    return {d: max(0, quota.limit(d) - usage.used.get(d, 0)) for d in quota.devices}


def _refuse(
    profile: Profile, device: Device, *, asked: int, used: int, limit: int, fits_now: tuple[str, ...]
) -> Refusal:
    never = asked > limit
    instead = f"Fits now: {', '.join(fits_now)}." if fits_now else "Nothing else on your menu fits now."
    why = "more than your team can ever hold" if never else "your team has no room for it now"
    return Refusal(
        reason=RefusalReason.NEVER_FITS if never else RefusalReason.QUOTA_EXCEEDED,
        message=(f"Profile {profile.name}: {why}. Asked {asked}, used {used}, limit {limit} of {device}. {instead}"),
        field="profile",
        resource=device.resource,
        flavor=device.flavor,
        asked=asked,
        used=used,
        limit=limit,
        fits_now=fits_now,
    )
