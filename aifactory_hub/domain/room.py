"""Whether somebody may put more bytes on the service's disk: counts in, an answer out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .refusals import Refusal, RefusalReason

# What is counted, with the words that people read.
KINDS: Mapping[str, str] = {
    "packs": "files sent for jobs",
    "manifests": "lists of those files",
    "artifacts": "result files",
    "logs": "logs",
    "live_logs": "logs of jobs that run",
    "uploads": "uploads that go on",
}
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """``person`` and ``team`` in bytes: what one person of a team, and all of it together, may hold.

    ``free_percent``: the part of the disk that uploads leave free.
    """

    person: int
    team: int
    free_percent: int


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that the service writes to, in bytes. ``free`` is what is left after all uploads that go on."""

    total: int
    free: int


def decide_room(
    asked: int,
    *,
    tenant: str,
    person: Mapping[str, int],
    team: Mapping[str, int],
    limits: RoomLimits,
    disk: Disk,
) -> Refusal | None:
    """Why ``asked`` more bytes may not come; None when they may. ``person`` and ``team``: bytes held, by kind."""
    floor = disk.total * limits.free_percent // 100
    if disk.free - asked < floor:
        message = (
            f"The service's disk has {_shown(disk.free)} free, and uploads leave {_shown(floor)} of it free: "
            f"{_shown(asked)} can't be taken now. Jobs go on. Tell the administrator."
        )
        return Refusal(RefusalReason.DISK_FULL, message, asked=asked, used=disk.total - disk.free, limit=floor)
    for held, limit, who in ((person, limits.person, "You hold"), (team, limits.team, f"Team {tenant} holds")):
        used = sum(held.values())
        if used + asked > limit:
            message = (
                f"{who} {_shown(used)} of the {_shown(limit)} that may be held in team {tenant} ({_listed(held)}), and "
                f"this is {_shown(asked)} more. Remove result files of jobs that have ended (DELETE "
                "jobs/<id>/artifacts), or wait until they are removed by time."
            )
            return Refusal(RefusalReason.NO_ROOM, message, asked=asked, used=used, limit=limit)
    return None


def log_limit(most: int, least: int, room: Refusal | None) -> int:
    """How many bytes of a log are kept: all that may be, or the end of it where there is no room."""
    return most if room is None else min(most, least)


def _listed(held: Mapping[str, int]) -> str:
    largest = sorted((kind for kind in held if held[kind]), key=lambda kind: -held[kind])
    return ", ".join(f"{KINDS[kind]}: {_shown(held[kind])}" for kind in largest) or "nothing"


def _shown(count: int) -> str:
    return f"{count / _MIB:.1f} MiB" if count < 1024 * _MIB else f"{count / _MIB / 1024:.1f} GiB"
