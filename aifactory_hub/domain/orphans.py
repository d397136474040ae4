"""Pods and tickets that no server or job stands behind: which of them may be removed. Pure.

A database can be empty, restored from an old backup, or another one. Then it knows nothing of what runs, and everything
looks as if nobody needed it. So what this database did not make, and what is too much at once, is held for a person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from .. import constants
from .pods import PodFact
from .tickets import Ticket

# More than this many at once, and more than half of all, are not removed without a person.
MANY = 3


@dataclass(frozen=True, slots=True)
class ServerKey:
    """One server in one tenant, wherever it is known from. ``owner`` is the server's id."""

    tenant: str
    owner: str


@dataclass(frozen=True, slots=True)
class Orphan:
    """A pod with this hub's identity and no server. ``uid`` is the host pod's, ``since`` when it was first seen so."""

    key: ServerKey
    pod: str
    uid: str
    phase: str
    since: float


def find_orphans(
    pods: Iterable[PodFact],
    hub: str,
    tenants: Mapping[tuple[str, str], str],
    known: Collection[ServerKey],
    before: Iterable[Orphan],
    now: float,
) -> list[Orphan]:
    """The pods of server kind that carry this hub's label and belong to no ``known`` server.

    ``tenants`` names the tenant of (host namespace, vCluster); pods of any other are not judged. ``before`` is
    what was found last, so that each keeps the time since when it has been one. Pods that are going are left out.
    """
    since = {orphan.uid: orphan.since for orphan in before}
    found = []
    for pod in pods:
        tenant = tenants.get((pod.host_namespace, pod.vcluster))
        if tenant is None or pod.deleting or not _is_server_of(pod, hub):
            continue
        key = ServerKey(tenant, pod.labels.get(constants.LABEL_OWNER, ""))
        if key not in known:
            found.append(Orphan(key, pod.name, pod.uid, pod.phase, since.get(pod.uid, now)))
    return sorted(found, key=lambda orphan: (orphan.key.tenant, orphan.pod))


def to_remove(orphans: Collection[Orphan], *, delay: float, now: float, servers: int) -> list[Orphan]:
    """Those that have been orphans for at least ``delay`` seconds; none when they are many beside ``servers``."""
    if are_many(len(orphans), len(orphans) + servers):
        return []
    return [orphan for orphan in orphans if now - orphan.since >= delay]


def _is_server_of(pod: PodFact, hub: str) -> bool:
    labels = pod.labels
    return (
        pod.namespace == constants.NOTEBOOKS_NAMESPACE
        and labels.get(constants.LABEL_HUB) == hub
        and labels.get(constants.LABEL_OWNER_KIND) == "server"
        and bool(labels.get(constants.LABEL_OWNER))
    )


class HoldReason(StrEnum):
    """Why a ticket that nobody holds is not given back. Stable slugs: they are labels of a metric."""

    OTHER_DATABASE = "other-database"
    NO_DATABASE = "no-database"
    MANY = "many-at-once"


@dataclass(frozen=True, slots=True)
class HeldTicket:
    """A ticket that nobody holds and that only a person may give back."""

    ticket: Ticket
    reason: HoldReason


@dataclass(frozen=True, slots=True)
class TicketVerdicts:
    """What becomes of the tickets that nobody holds."""

    give_back: tuple[Ticket, ...] = ()
    held: tuple[HeldTicket, ...] = ()


def are_many(lost: int, total: int) -> bool:
    """Whether ``lost`` of ``total`` things are more than can be orphans: more than MANY, and more than half."""
    return lost > MANY and 2 * lost > total


def ticket_key(ticket: Ticket) -> str:
    """Names one ticket of a hub, and no other that had its name before."""
    return f"{ticket.tenant}/{ticket.name}/{ticket.uid}"


def is_behind(tickets: Iterable[Ticket], database: str, sequence: int) -> bool:
    """Whether a database has filed tickets that it does not know of: it was restored from a backup.

    ``sequence`` is the number of the last ticket that it remembers.
    """
    return any(ticket.database == database and ticket.sequence > sequence for ticket in tickets)


def judge_tickets(
    tickets: Collection[Ticket], known: Collection[str], *, database: str | None, held_before: Collection[str] = ()
) -> TicketVerdicts:
    """Which tickets of one kind, of all tenants, may be given back, and which are held for a person.

    ``known`` are the names of tickets that servers or jobs hold. ``database`` is the id of the database that knows
    them, None when that can't be told. ``held_before`` are the keys of tickets that were held at an earlier look: they
    stay held. A ticket whose release an administrator asked for is given back, also one of another database.
    """
    unheld = [ticket for ticket in tickets if ticket.name not in known]
    ours = [ticket for ticket in unheld if database and ticket.database == database and not ticket.release_asked]
    many = are_many(len(ours), len(tickets))
    give_back, held = [], []
    for ticket in unheld:
        if ticket.release_asked:
            give_back.append(ticket)
        elif not ticket.database:
            held.append(HeldTicket(ticket, HoldReason.NO_DATABASE))
        elif ticket.database != database:
            held.append(HeldTicket(ticket, HoldReason.OTHER_DATABASE))
        elif many or ticket_key(ticket) in held_before:
            held.append(HeldTicket(ticket, HoldReason.MANY))
        else:
            give_back.append(ticket)
    return TicketVerdicts(tuple(give_back), tuple(held))
