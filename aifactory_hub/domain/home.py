"""What the Home page says: a person's servers, and what is free in their teams. Pure, from what was gathered."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aifactory_profiles import Catalogue, Profile

from ..constants import KIND_SERVER
from .forecasts import cost
from .formatting import cores, gpu_words, money, size
from .menu import Availability, Offer, TeamLoad, badge_words, offers
from .names import server_id
from .quota import Holder
from .server_ends import NOTICE, Notice, State, duration
from .tenants import Tenant

# Lines of one team; the start page has all.
MOST_LINES = 8
# Seconds: an end that is nearer than this is shown as a warning, and older numbers are said to be old.
SOON = 15 * 60.0
STALE = 60.0
UNKNOWN = "unknown"
_LONGEST_NAME = 30
_UNSAFE = re.compile(r"[^a-z0-9]+")


class ServerState(StrEnum):
    """What a server does now."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server as the hub has it. Times are in seconds since 1970; None: not known, or there is none.

    ``stored`` is its state in the hub's database. ``leaves_at`` is when it is stopped because its owner has left the
    team, ``budget_ends_at`` when a budget that is used up stops it, ``idle_at`` when the site's culler stops it if
    nothing happens in it before.
    """

    name: str
    title: str
    state: ServerState
    team: str | None = None
    profile: str | None = None
    started: float | None = None
    stored: State = None
    leaves_at: float | None = None
    budget_ends_at: float | None = None
    idle_at: float | None = None


@dataclass(frozen=True, slots=True)
class ComingEnd:
    """When a server ends, and why. ``soon``: within ``SOON`` seconds."""

    at: float
    why: str
    soon: bool = False


@dataclass(frozen=True, slots=True)
class HomeServer:
    """One server, in words. ``since`` is when it got its devices, in seconds since 1970; None: not known.

    ``cost`` and ``rate`` are empty for a server that does not run. ``profile`` is empty for one that never started.
    """

    name: str
    title: str
    state: ServerState
    team: str = ""
    size: str = ""
    profile: str = ""
    since: float | None = None
    runs: str = ""
    cost: str = ""
    rate: str = ""
    ends: ComingEnd | None = None


@dataclass(frozen=True, slots=True)
class FreeLine:
    """One kind of slices: ``badge`` says how many are free now, in words."""

    profile: str
    size: str
    badge: str
    availability: Availability


@dataclass(frozen=True, slots=True)
class TeamFree:
    """What is free in one team. ``trouble`` is why nothing can be started. ``more``: kinds beyond those in ``lines``.

    ``as_of`` is in seconds since 1970, None where nothing is known. ``stale`` says how old the numbers are, where they
    are old.
    """

    name: str
    title: str
    lines: tuple[FreeLine, ...] = ()
    more: int = 0
    trouble: str = ""
    as_of: float | None = None
    stale: str = ""


@dataclass(frozen=True, slots=True)
class KnownLoads:
    """The teams that a person may start servers in, and the loads of these and of their servers' teams."""

    usable: tuple[str, ...] = ()
    loads: Mapping[str, TeamLoad] | None = None


def server_state(*, active: bool, ready: bool, pending: str | None) -> ServerState:
    """By what JupyterHub says of a server."""
    if pending == "stop":
        return ServerState.STOPPING
    if ready:
        return ServerState.RUNNING
    return ServerState.STARTING if active else ServerState.STOPPED


def home_servers(
    servers: Sequence[ServerFacts],
    user: str,
    tenants: Mapping[str, Tenant],
    catalogue: Catalogue,
    known: KnownLoads,
    now: float,
) -> tuple[HomeServer, ...]:
    """The person's servers, those that run or start first."""
    shown = [_server(server, user, tenants, catalogue, known.loads or {}, now) for server in servers]
    return tuple(sorted(shown, key=lambda each: (each.state is ServerState.STOPPED, each.name)))


def _server(
    server: ServerFacts,
    user: str,
    tenants: Mapping[str, Tenant],
    catalogue: Catalogue,
    loads: Mapping[str, TeamLoad],
    now: float,
) -> HomeServer:
    tenant = tenants.get(server.team or "")
    profile = catalogue.profiles.get(server.profile or "")
    holder = _holder(loads.get(server.team or ""), server_id(user, server.name))
    since = holder.since if holder is not None else None
    begun = since if since is not None else server.started
    runs = server.state is ServerState.RUNNING
    return HomeServer(
        server.name,
        server.title,
        server.state,
        team=tenant.display_name if tenant is not None else server.team or "",
        size=server.profile or "" if profile is None else size_words(profile, catalogue),
        profile=server.profile or "",
        since=None if server.state is ServerState.STOPPED else begun,
        runs=(UNKNOWN if begun is None else duration(now - begun)) if runs else "",
        cost=_cost(profile, since, now) if runs else "",
        rate=_rate(profile) if runs else "",
        ends=_coming_end(server, holder, now) if server.state is not ServerState.STOPPED else None,
    )


def _holder(load: TeamLoad | None, owner: str) -> Holder | None:
    """What the server holds; None when that is not known."""
    holders = () if load is None or load.usage is None else load.usage.holders
    return next((each for each in holders if each.kind == KIND_SERVER and each.owner == owner), None)


def size_words(profile: Profile, catalogue: Catalogue) -> str:
    """What a person gets with the profile."""
    words = gpu_words(profile, catalogue.cards)
    count = cores(profile.requests.cpu_millicores)
    return words or f"no GPU: {count} {'core' if count == '1' else 'cores'}, {size(profile.requests.memory_bytes)}"


def _cost(profile: Profile | None, since: float | None, now: float) -> str:
    """So far. Only the time in which it holds its devices counts: what waited in the queue costs nothing."""
    if profile is None or (profile.price_per_hour is not None and since is None):
        return UNKNOWN
    spent = cost(profile.price_per_hour, max(0.0, now - (since or now)))
    return "no price set" if spent is None else money(spent, profile.currency)


def _rate(profile: Profile | None) -> str:
    if profile is None or profile.price_per_hour is None:
        return ""
    return f"{money(profile.price_per_hour, profile.currency)} an hour"


def _coming_end(server: ServerFacts, holder: Holder | None, now: float) -> ComingEnd | None:
    """The first end that is known."""
    notice = Notice.from_state((server.stored or {}).get(NOTICE))
    ends = (
        (notice.until if notice is not None else None, "to give its quota back"),
        (server.leaves_at, "because you are not in its team any more"),
        (server.budget_ends_at, "by a budget that is used up"),
        (holder.ends_by if holder is not None else None, "when its time is over"),
        (server.idle_at, "unless it is used before"),
    )
    known = [(at, why) for at, why in ends if at is not None]
    if not known:
        return None
    at, why = min(known)
    return ComingEnd(at, why, soon=at - now <= SOON)


def teams_free(
    known: KnownLoads, tenants: Mapping[str, Tenant], catalogue: Catalogue, user: str, now: float
) -> tuple[TeamFree, ...]:
    """What is free in each team that the person may start servers in."""
    return tuple(_team(tenants[name], catalogue, known, user, now) for name in known.usable if name in tenants)


def _team(tenant: Tenant, catalogue: Catalogue, known: KnownLoads, user: str, now: float) -> TeamFree:
    load = (known.loads or {}).get(tenant.name)
    if load is None:
        return TeamFree(tenant.name, tenant.display_name, trouble="The cluster did not answer in time.")
    kinds: dict[Hashable, Offer] = {}
    for offer in offers(tenant, catalogue, load, user):
        kinds.setdefault(offer.profile.kind, offer)
    can_be = [offer for offer in kinds.values() if offer.standing.availability is not Availability.NEVER]
    lines = tuple(_line(offer, catalogue) for offer in can_be[:MOST_LINES])
    age = now - load.now
    return TeamFree(
        tenant.name,
        tenant.display_name,
        lines,
        more=len(can_be) - len(lines),
        trouble=f"Nothing can be started in this team now: {load.unavailable}." if load.unavailable else "",
        as_of=load.now if load.usage is not None else None,
        stale=f"These numbers are {duration(age)} old." if load.usage is not None and age > STALE else "",
    )


def _line(offer: Offer, catalogue: Catalogue) -> FreeLine:
    profile, standing = offer.profile, offer.standing
    return FreeLine(profile.name, size_words(profile, catalogue), badge_words(standing), standing.availability)


def next_server(servers: Collection[ServerFacts], *, named: bool, limit: int) -> str | None:
    """The name of the server that "Start" is for: the default one, or else ``server-2`` and so on.

    None when there can be no further one. ``named``: the hub allows named servers. ``limit`` is how many of these one
    person may have, 0 for any number.
    """
    names = {server.name: server.state for server in servers}
    if names.get("", ServerState.STOPPED) is ServerState.STOPPED:
        return ""
    others = sum(1 for name in names if name)
    if not named:
        return None
    made_up = (f"server-{number}" for number in range(2, others + 3))
    name = next(name for name in made_up if names.get(name, ServerState.STOPPED) is ServerState.STOPPED)
    return None if name not in names and 0 < limit <= others else name


def server_name(text: str) -> str | None:
    """The name of a server that a person calls ``text``; None when nothing of it can be in a name."""
    name = _UNSAFE.sub("-", text.lower()).strip("-")[:_LONGEST_NAME].strip("-")
    if not name:
        return None
    return name if name[0].isalpha() else f"n-{name}"[:_LONGEST_NAME].strip("-")
