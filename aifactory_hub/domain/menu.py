"""What a team's menu says of each profile: pure, from what was gathered. Every page, API and command says the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from aifactory_profiles import Catalogue, Device, Profile

from ..constants import KIND_SERVER as _SERVER
from .borrowing import Reclaim
from .formatting import duration
from .quota import Holder, Usage, over_user_limit
from .spawns import menu
from .tenants import Tenant
from .tickets import Ticket
from .wait_forecast import UNKNOWN, Running, Wait, Waiting, expected_wait

UNKNOWN_USAGE = "the cluster does not say now what is in use"
# A server is more urgent than a job: it is served first, and a job of its own team gives way to it.
_NOUNS = {_SERVER: "notebook", "job": "job"}
# More names than these are not read.
_MOST_NAMES = 3


class Availability(StrEnum):
    """Slugs for programs.

    FREE starts at once, QUEUE waits first. NEVER is more than the team can hold, JOBS more than its notebooks can, and
    LIMITED more than the team lets one person have. UNAVAILABLE: the team can't start anything now. UNKNOWN: what is
    in use can't be said now, so nothing is started.
    """

    FREE = "free"
    QUEUE = "queue"
    NEVER = "never"
    JOBS = "jobs"
    LIMITED = "limited"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TeamLoad:
    """What was gathered of one tenant at ``now`` (seconds since 1970). None always means: not known.

    ``unavailable`` is why nothing can be started, ``queue`` who waits in the order of service, ``borrowable`` how many
    more devices of other tenants may be had now, ``cluster_used`` what all tenants together hold, ``carved`` what
    the administrator has cut the GPUs into. ``lengths`` are the seconds that ended runs took, by kind and profile,
    and ``reclaim`` is what owners end to get their own back.
    """

    now: float
    usage: Usage | None
    unavailable: str | None = None
    queue: tuple[Ticket, ...] | None = None
    borrowable: Mapping[Device, int] | None = None
    cluster_used: Mapping[Device, int] | None = None
    carved: Mapping[Device, int] = field(default_factory=dict)
    lengths: Mapping[tuple[str, str], Sequence[float]] = field(default_factory=dict)
    reclaim: Reclaim = Reclaim.ANY


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
class ProfileAvailability:
    """How it stands with devices of one kind, for all profiles that take the same of them.

    ``team`` is what is left of the team's own devices, ``borrowable`` what others leave idle, ``cluster`` what is free
    in the whole cluster, each in pieces of this profile; ``team`` is None for a profile without devices. ``waiting``
    is how many requests are served before a new one. ``reason`` and ``advice`` say why not now, and what to do.
    ``returnable`` says that the owner of what is borrowed may take it back, which ends the notebook, ``jobs_go`` that
    jobs of the team make room for it.
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
    returnable: bool = False
    jobs_go: bool = False

    @property
    def free_now(self) -> int | None:
        """How many could start at once; None without a limit, or when it is not known."""
        return None if self.team is None or self.team.free is None else self.team.free + (self.borrowable or 0)


@dataclass(frozen=True, slots=True)
class Offer:
    """One line of the menu."""

    profile: Profile
    standing: ProfileAvailability


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ticket waits: the ``position``-th of ``total``, after the tickets ``ahead``, for about ``wait``."""

    position: int
    total: int
    ahead: tuple[Ticket, ...]
    wait: Wait


def place_in_queue(tenant: Tenant, profile: Profile, team_load: TeamLoad, ticket: str) -> Place | None:
    """Where the server's ticket of that name waits; None when it does not, or when that is not known."""
    queue = team_load.queue
    if queue is None or team_load.usage is None:
        return None
    rivals = _ahead(profile, queue)
    at = next((index for index, rival in enumerate(rivals) if rival.name == ticket), None)
    if at is None:
        return None
    ahead = tuple(rivals[:at])
    return Place(at + 1, len(rivals), ahead, _wait(tenant, profile, team_load, team_load.usage, ahead))


def offers(tenant: Tenant, catalogue: Catalogue, team_load: TeamLoad, user: str | None = None) -> tuple[Offer, ...]:
    """The tenant's menu for a notebook of ``user``, in its order; None: of nobody in particular."""
    has = _of_user(team_load, user) if user is not None and tenant.quota.per_user else None
    profiles = menu(tenant, catalogue)
    kinds = {profile.kind: profile for profile in profiles}
    standings = {kind: _standing(tenant, profile, team_load, has) for kind, profile in kinds.items()}
    available = {kind for kind, standing in standings.items() if standing.availability is Availability.FREE}
    instead = _instead([profile for profile in profiles if profile.kind in available])
    advised = {kind: _with_advice(standing, team_load, instead) for kind, standing in standings.items()}
    return tuple([Offer(profile, advised[profile.kind]) for profile in profiles])


def _of_user(team_load: TeamLoad, user: str) -> dict[Device, int]:
    """What the person has or waits for; what is not known does not count."""
    has: Counter[Device] = Counter({} if team_load.usage is None else team_load.usage.of(user))
    for ticket in team_load.queue or ():
        if ticket.user == user:
            has.update(ticket.devices)
    return dict(has)


def _standing(
    tenant: Tenant, profile: Profile, team_load: TeamLoad, has: Mapping[Device, int] | None
) -> ProfileAvailability:
    usage = team_load.usage
    if team_load.unavailable is not None:
        return ProfileAvailability(Availability.UNAVAILABLE, reason=team_load.unavailable)
    if usage is None:
        return ProfileAvailability(Availability.UNKNOWN, reason=UNKNOWN_USAGE)
    if not profile.devices:
        return ProfileAvailability(Availability.FREE)
    told = ProfileAvailability(
        Availability.FREE,
        team=Share(
            _pieces(profile, _left(profile, tenant.quota.nominal, usage.used)), _pieces(profile, tenant.quota.nominal)
        ),
        borrowable=_borrowable(tenant, profile, usage, team_load),
        cluster=_cluster(profile, team_load),
        returnable=tenant.quota.notebooks_borrow and team_load.reclaim is Reclaim.ANY,
    )
    if any(count > tenant.quota.notebook_limit(device) for device, count in profile.takes.items()):
        jobs = all(count <= tenant.quota.limit(device) for device, count in profile.takes.items())
        what = Availability.JOBS if jobs else Availability.NEVER
        return replace(told, availability=what, reason=_never(tenant, profile))
    if has is not None and (over := over_user_limit(tenant.quota, has, profile.takes)) is not None:
        reason = f"one person may have {over.limit} of {piece_name(profile)} in {tenant.name}, and you have {over.used}"
        return replace(told, availability=Availability.LIMITED, reason=reason)
    if told.free_now:
        return replace(told, waiting=0, wait=Wait(0.0, 0.0, 0.0))
    ahead = None if team_load.queue is None else _ahead(profile, team_load.queue)
    jobs_go = _jobs_go(tenant, profile, usage, team_load)
    return replace(
        told,
        availability=Availability.QUEUE,
        waiting=None if ahead is None else len(ahead),
        wait=UNKNOWN if ahead is None else _wait(tenant, profile, team_load, usage, ahead),
        held=_held(profile, usage, jobs=jobs_go or tenant.quota.notebooks_borrow),
        jobs_go=jobs_go,
        reason=_full(tenant, profile, usage, team_load),
    )


def _pieces(profile: Profile, devices: Mapping[Device, int]) -> int:
    """How many of the profile these devices make."""
    return min(max(0, devices.get(device, 0)) // count for device, count in profile.takes.items())


def _left(profile: Profile, have: Mapping[Device, int], used: Mapping[Device, int]) -> dict[Device, int]:
    return {device: have.get(device, 0) - used.get(device, 0) for device in profile.takes}


def _borrowable(tenant: Tenant, profile: Profile, usage: Usage, team_load: TeamLoad) -> int | None:
    """How many more of the profile can be had of what others leave; None when that is not known.

    Notebooks that do not borrow have such a device while jobs of their team use the team's own: the jobs borrow then.
    """
    if team_load.borrowable is None:
        return None if any(tenant.quota.borrowing.get(device) for device in profile.takes) else 0
    own = _left(profile, tenant.quota.nominal, usage.used)
    both = {d: sum(_at_once(tenant, d, usage, team_load)) for d in profile.takes}
    return _pieces(profile, both) - _pieces(profile, own)


def _at_once(tenant: Tenant, device: Device, usage: Usage, team_load: TeamLoad) -> tuple[int, int]:
    """What a notebook could have of a device now: of the team's own, and of others'."""
    own = max(0, tenant.quota.nominal.get(device, 0) - usage.used.get(device, 0))
    others = (team_load.borrowable or {}).get(device, 0)
    if not tenant.quota.notebooks_borrow:
        others = min(others, max(0, _notebooks_left(tenant, device, usage) - own))
    return own, others


def _notebooks_left(tenant: Tenant, device: Device, usage: Usage) -> int:
    """How many more the team's notebooks may have, whoever has them now."""
    return tenant.quota.notebook_limit(device) - usage.by(_SERVER, device)


def _cluster(profile: Profile, team_load: TeamLoad) -> Share | None:
    if not profile.takes.keys() <= team_load.carved.keys():
        return None
    total = _pieces(profile, team_load.carved)
    if team_load.cluster_used is None:
        return Share(None, total)
    return Share(_pieces(profile, _left(profile, team_load.carved, team_load.cluster_used)), total)


def _ahead(profile: Profile, queue: Sequence[Ticket]) -> list[Ticket]:
    """Who is served before a new server: other servers that wait for the same devices."""
    return [t for t in queue if t.kind == _SERVER and any(t.devices.get(device) for device in profile.takes)]


def _wait(tenant: Tenant, profile: Profile, team_load: TeamLoad, usage: Usage, ahead: Sequence[Ticket]) -> Wait:
    """The longest of the waits for each device, each as if the team's own future alone decided it."""
    waits = []
    for device, asked in profile.takes.items():
        free = sum(_at_once(tenant, device, usage, team_load))
        before = [_waiting(t, device, team_load) for t in ahead if t.devices.get(device)]
        waits.append(expected_wait(asked, free, _runs(tenant, device, usage, team_load, free), before))
    if not all(wait.known for wait in waits):
        return UNKNOWN
    return max(waits, key=lambda wait: (wait.high or 0.0, wait.most or 0.0))


def _runs(tenant: Tenant, device: Device, usage: Usage, team_load: TeamLoad, free: int) -> list[Running]:
    """What has to end or give way before a notebook gets the device.

    Where notebooks have their team's own and no more, only they have to end: whatever else has the rest gives way.
    """
    holders = [holder for holder in usage.holders if holder.devices.get(device)]
    if tenant.quota.notebooks_borrow or team_load.reclaim is Reclaim.NEVER:
        return [_running(holder, device, team_load) for holder in holders]
    runs = [_running(holder, device, team_load) for holder in holders if holder.kind == _SERVER]
    lent = max(0, _notebooks_left(tenant, device, usage)) - free
    return [*runs, Running(lent, gives_way=True)] if lent > 0 else runs


def _running(holder: Holder, device: Device, team_load: TeamLoad) -> Running:
    age = None if holder.since is None else max(0.0, team_load.now - holder.since)
    left = None if holder.ends_by is None else max(0.0, holder.ends_by - team_load.now)
    lengths = team_load.lengths.get((holder.kind, holder.profile), ())
    return Running(holder.devices[device], age, left, lengths, _gives_way(holder, team_load))


def _gives_way(holder: Holder, team_load: TeamLoad) -> bool:
    return holder.kind != _SERVER and team_load.reclaim is not Reclaim.NEVER


def _waiting(ticket: Ticket, device: Device, team_load: TeamLoad) -> Waiting:
    lengths = team_load.lengths.get((ticket.kind, ticket.profile), ())
    return Waiting(ticket.devices[device], ticket.max_seconds, lengths)


def _jobs_go(tenant: Tenant, profile: Profile, usage: Usage, team_load: TeamLoad) -> bool:
    """Whether a notebook may take the place of a job of its team."""
    if team_load.reclaim is Reclaim.NEVER:
        return False
    return all(_notebooks_left(tenant, device, usage) >= count for device, count in profile.takes.items())


def _held(profile: Profile, usage: Usage, *, jobs: bool) -> tuple[Held, ...]:
    """Who holds what the profile needs, one entry for each kind, person and end; jobs only with ``jobs``."""
    counts: Counter[tuple[str, str, float | None]] = Counter()
    for holder in usage.holders:
        if not jobs and holder.kind != _SERVER:
            continue
        count = sum(holder.devices.get(device, 0) for device in profile.takes)
        if count:
            counts[(holder.kind, holder.user, holder.ends_by)] += count
    ordered = sorted(counts.items(), key=lambda item: (item[0][2] is None, item[0][2] or 0.0, item[0][1], item[0][0]))
    return tuple(Held(kind, user, count, ends_by) for (kind, user, ends_by), count in ordered)


def _never(tenant: Tenant, profile: Profile) -> str:
    device, asked = next((r, n) for r, n in profile.takes.items() if n > tenant.quota.notebook_limit(r))
    limit = tenant.quota.notebook_limit(device)
    name = piece_name(profile)
    if asked <= tenant.quota.limit(device):
        return f"{tenant.name} has {limit} {name} of its own, and its notebooks do not borrow"
    return (
        f"{tenant.name} has no quota for {name}"
        if not limit
        else f"it takes {asked} {name}, {tenant.name} can hold {limit}"
    )


def _full(tenant: Tenant, profile: Profile, usage: Usage, team_load: TeamLoad) -> str:
    """Of the device that is short."""
    short = (d for d, n in profile.takes.items() if _notebooks_left(tenant, d, usage) < n)
    device = next(short, None)
    if device is not None and not tenant.quota.notebooks_borrow and _more_for_jobs(tenant, device, usage, team_load):
        limit, count = tenant.quota.notebook_limit(device), usage.by(_SERVER, device)
        which = f"{count} of its {limit} {piece_name(profile)}"
        return f"notebooks of {tenant.name} use {which}, and only jobs borrow"
    device = min(profile.takes, key=lambda r: (tenant.quota.limit(r) - usage.used.get(r, 0)) // profile.takes[r])
    own, used = tenant.quota.nominal.get(device, 0), usage.used.get(device, 0)
    borrowed = max(0, used - own)
    lent = f", {borrowed} of them borrowed" if borrowed else ""
    return f"{tenant.name} uses {used} of {own + borrowed} {piece_name(profile)}{lent}"


def _more_for_jobs(tenant: Tenant, device: Device, usage: Usage, team_load: TeamLoad) -> bool:
    """Whether the team holds, or could have, more than its notebooks may."""
    over = usage.used.get(device, 0) > tenant.quota.nominal.get(device, 0)
    return over or bool((team_load.borrowable or {}).get(device))


def _with_advice(standing: ProfileAvailability, team_load: TeamLoad, instead: Sequence[str]) -> ProfileAvailability:
    if standing.availability is Availability.QUEUE:
        return replace(standing, advice=(*_ends(standing, team_load), *instead))
    if standing.availability is Availability.LIMITED:
        return replace(standing, advice=("stop one of yours first",))
    if standing.availability in (Availability.NEVER, Availability.JOBS):
        return replace(standing, advice=(*instead, "ask a team admin for more quota"))
    return standing


def _ends(standing: ProfileAvailability, team_load: TeamLoad) -> list[str]:
    """What frees devices soonest, for certain."""
    giving = next((held for held in standing.held if held.kind != _SERVER), None)
    if giving is not None and standing.jobs_go:
        return [f"a {_NOUNS.get(giving.kind, giving.kind)} of {giving.user} goes back to the queue for it"]
    ending = next((held for held in standing.held if held.ends_by is not None), None)
    if ending is None or ending.ends_by is None:
        return []
    noun, within = _NOUNS.get(ending.kind, ending.kind), duration(ending.ends_by - team_load.now)
    return [f"a {noun} of {ending.user} ends within {within} and frees {ending.count}"]


def _instead(free: Sequence[Profile]) -> list[str]:
    """What can be had at once: with a GPU, if there is any such."""
    names = [profile.name for profile in free if profile.takes] or [profile.name for profile in free]
    return [f"free now: {', '.join(names[:_MOST_NAMES])}"] if names else []


def piece_name(profile: Profile) -> str:
    """What one device of the profile is called in a sentence about counts."""
    if profile.slice is None and profile.gpu_model is not None:
        return f"{profile.gpu_model} GPUs" if profile.shared_by is None else f"time-sliced {profile.gpu_model} GPUs"
    return profile.slice or profile.name


_BADGES = {
    Availability.NEVER: "not for this team",
    Availability.JOBS: "for jobs only",
    Availability.LIMITED: "you have your share",
    Availability.UNAVAILABLE: "not now",
    Availability.QUEUE: "none free: wait",
}


def badge_words(standing: ProfileAvailability) -> str:
    """How it stands, in the two to four words that are read first."""
    if standing.availability is Availability.FREE:
        return "free" if standing.free_now is None else f"{standing.free_now} free now"
    return _BADGES.get(standing.availability, "unknown now")
