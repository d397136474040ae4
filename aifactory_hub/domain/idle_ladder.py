"""What follows from an idle server, step by step: a notice, time that its owner takes, and its stop. Pure.

The steps that were taken are records that are only ever added (``IdleAct``); how far a server is follows from them, so
a restart of the service begins nothing anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from .idle import Busy, Idle, Unknown, Verdict


class IdleAction(StrEnum):
    """What a site does about idle servers. DRY_RUN: nothing, but tell what it would have saved. NOTIFY: tell the
    owner. STOP: tell them, then stop the server."""

    OFF = "off"
    DRY_RUN = "dry-run"
    NOTIFY = "notify"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class IdleRules:
    """Seconds: idle ``after`` so many, told ``notice`` before the stop, kept for ``keep``, ``keeps`` times in a row."""

    action: IdleAction = IdleAction.DRY_RUN
    after: int = 45 * 60
    notice: int = 10 * 60
    keep: int = 2 * 3600
    keeps: int = 3


class Act(StrEnum):
    """What was done. NOTICED: its owner was told. KEPT: they asked for more time. CLEARED: the notice does not hold any
    more, because it is used or nobody knows. WOULD_STOP: a dry run came to its end. STOPPED and NOT_STOPPED: it was
    stopped, or the hub refused to. USED: it is used again after a dry run would have stopped it."""

    NOTICED = "noticed"
    KEPT = "kept"
    CLEARED = "cleared"
    WOULD_STOP = "would-stop"
    STOPPED = "stopped"
    NOT_STOPPED = "not-stopped"
    USED = "used"


@dataclass(frozen=True, slots=True)
class IdleAct:
    """One step: ``until`` is when the notice or the keeping ends, ``since`` from when on the server was idle."""

    act: Act
    at: float
    until: float | None = None
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """How far a server is. ``stop_at``: when it is stopped, once its owner was told. ``keeps``: how often they have
    kept it since it was used last. ``over``: a dry run came to its end, and it has not been used since.
    ``stopped``: the hub stops it, and it is a matter of seconds until it is gone."""

    stop_at: float | None = None
    kept_until: float | None = None
    keeps: int = 0
    over: bool = False
    stopped: bool = False


def place_of(acts: Iterable[IdleAct]) -> Place:
    """How far a server is after these acts, in their order."""
    place = Place()
    for each in acts:
        place = after_act(place, each)
    return place


def after_act(place: Place, act: IdleAct) -> Place:
    """How far it is after one more."""
    match act.act:
        case Act.NOTICED:
            return replace(place, stop_at=act.until, kept_until=None)
        case Act.KEPT:
            return replace(place, stop_at=None, kept_until=act.until, keeps=place.keeps + 1)
        case Act.CLEARED:
            return replace(place, stop_at=None)
        case Act.WOULD_STOP:
            return replace(place, stop_at=None, over=True)
        case Act.NOT_STOPPED:
            return replace(place, stop_at=None, stopped=False)
        case Act.USED:
            return Place()
        case Act.STOPPED:
            return replace(place, stop_at=None, stopped=True)


def next_act(place: Place, verdict: Verdict, rules: IdleRules, now: float, *, may_stop: bool = True) -> IdleAct | None:
    """What is to be done now; None: nothing. A stop that is due is told as STOPPED, and may still fail.

    Without ``may_stop`` a stop waits, as until the server has spoken again.
    """
    if rules.action is IdleAction.OFF:
        return IdleAct(Act.CLEARED, now) if place.stop_at is not None else None
    if isinstance(verdict, Busy):
        return IdleAct(Act.USED, now) if place != Place() else None
    if isinstance(verdict, Unknown):
        # Whoever was told that it stops is told anew, with the whole time, once it is known again.
        return IdleAct(Act.CLEARED, now) if place.stop_at is not None else None
    act = _of_idle(place, verdict, rules, now)
    return None if act is not None and act.act is Act.STOPPED and not may_stop else act


def _of_idle(place: Place, idle: Idle, rules: IdleRules, now: float) -> IdleAct | None:
    if place.stopped or (place.over and rules.action is not IdleAction.STOP):
        return None
    if place.kept_until is not None and now < place.kept_until:
        return None
    if place.stop_at is None:
        return IdleAct(Act.NOTICED, now, now + rules.notice, idle.since)
    if now < place.stop_at or rules.action is IdleAction.NOTIFY:
        return None
    act = Act.STOPPED if rules.action is IdleAction.STOP else Act.WOULD_STOP
    return IdleAct(act, now, None, idle.since)


@dataclass(frozen=True, slots=True)
class KeepRefused:
    """Why a server is not kept for longer."""

    message: str


def keep(place: Place, rules: IdleRules, now: float) -> IdleAct | KeepRefused:
    """The act of an owner who wants the server to stay, or why it can't."""
    if place.stop_at is None:
        return KeepRefused("Nothing is about to stop this server, so there is nothing to keep.")
    if place.keeps >= rules.keeps:
        times = f"{place.keeps} time{'s' * (place.keeps != 1)}"
        return KeepRefused(
            f"This server was kept {times} in a row already. Use it, or move it to a size without a GPU."
        )
    return IdleAct(Act.KEPT, now, now + rules.keep)


def saved_seconds(acts: Sequence[IdleAct], end: float | None, now: float) -> float:
    """Seconds that the stop of one server has saved, or would have: from the end of a dry run until it was used again
    or ended (``end``). What a real stop saved is not known: nobody knows when it would have ended."""
    total, begun = 0.0, None
    until = now if end is None else end
    for each in acts:
        if each.act is Act.WOULD_STOP and begun is None:
            begun = each.at
        elif each.act is Act.USED and begun is not None:
            total, begun = total + each.at - begun, None
    return total + (max(0.0, until - begun) if begun is not None else 0.0)
