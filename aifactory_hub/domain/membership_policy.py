"""When somebody leaves a team, or the company: what is kept, what ends, and when. No I/O, no clock.

Unknown is not left. A provider that does not answer takes nothing away; only its word does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from .tenants import Role

# Seconds. A refresh token that is refused this shortly before its announced end has simply run out.
_RUN_OUT = 60.0


class SessionStatus(Enum):
    """What is known of somebody at a moment."""

    KNOWN = "known"  # the provider's last answer still counts
    UNKNOWN = "unknown"  # the provider has not answered for too long
    SIGNED_OUT = "signed-out"  # the session ended; the provider can't be asked about them until they sign in
    ENDED = "ended"  # the provider ended it: the account was closed, or its sessions were


@dataclass(frozen=True, slots=True)
class Policy:
    """``stop`` servers in a team that was left, after ``grace`` seconds; else they run on."""

    stop: bool
    grace: int


@dataclass(frozen=True, slots=True)
class ServerFact:
    """A server that runs or starts. ``tenant`` None: it is bound to none yet."""

    name: str
    tenant: str | None
    starting: bool


class Action(Enum):
    """What to do with a server whose owner is no member of its team."""

    CALL_OFF = "call off"  # it has not started: a new server
    STOP = "stop"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Affected:
    """A server whose owner has left its team. ``stops_at`` is when it is stopped, in epoch seconds, or None."""

    server: str
    tenant: str
    action: Action
    stops_at: float | None = None


def refused_session(
    *, now: float, announced_end: float | None, signed_out: bool, in_doubt: bool = False
) -> SessionStatus:
    """What it means that the provider refuses to renew a session.

    Before its announced end only the provider can have ended it (an account that was closed), unless the person
    signed out, or the answer to the renewal before got lost (``in_doubt``): a refresh token that works once may have
    been used up by that. A token without an announced end does not run out by itself.
    """
    if signed_out or in_doubt:
        return SessionStatus.SIGNED_OUT
    ran_out = announced_end is not None and now >= announced_end - _RUN_OUT
    return SessionStatus.SIGNED_OUT if ran_out else SessionStatus.ENDED


def may_start(roles: Mapping[str, Role], tenant: str) -> bool:
    """Whether somebody with these roles may start servers and jobs in the team."""
    return roles.get(tenant, Role.VIEWER) >= Role.MEMBER


def leaving_since(
    used: Iterable[str], roles: Mapping[str, Role] | None, known: Mapping[str, float], now: float
) -> dict[str, float]:
    """Team -> since when (epoch seconds) its owner may not use it any more, for the teams that are ``used``.

    ``used`` are the teams in which something of the person's runs; ``roles`` are the person's own, None where they are
    not known; ``known`` are the times found earlier. A time that is not known begins now. Whoever may use a team again
    has not left it, and unknown roles add no team.
    """
    if roles is None:
        return {tenant: known[tenant] for tenant in used if tenant in known}
    return {tenant: known.get(tenant, now) for tenant in used if not may_start(roles, tenant)}


def affected_servers(
    servers: Iterable[ServerFact], left: Mapping[str, float], policy: Policy, now: float
) -> list[Affected]:
    """The servers in teams that were left, and what becomes of each. A server that only starts is called off.

    ``left`` says since when, as ``leaving_since`` has it.
    """
    found = []
    for server in servers:
        if server.tenant is None or server.tenant not in left:
            continue
        stops_at = left[server.tenant] + policy.grace if policy.stop else None
        if server.starting:
            action = Action.CALL_OFF
        else:
            action = Action.STOP if stops_at is not None and now >= stops_at else Action.KEEP
        found.append(Affected(server.name, server.tenant, action, stops_at))
    return found


@dataclass(frozen=True, slots=True)
class LiveJob:
    """A job that has not ended. ``started``: it holds, or has held, what it asked for."""

    id: str
    owner: str
    tenant: str
    started: bool


def jobs_to_end(
    jobs: Iterable[LiveJob], left: Mapping[tuple[str, str], float], policy: Policy, now: float
) -> list[LiveJob]:
    """The jobs that end because their owner has left their team.

    ``left`` maps (owner, tenant) to since when. A job that waits ends at once, as a server's start does; one that has
    started ends after the grace, where the policy is to stop.
    """
    found = []
    for job in jobs:
        since = left.get((job.owner, job.tenant))
        if since is None:
            continue
        if not job.started or (policy.stop and now >= since + policy.grace):
            found.append(job)
    return found


def notice(affected: Affected, team: str, now: float) -> str:
    """What the owner reads about a server that still runs."""
    name = f"server {affected.server!r}" if affected.server else "server"
    told = f"You are not in team {team} any more. Your {name} there can't submit jobs"
    if affected.stops_at is None:
        return f"{told}; it runs until you stop it."
    minutes = max(1, round((affected.stops_at - now) / 60))
    return f"{told}, and it is stopped in {minutes} min: save what you need."
