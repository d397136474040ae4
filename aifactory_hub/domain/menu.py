"""What a team's menu says of each profile: pure, from what was gathered. Every page, API and command says the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from aifactory_profiles import Catalogue, Device, Profile

from .quota import Holder, Usage
from .spawns import menu
from .tenants import Tenant
from .tickets import Ticket
from .waits import UNKNOWN, Running, Wait, Waiting, expected_wait
from .words import duration

UNKNOWN_USAGE = "the cluster does not say now what is in use"
# A server is more urgent than a job: it is served first, and a job of its own team gives way to it.
_SERVER = "server"
_NOUNS = {_SERVER: "notebook", "job": "job"}
# More names than these are not read.
_MOST_NAMES = 3


class Availability(StrEnum):
    """Slugs for programs.

    FREE starts at once, QUEUE waits first, NEVER is more than the team can hold. UNAVAILABLE: the team can't start
    anything now. UNKNOWN: what is in use can't be said now, so nothing is started.
    """

    FREE = "free"
    QUEUE = "queue"
    NEVER = "never"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What was gathered of one tenant at ``now`` (seconds since 1970). None always means: not known.

    ``unavailable`` is why nothing can be started, ``queue`` who waits in the order of service, ``borrowable`` how many
    more devices of other tenants may be had now, ``cluster_used`` what all tenants together hold, ``carved`` what
    the administrator has cut the GPUs into. ``lengths`` are the seconds that ended runs took, by kind and profile.
    """

    now: float
    usage: Usage | None
    unavailable: str | None = None
    queue: tuple[Ticket, ...] | None = None
    borrowable: Mapping[Device, int] | None = None
    cluster_used: Mapping[Device, int] | None = None
    carved: Mapping[Device, int] = field(default_factory=dict)
    lengths: Mapping[tuple[str, str], Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Share:
    """``free`` of ``total``. None: not known."""

    free: int | None
    total: int


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds ``count`` devices; ``ends_by`` (seconds since 1970) is when it ends at the latest, if it must."""

    kind: str
    user: str
    count: int
    ends_by: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with devices of one kind, for all profiles that take the same of them.

    ``team`` is what is left of the team's own devices, ``borrowable`` what others leave idle, ``cluster`` what is free
    in the whole cluster, each in pieces of this profile; ``team`` is None for a profile without devices. ``waiting``
    is how many requests are served before a new one. ``reason`` and ``advice`` say why not now, and what to do.
    """

    availability: Availability
    team: Share | None = None
    borrowable: int | None = None
    cluster: Share | None = None
    waiting: int | None = None
    wait: Wait = UNKNOWN
    held: tuple[Held, ...] = ()
    reason: str = ""
    advice: tuple[str, ...] = ()

    @property
    def free_now(self) -> int | None:
        """How many could start at once; None without a limit, or when it is not known."""
        return None if self.team is None or self.team.free is None else self.team.free + (self.borrowable or 0)


@dataclass(frozen=True, slots=True)
class Offer:
    """One line of the menu."""

    profile: Profile
    standing: Standing


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ticket waits: the ``position``-th of ``total``, after the tickets ``ahead``, for about ``wait``."""

    position: int
    total: int
    ahead: tuple[Ticket, ...]
    wait: Wait


def place_in_queue(tenant: Tenant, profile: Profile, outlook: Outlook, ticket: str) -> Place | None:
    """Where the server's ticket of that name waits; None when it does not, or when that is not known."""
    queue = outlook.queue
    if queue is None or outlook.usage is None:
        return None
    rivals = _ahead(profile, queue)
    at = next((index for index, rival in enumerate(rivals) if rival.name == ticket), None)
    if at is None:
        return None
    ahead = tuple(rivals[:at])
    return Place(at + 1, len(rivals), ahead, _wait(tenant, profile, outlook, outlook.usage, ahead))


def offers(tenant: Tenant, catalogue: Catalogue, outlook: Outlook) -> tuple[Offer, ...]:
    """The tenant's menu, in its order."""
    kinds: dict[tuple[object, ...], Standing] = {}
    of_profile = []
    for profile in menu(tenant, catalogue):
        kind = (profile.flavor, profile.slice, *profile.devices.items())
        if kind not in kinds:
            kinds[kind] = _standing(tenant, profile, outlook)
        of_profile.append((profile, kind))
    free = [profile for profile, kind in of_profile if kinds[kind].availability is Availability.FREE]
    advised = {kind: _with_advice(standing, outlook, free) for kind, standing in kinds.items()}
    return tuple(Offer(profile, advised[kind]) for profile, kind in of_profile)


def _standing(tenant: Tenant, profile: Profile, outlook: Outlook) -> Standing:
    usage = outlook.usage
    if outlook.unavailable is not None:
        return Standing(Availability.UNAVAILABLE, reason=outlook.unavailable)
    if usage is None:
        return Standing(Availability.UNKNOWN, reason=UNKNOWN_USAGE)
    if not profile.devices:
        return Standing(Availability.FREE)
    told = Standing(
        Availability.FREE,
        team=Share(_pieces(profile, _left(tenant.quota.nominal, usage.used)), _pieces(profile, tenant.quota.nominal)),
        borrowable=_borrowable(tenant, profile, usage, outlook),
        cluster=_cluster(profile, outlook),
    )
    if any(count > tenant.quota.limit(device) for device, count in profile.takes.items()):
        return replace(told, availability=Availability.NEVER, reason=_never(tenant, profile))
    if told.free_now:
        return replace(told, waiting=0, wait=Wait(0.0, 0.0, 0.0))
    ahead = None if outlook.queue is None else _ahead(profile, outlook.queue)
    return replace(
        told,
        availability=Availability.QUEUE,
        waiting=None if ahead is None else len(ahead),
        wait=UNKNOWN if ahead is None else _wait(tenant, profile, outlook, usage, ahead),
        held=_held(profile, usage),
        reason=_full(tenant, profile, usage),
    )


def _pieces(profile: Profile, devices: Mapping[Device, int]) -> int:
    """How many of the profile these devices make."""
    return min(max(0, devices.get(device, 0)) // count for device, count in profile.takes.items())


def _left(have: Mapping[Device, int], used: Mapping[Device, int]) -> dict[Device, int]:
    return {device: count - used.get(device, 0) for device, count in have.items()}


def _borrowable(tenant: Tenant, profile: Profile, usage: Usage, outlook: Outlook) -> int | None:
    """How many more of the profile would have to be borrowed, and can be now; None when that is not known."""
    if outlook.borrowable is None:
        return None if any(tenant.quota.borrowing.get(device) for device in profile.takes) else 0
    own = _left(tenant.quota.nominal, usage.used)
    both = {r: max(0, own.get(r, 0)) + outlook.borrowable.get(r, 0) for r in profile.takes}
    return _pieces(profile, both) - _pieces(profile, own)


def _cluster(profile: Profile, outlook: Outlook) -> Share | None:
    if not profile.takes.keys() <= outlook.carved.keys():
        return None
    total = _pieces(profile, outlook.carved)
    if outlook.cluster_used is None:
        return Share(None, total)
    return Share(_pieces(profile, _left(outlook.carved, outlook.cluster_used)), total)


def _ahead(profile: Profile, queue: Sequence[Ticket]) -> list[Ticket]:
    """Who is served before a new server: other servers that wait for the same devices."""
    return [t for t in queue if t.kind == _SERVER and any(t.devices.get(device) for device in profile.takes)]


def _wait(tenant: Tenant, profile: Profile, outlook: Outlook, usage: Usage, ahead: Sequence[Ticket]) -> Wait:
    """The longest of the waits for each device, each as if the team's own future alone decided it."""
    waits = []
    for device, asked in profile.takes.items():
        free = max(0, tenant.quota.nominal.get(device, 0) - usage.used.get(device, 0))
        free += (outlook.borrowable or {}).get(device, 0)
        runs = [_running(h, device, outlook) for h in usage.holders if h.devices.get(device)]
        before = [_waiting(t, device, outlook) for t in ahead if t.devices.get(device)]
        waits.append(expected_wait(asked, free, runs, before))
    if not all(wait.known for wait in waits):
        return UNKNOWN
    return max(waits, key=lambda wait: (wait.high or 0.0, wait.most or 0.0))


def _running(holder: Holder, device: Device, outlook: Outlook) -> Running:
    age = None if holder.since is None else max(0.0, outlook.now - holder.since)
    left = None if holder.ends_by is None else max(0.0, holder.ends_by - outlook.now)
    lengths = outlook.lengths.get((holder.kind, holder.profile), ())
    return Running(holder.devices[device], age, left, lengths, gives_way=holder.kind != _SERVER)


def _waiting(ticket: Ticket, device: Device, outlook: Outlook) -> Waiting:
    lengths = outlook.lengths.get((ticket.kind, ticket.profile), ())
    return Waiting(ticket.devices[device], ticket.max_seconds, lengths)


def _held(profile: Profile, usage: Usage) -> tuple[Held, ...]:
    """Who holds what the profile needs, one entry for each kind, person and end."""
    counts: Counter[tuple[str, str, float | None]] = Counter()
    for holder in usage.holders:
        count = sum(holder.devices.get(device, 0) for device in profile.takes)
        if count:
            counts[(holder.kind, holder.user, holder.ends_by)] += count
    ordered = sorted(counts.items(), key=lambda item: (item[0][2] is None, item[0][2] or 0.0, item[0][1], item[0][0]))
    return tuple(Held(kind, user, count, ends_by) for (kind, user, ends_by), count in ordered)


def _never(tenant: Tenant, profile: Profile) -> str:
    device, asked = next((r, n) for r, n in profile.takes.items() if n > tenant.quota.limit(r))
    limit = tenant.quota.limit(device)
    name = piece_name(profile)
    return (
        f"{tenant.name} has no quota for {name}"
        if not limit
        else f"it takes {asked} {name}, {tenant.name} can hold {limit}"
    )


def _full(tenant: Tenant, profile: Profile, usage: Usage) -> str:
    """Of the device that is short."""
    device = min(profile.takes, key=lambda r: (tenant.quota.limit(r) - usage.used.get(r, 0)) // profile.takes[r])
    own, used = tenant.quota.nominal.get(device, 0), usage.used.get(device, 0)
    borrowed = max(0, used - own)
    lent = f", {borrowed} of them borrowed" if borrowed else ""
    return f"{tenant.name} uses {used} of {own + borrowed} {piece_name(profile)}{lent}"


def _with_advice(standing: Standing, outlook: Outlook, free: Sequence[Profile]) -> Standing:
    if standing.availability is Availability.QUEUE:
        return replace(standing, advice=(*_ends(standing, outlook), *_instead(free)))
    if standing.availability is Availability.NEVER:
        return replace(standing, advice=(*_instead(free), "ask a team admin for more quota"))
    return standing


def _ends(standing: Standing, outlook: Outlook) -> list[str]:
    """What frees devices soonest, for certain."""
    giving = next((held for held in standing.held if held.kind != _SERVER), None)
    if giving is not None:
        return [f"a {_NOUNS.get(giving.kind, giving.kind)} of {giving.user} goes back to the queue for it"]
    ending = next((held for held in standing.held if held.ends_by is not None), None)
    if ending is None or ending.ends_by is None:
        return []
    noun, within = _NOUNS.get(ending.kind, ending.kind), duration(ending.ends_by - outlook.now)
    return [f"a {noun} of {ending.user} ends within {within} and frees {ending.count}"]


def _instead(free: Sequence[Profile]) -> list[str]:
    """What can be had at once: with a GPU, if there is any such."""
    names = [profile.name for profile in free if profile.takes] or [profile.name for profile in free]
    return [f"free now: {', '.join(names[:_MOST_NAMES])}"] if names else []


def piece_name(profile: Profile) -> str:
    """What one device of the profile is called in a sentence about counts."""
    if profile.slice is None and profile.gpu_model is not None:
        return f"{profile.gpu_model} GPUs" if profile.shared_by is None else f"turns on {profile.gpu_model} GPUs"
    return profile.slice or profile.name
