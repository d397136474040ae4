"""A ticket: the right to run, taken before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aifactory_profiles import Device, Resources


class TicketState(StrEnum):
    """QUEUED waits; ADMITTED may run; EVICTED lost its place and must stop; FINISHED is over; GONE does not exist."""

    QUEUED = "queued"
    ADMITTED = "admitted"
    EVICTED = "evicted"
    FINISHED = "finished"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class TicketRequest:
    """What to ask for. ``name`` is unique in the tenant; asking twice with the same name gives the same ticket.

    ``kind`` is "server" or "job" and ``owner`` its id; ``priority`` names a WorkloadPriorityClass. ``node_labels`` are
    those of the nodes of ``flavor``, both the profile's. ``max_seconds`` is how long it may run at most once it is
    admitted, None without a limit: for forecasts, nothing is ended by it. ``database`` is the id of the database that
    knows what the ticket was taken for, ``sequence`` the number of the ticket among those of that database.
    ``running``: what it is for runs already and lost its ticket.
    """

    tenant: str
    name: str
    kind: str
    owner: str
    user: str
    profile: str
    resources: Resources
    priority: str
    node_labels: Mapping[str, str] = field(default_factory=dict)
    max_seconds: int | None = None
    flavor: str = ""
    database: str = ""
    sequence: int = 0
    running: bool = False

    @property
    def takes(self) -> Mapping[Device, int]:
        """What it takes of the tenant's quota."""
        return {Device(self.flavor, resource): count for resource, count in self.resources.devices.items()}


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket as the quota engine sees it now.

    ``uid`` tells two tickets of one name apart. ``node_selector`` is what the engine chose (set once admitted).
    ``message`` is the engine's own reason for waiting or eviction, ``position`` the 0-based place in the
    tenant's queue (approximate among tickets of the same second; None when not known). ``filed_at``, ``admitted_at``,
    ``evicted_at`` and ``ended_at`` are when the engine says that it came into its state, in seconds since 1970, None
    when not known. ``max_seconds``, ``database`` and ``sequence`` are the request's, ``priority`` is what it is now.
    ``release_asked``: an administrator said that it is to be given back, whoever holds it.
    """

    tenant: str
    name: str
    uid: str
    state: TicketState
    kind: str = ""
    owner: str = ""
    user: str = ""
    profile: str = ""
    active: bool = False
    devices: Mapping[Device, int] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    position: int | None = None
    filed_at: float | None = None
    admitted_at: float | None = None
    max_seconds: int | None = None
    database: str = ""
    sequence: int = 0
    release_asked: bool = False
    evicted_at: float | None = None
    ended_at: float | None = None
    priority: str = ""


class Repair(StrEnum):
    """What something that runs needs, so that quota is counted for it."""

    NONE = "none"
    FILE = "file"
    HOLD = "hold"
    GIVE_WAY = "give-way"


def repair_of(ticket: Ticket) -> Repair:
    """What is to be done for something that runs on ``ticket``, which somebody may have deleted or ended.

    It gets a ticket again while there is room, and gives way when there is none: nothing runs uncounted for long. A
    ticket that waits without a reason has not been looked at by the engine yet.
    """
    match ticket.state:
        case TicketState.GONE:
            return Repair.FILE
        case TicketState.ADMITTED:
            return Repair.NONE if ticket.active else Repair.HOLD
        case TicketState.QUEUED:
            return Repair.GIVE_WAY if ticket.message else Repair.NONE
    return Repair.GIVE_WAY


class TicketEvent(StrEnum):
    """What a change of a ticket was.

    QUEUED: it waits, for the first time or again. ADMITTED: it may run. HELD: something runs on it. EVICTED: it lost
    its place while something ran on it. RELEASED: nothing runs on it any more, or it has ended. GONE: it does not exist
    any more; without RELEASED before, whoever deleted it did not give it back first, or that was missed. EXPLAINED:
    it is where it was, and the engine or an administrator says something else of it.
    """

    QUEUED = "queued"
    ADMITTED = "admitted"
    HELD = "held"
    EVICTED = "evicted"
    RELEASED = "released"
    GONE = "gone"
    EXPLAINED = "explained"


class TimeSource(StrEnum):
    """Where the time of a change is from.

    ENGINE: the engine wrote it down itself, by its own clock. HEARD: the change was heard of as it happened, and this
    is when. NOTICED: it was found later, and this is when; it happened at some time before.
    """

    ENGINE = "engine"
    HEARD = "heard"
    NOTICED = "noticed"


@dataclass(frozen=True, slots=True)
class TicketChange:
    """``ticket`` as it is after the change. ``at`` is when that was, in seconds since 1970, from ``source``; ``before``
    is its state before, None when it was not known."""

    ticket: Ticket
    what: TicketEvent
    at: float
    source: TimeSource
    before: TicketState | None


@dataclass(frozen=True, slots=True)
class MissedChanges:
    """Changes were told faster than they were taken, and those that waited were dropped: read again what there is."""


def changes_between(before: Ticket | None, after: Ticket, *, seen_at: float, live: bool) -> Iterator[TicketChange]:
    """What became of a ticket of one uid; ``after`` is GONE when there is none any more.

    ``live``: ``after`` was heard of at ``seen_at`` as it came to be so. Otherwise it was found like this then.
    """
    was = before.state if before is not None else None
    seen = TimeSource.HEARD if live else TimeSource.NOTICED

    def change(what: TicketEvent, at: float | None = None) -> TicketChange:
        source = seen if at is None else TimeSource.ENGINE
        return TicketChange(after, what, seen_at if at is None else at, source, was)

    if before is None:
        yield change(TicketEvent.QUEUED, after.filed_at)
        before = Ticket(after.tenant, after.name, after.uid, TicketState.QUEUED)
    moved = after.state is not before.state
    if moved and after.state is TicketState.GONE:
        yield change(TicketEvent.GONE)
    elif moved and after.state is TicketState.FINISHED:
        yield change(TicketEvent.RELEASED, after.ended_at)
    elif moved or after.active is not before.active:
        if before.active and not after.active:
            yield change(TicketEvent.RELEASED)
        if moved and after.state is TicketState.QUEUED:
            yield change(TicketEvent.QUEUED, after.evicted_at)
        if moved and after.state is TicketState.ADMITTED:
            yield change(TicketEvent.ADMITTED, after.admitted_at)
        if after.active and not before.active:
            yield change(TicketEvent.HELD)
        if moved and after.state is TicketState.EVICTED:
            yield change(TicketEvent.EVICTED, after.evicted_at)
    elif was is not None and after != before:
        yield change(TicketEvent.EXPLAINED)
