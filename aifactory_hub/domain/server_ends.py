"""Why a server that nobody stopped has ended, in words for the person whose it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .formatting import minute, moment
from .pods import PodFact

# Where a server's state in the hub's database has its last end, and what is about to happen to it.
ENDED, NOTICE = "aifactory_ended", "aifactory_notice"
# A server's state, as the hub has stored it; None for one that never had any.
State = Mapping[str, Any] | None


class EndReason(StrEnum):
    """Stable slugs: they are labels of a metric."""

    EXITED = "exited"
    OUT_OF_MEMORY = "out-of-memory"
    EVICTED = "evicted-by-node"
    PREEMPTED = "preempted"
    TENANT_AWAY = "tenant-away"
    TENANT_REPLACED = "tenant-replaced"
    REMOVED = "removed-in-vcluster"
    TEAM_REMOVED = "team-removed"
    NEVER_RAN = "never-ran"
    STOPPED_BY_ADMIN = "stopped-by-admin"
    IDLE = "idle"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class ServerEnd:
    """``why`` is a sentence; ``at`` is in seconds since the epoch."""

    reason: EndReason
    why: str
    at: float

    def to_state(self) -> dict[str, Any]:
        return {"reason": str(self.reason), "why": self.why, "at": self.at}

    @classmethod
    def from_state(cls, state: Mapping[str, Any] | None) -> ServerEnd | None:
        """What ``to_state`` gave; None when there is none, or one that this version does not know."""
        if not state or state.get("reason") not in list(EndReason):
            return None
        return cls(EndReason(state["reason"]), str(state.get("why", "")), float(state.get("at", 0)))


@dataclass(frozen=True, slots=True)
class Notice:
    """A server is going to be stopped at ``until`` (seconds since the epoch), and why."""

    why: str
    until: float

    def to_state(self) -> dict[str, Any]:
        return {"why": self.why, "until": self.until}

    @classmethod
    def from_state(cls, state: Mapping[str, Any] | None) -> Notice | None:
        """What ``to_state`` gave; None when there is none."""
        return cls(str(state["why"]), float(state["until"])) if state else None


def exited(pod: PodFact, code: int, at: float) -> ServerEnd:
    """The server's container has ended with ``code``."""
    said = f": {pod.message}" if pod.message else ""
    if pod.reason == "OOMKilled":
        why = "It used more memory than its profile has, so the node ended it. Choose a profile with more memory."
        return ServerEnd(EndReason.OUT_OF_MEMORY, why, at)
    if pod.reason == "Evicted":
        return ServerEnd(EndReason.EVICTED, f"Its node was short of resources and ended it{said}", at)
    return ServerEnd(EndReason.EXITED, f"Its process ended with exit code {code}{said}", at)


def pod_gone(team: str, api_trouble: str | None, at: float) -> ServerEnd:
    """Its pod is gone from the host. ``api_trouble`` is why the team's vCluster can't be used, None when it can."""
    if api_trouble is not None:
        why = f"Its pod was removed while the vCluster of team {team} could not be used: {api_trouble}"
        return ServerEnd(EndReason.TENANT_AWAY, f"{why}. Your files are kept.", at)
    why = f"The vCluster of team {team} no longer has its pod: it was deleted there, or the vCluster lost its storage."
    return ServerEnd(EndReason.REMOVED, why, at)


def tenant_replaced(team: str, at: float) -> ServerEnd:
    """The tenant was deleted and made anew."""
    why = f"The vCluster of team {team} was deleted, and another vCluster was made under its name."
    return ServerEnd(EndReason.TENANT_REPLACED, why, at)


def team_removed(team: str, at: float) -> ServerEnd:
    """The tenant is not in the registry any more."""
    return ServerEnd(EndReason.TEAM_REMOVED, f"Team {team} was removed from this hub, so its servers were stopped.", at)


def preempted(team: str, message: str, at: float) -> ServerEnd:
    """The quota engine took its place back."""
    why = f"It was stopped to give its quota in team {team} back: {message}. Your files are kept."
    return ServerEnd(EndReason.PREEMPTED, why, at)


def never_ran(text: str, at: float) -> ServerEnd:
    """A start that was under way when the hub was restarted failed. ``text`` says why."""
    return ServerEnd(EndReason.NEVER_RAN, f"The hub was restarted while it started, and it did not come up: {text}", at)


def stopped_by_admin(team: str, admin: str, word: str, at: float) -> ServerEnd:
    """An admin of the team stopped it. ``word`` is what they say of it, which may be nothing."""
    said = f": {word}" if word else "."
    return ServerEnd(EndReason.STOPPED_BY_ADMIN, f"{admin}, an admin of team {team}, stopped it{said}", at)


def stopped_idle(why: str, at: float) -> ServerEnd:
    """Nothing used it. ``why`` is the job service's sentence, with since when."""
    return ServerEnd(EndReason.IDLE, why, at)


def ended_by_budget(team: str, why: str, at: float) -> ServerEnd:
    """A budget of the team, or of the person in it, ends notebooks, and was used up that far."""
    return ServerEnd(EndReason.BUDGET, f"It was stopped by a budget in team {team}: {why}. Your files are kept.", at)


@dataclass(frozen=True, slots=True)
class ServerMessage:
    """A message to the owner of the server of this name; the default server's name is empty."""

    server: str
    text: str


def end_messages(states: Mapping[str, State]) -> tuple[ServerMessage, ...]:
    """The last end of each server, by the servers' stored states. None after a stop that somebody asked for."""
    ends = {name: ServerEnd.from_state((state or {}).get(ENDED)) for name, state in states.items()}
    return tuple(ServerMessage(name, end_text(name, end)) for name, end in ends.items() if end is not None)


def notice_messages(states: Mapping[str, State]) -> tuple[ServerMessage, ...]:
    """What is about to happen to each server, by the servers' stored states."""
    notices = {name: Notice.from_state((state or {}).get(NOTICE)) for name, state in states.items()}
    return tuple(
        ServerMessage(name, notice_text(name, notice)) for name, notice in notices.items() if notice is not None
    )


def end_text(server: str, end: ServerEnd) -> str:
    """When and why, in sentences."""
    return f"{_server(server)} ended at {minute(end.at)}. {_sentence(end.why)}"


def notice_text(server: str, notice: Notice) -> str:
    """When, why, and what to do, in sentences."""
    return (
        f"{_server(server)} is stopped at {moment(notice.until)}, to give its quota back: {_sentence(notice.why)} "
        "Save your work now. Your files are kept."
    )


def _server(name: str) -> str:
    return f"Your server {name}" if name else "Your server"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def duration(seconds: float) -> str:
    """For people: the two largest units at most."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    hours, minutes = divmod(whole // 60, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
