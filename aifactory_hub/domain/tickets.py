"""A ticket: the right to run, taken before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
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
    tenant's queue (approximate among tickets of the same second; None when not known). ``filed_at`` and
    ``admitted_at`` are seconds since 1970, None when not known; ``max_seconds``, ``database`` and ``sequence``
    are the request's. ``release_asked``: an administrator said that it is to be given back, whoever holds it.
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
