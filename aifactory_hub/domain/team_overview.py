"""Who in a team holds what since when, and who waits: for the people of the team. Pure, from what was gathered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from typing_extensions import TypedDict

from aifactory_profiles import Catalogue, Device

from ..constants import KIND_JOB, KIND_SERVER
from .formatting import iso
from .home import size_words
from .menu import TeamLoad
from .names import server_id
from .quota import Holder
from .team_end import notice_of
from .tenants import Role, Tenant
from .tickets import Ticket
from .wait_reasons import reason_of


class DeviceCount(TypedDict):
    """So many devices of one flavor."""

    resource: str
    flavor: str
    count: int


class HoldingAnswer(TypedDict):
    """What somebody holds. ``owner`` is the job's id or the server's. ``size`` is the profile in words.

    ``since`` is when it was admitted, null where that is not known; ``ends_by`` when it ends at the latest, null where
    nothing ends it.
    """

    kind: str
    owner: str
    name: str
    user: str
    profile: str
    size: str
    devices: list[DeviceCount]
    since: str | None
    ends_by: str | None


class WaitingAnswer(TypedDict):
    """Who waits, in the order of service. ``user`` and ``owner`` are null where the caller may not see whose it is.

    ``why`` it waits and what ``lets_go`` are sentences.
    """

    kind: str
    owner: str | None
    name: str | None
    user: str | None
    profile: str
    size: str
    since: str | None
    why: str
    lets_go: str


class OverviewAnswer(TypedDict):
    """``known`` false: the cluster did not say what is in use; ``holding`` and ``waiting`` are null then, never empty.

    ``role`` is the caller's in the team. ``notice`` says that the team ends, empty for one that stays, and
    ``renewable`` whether its administrators can ask for more time.
    """

    tenant: str
    display_name: str
    role: str
    as_of: str
    known: bool
    unavailable: str | None
    simulated: bool
    notice: str
    renewable: bool
    holding: list[HoldingAnswer] | None
    waiting: list[WaitingAnswer] | None


class TeamLoadAnswer(TypedDict):
    """How much a team holds now. Counts are null where the cluster did not say, never 0."""

    tenant: str
    display_name: str
    unavailable: str | None
    servers: int | None
    jobs: int | None
    waiting: int | None


class PlatformOverviewAnswer(TypedDict):
    """All teams of the site, in the order of tenants.yaml."""

    simulated: bool
    teams: list[TeamLoadAnswer]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the overview."""

    name: str
    role: Role


def overview(
    tenant: Tenant, catalogue: Catalogue, load: TeamLoad, reader: Reader, *, simulated: bool
) -> OverviewAnswer:
    """The team as its people may see it: those who hold come first who have held the longest."""
    holders = () if load.usage is None else load.usage.holders
    queue = None if load.queue is None else [_waiting(each, tenant, catalogue, load, reader) for each in load.queue]
    ordered = sorted(holders, key=lambda each: (each.since is None, each.since or 0.0, each.user, each.owner))
    return {
        "tenant": tenant.name,
        "display_name": tenant.display_name,
        "role": reader.role.label,
        "as_of": iso(load.now),
        "known": load.usage is not None,
        "unavailable": load.unavailable,
        "simulated": simulated,
        "notice": notice_of(tenant, load.now),
        "renewable": tenant.retirement is not None and tenant.retirement.notice is not None,
        "holding": None if load.usage is None else [_holding(each, catalogue) for each in ordered],
        "waiting": queue,
    }


def platform_overview(
    tenants: Mapping[str, Tenant], loads: Mapping[str, TeamLoad], *, simulated: bool
) -> PlatformOverviewAnswer:
    """All teams, each with how much it holds and how many wait. Names nobody."""
    teams = [_team(tenant, loads[name]) for name, tenant in tenants.items() if name in loads]
    return {"simulated": simulated, "teams": teams}


def _team(tenant: Tenant, load: TeamLoad) -> TeamLoadAnswer:
    kinds = None if load.usage is None else [holder.kind for holder in load.usage.holders]
    return {
        "tenant": tenant.name,
        "display_name": tenant.display_name,
        "unavailable": load.unavailable,
        "servers": None if kinds is None else kinds.count(KIND_SERVER),
        "jobs": None if kinds is None else kinds.count(KIND_JOB),
        "waiting": None if load.queue is None else len(load.queue),
    }


def _holding(holder: Holder, catalogue: Catalogue) -> HoldingAnswer:
    return {
        "kind": holder.kind,
        "owner": holder.owner,
        "name": _name(holder.kind, holder.user, holder.owner),
        "user": holder.user,
        "profile": holder.profile,
        "size": _size(holder.profile, catalogue),
        "devices": _counted(holder.devices),
        "since": None if holder.since is None else iso(holder.since),
        "ends_by": None if holder.ends_by is None else iso(holder.ends_by),
    }


def _waiting(ticket: Ticket, tenant: Tenant, catalogue: Catalogue, load: TeamLoad, reader: Reader) -> WaitingAnswer:
    """Jobs of a team are in the list that all its people see. Whose server waits is for admins and for its owner."""
    seen = ticket.kind != KIND_SERVER or reader.role is Role.ADMIN or ticket.user == reader.name
    reason = reason_of(ticket, tenant, load)
    return {
        "kind": ticket.kind,
        "owner": ticket.owner if seen else None,
        "name": _name(ticket.kind, ticket.user, ticket.owner) if seen else None,
        "user": ticket.user if seen else None,
        "profile": ticket.profile,
        "size": _size(ticket.profile, catalogue),
        "since": None if ticket.filed_at is None else iso(ticket.filed_at),
        "why": reason.why,
        "lets_go": reason.lets_go,
    }


def _name(kind: str, user: str, owner: str) -> str:
    """What a person calls it: a job by its id, a server by its name, "" for the default one."""
    default = server_id(user, "")
    if kind != KIND_SERVER:
        return owner
    return "" if owner == default else owner.removeprefix(f"{default}--")


def _size(name: str, catalogue: Catalogue) -> str:
    profile = catalogue.profiles.get(name)
    return name if profile is None else size_words(profile, catalogue)


def _counted(devices: Mapping[Device, int]) -> list[DeviceCount]:
    return [{"resource": each.resource, "flavor": each.flavor, "count": count} for each, count in devices.items()]
