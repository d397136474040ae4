"""Why a request waits and what would let it go, in one sentence each: pure. The same on every page and command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from aifactory_profiles import Device

from ..constants import KIND_SERVER
from .budgets import HELD_BY
from .formatting import iso
from .menu import TeamLoad
from .quota import Holder, Usage
from .tenants import Tenant
from .tickets import Ticket

# More holders than these are not named.
_MOST_NAMES = 3


class WaitCause(StrEnum):
    """Slugs for programs.

    NEVER: more than the team may hold. OWN: its notebooks hold all that notebooks may have. NO_BORROWING: its own are
    held, and it may borrow none. BORROWED: it has borrowed as many as it may. CLUSTER: its own are held, and nobody
    leaves one idle. LENT: other teams hold some of its own. BEHIND: others of the team are served first. NO_SLICE:
    it has its quota, and no node has a free slice. APPROVAL and BUDGET hold it. LATER: it is tried again. ENGINE: the
    quota engine says why. UNKNOWN: not known.
    """

    NEVER = "never"
    OWN = "own"
    NO_BORROWING = "no-borrowing"
    BORROWED = "borrowed"
    CLUSTER = "cluster"
    LENT = "lent"
    BEHIND = "behind"
    NO_SLICE = "no-slice"
    APPROVAL = "approval"
    BUDGET = "budget"
    LATER = "later"
    ENGINE = "engine"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WaitReason:
    """``why`` it waits, and what ``lets_go``; both are sentences."""

    cause: WaitCause
    why: str
    lets_go: str


_NOT_KNOWN = WaitReason(
    WaitCause.UNKNOWN,
    "Why it waits is not known now: the cluster did not say what is in use.",
    "It is served in its turn; what is in use is asked again at the next look.",
)


def reason_of(ticket: Ticket, tenant: Tenant, load: TeamLoad) -> WaitReason:
    """Why a ticket waits for quota. Names people of its own team alone."""
    if load.usage is None or load.queue is None:
        return _NOT_KNOWN
    for device, asked in ticket.devices.items():
        found = _of_device(ticket, tenant, load, load.usage, device, asked)
        if found is not None:
            return found
    before = _before(ticket, load.queue)
    if before:
        what = "request" if before == 1 else "requests"
        return WaitReason(
            WaitCause.BEHIND,
            f"{before} {what} of the team for the same devices come before it.",
            "It is served after them; a more urgent job goes before less urgent ones of the team.",
        )
    if ticket.message:
        return WaitReason(
            WaitCause.ENGINE, f"The quota engine says: {ticket.message}", "It is looked at again each time."
        )
    return WaitReason(
        WaitCause.UNKNOWN,
        "Its team has room for it and nothing comes before it: why it waits is not known.",
        "It starts at the quota engine's next look, or an administrator asks the engine.",
    )


def reason_of_held_job(state: str, reason: str | None) -> WaitReason:
    """Why a job without a ticket waits, from its ``state`` and what the service noted; it has taken nothing yet."""
    said = (reason or "").strip()
    if state == "HELD" and said.startswith(HELD_BY):
        return WaitReason(
            WaitCause.BUDGET,
            f"It is {said}.",
            "It goes on by itself when the budget resets, has room again, or gets more (budget grant).",
        )
    if state == "HELD":
        return WaitReason(
            WaitCause.APPROVAL,
            f"It is {said or 'held until somebody approves it'}.",
            "It goes on when those who are named approve it on the Approvals page.",
        )
    return WaitReason(
        WaitCause.LATER,
        f"It has no ticket yet: {said}." if said else "It has no ticket yet; why is not known.",
        "The service asks for its ticket again by itself.",
    )


def reason_of_pod(unscheduled: str | None) -> WaitReason:
    """Why a pod that has its quota is on no node. ``unscheduled`` is what the scheduler says."""
    said = f" The scheduler says: {unscheduled}" if unscheduled else ""
    return WaitReason(
        WaitCause.NO_SLICE,
        f"It has its quota, and no node has the slice free that it needs.{said}",
        "It starts when a slice of its size is given back, or when a GPU is cut so that there is one.",
    )


def _of_device(
    ticket: Ticket, tenant: Tenant, load: TeamLoad, usage: Usage, device: Device, asked: int
) -> WaitReason | None:
    """What stands against it for one device; None where there is room."""
    name = ticket.profile if len(ticket.devices) == 1 else str(device)
    quota, notebook = tenant.quota, ticket.kind == KIND_SERVER
    own, used = quota.nominal.get(device, 0), usage.used.get(device, 0)
    most = quota.notebook_limit(device) if notebook else quota.limit(device)
    if asked > most:
        why = f"It asks for {asked} of {name}, and the team's {'notebooks' if notebook else 'jobs'} may hold {most}."
        return WaitReason(WaitCause.NEVER, why, "It can't start unless the team's quota in tenants.yaml is raised.")
    if notebook and usage.by(KIND_SERVER, device) + asked > most:
        why = f"The team's notebooks hold {usage.by(KIND_SERVER, device)} of the {most} {name} that they may have."
        return WaitReason(WaitCause.OWN, why, _ends(usage, device, kind=KIND_SERVER))
    if asked <= own - used:
        return _lent(load, device, asked, name)
    return _beyond_own(tenant, load, usage, device, asked, name)


def _lent(load: TeamLoad, device: Device, asked: int, name: str) -> WaitReason | None:
    """The team's own, which others may hold; None when there are enough idle ones, or when that is not known."""
    if load.cluster_used is None or load.carved.get(device, 0) - load.cluster_used.get(device, 0) >= asked:
        return None
    return WaitReason(
        WaitCause.LENT,
        f"Other teams hold what the team owns of {name} and had left idle.",
        "They are asked to give it back, and it starts when they have ended or been ended, as `reclaim` says.",
    )


def _beyond_own(
    tenant: Tenant, load: TeamLoad, usage: Usage, device: Device, asked: int, name: str
) -> WaitReason | None:
    own, may = tenant.quota.nominal.get(device, 0), tenant.quota.borrowing.get(device, 0)
    used, ends = usage.used.get(device, 0), _ends(usage, device)
    borrowed = max(0, used - own)
    holds = f"The team holds {min(used, own)} of its own {own} {name}"
    if may == 0:
        return WaitReason(WaitCause.NO_BORROWING, f"{holds}, and may borrow none.", f"{ends} Or the team may borrow.")
    if used + asked > own + may:
        why = f"{holds} and {borrowed} borrowed, and may borrow {may}."
        return WaitReason(WaitCause.BORROWED, why, ends)
    if load.borrowable is None:
        why = f"{holds}; what other teams leave idle is not known now."
        return WaitReason(WaitCause.UNKNOWN, why, ends)
    if max(0, own - used) + load.borrowable.get(device, 0) >= asked:
        return None
    left = load.borrowable.get(device, 0)
    why = f"{holds}, and other teams leave {left or 'none'} idle that it may borrow."
    return WaitReason(WaitCause.CLUSTER, why, f"{ends} Or another team leaves some idle.")


def _before(ticket: Ticket, queue: Sequence[Ticket]) -> int:
    names = [each.name for each in queue]
    place = names.index(ticket.name) if ticket.name in names else len(queue)
    return sum(any(each.devices.get(device) for device in ticket.devices) for each in queue[:place])


def _ends(usage: Usage, device: Device, kind: str | None = None) -> str:
    """Who in the team has to give some back: those first that end first."""
    holders = [each for each in usage.holders if each.devices.get(device) and kind in (None, each.kind)]
    if not holders:
        return "It starts when some are given back."
    ordered = sorted(
        holders, key=lambda each: (each.ends_by is None, each.ends_by or 0.0, each.since or 0.0, each.owner)
    )
    named = "; ".join(_words(each) for each in ordered[:_MOST_NAMES])
    more = f"; {len(ordered) - _MOST_NAMES} more" if len(ordered) > _MOST_NAMES else ""
    return f"It starts when enough of these have ended: {named}{more}."


def _words(holder: Holder) -> str:
    by = "" if holder.ends_by is None else f", by {iso(holder.ends_by)} at the latest"
    what = "server" if holder.kind == KIND_SERVER else f"{holder.kind} {holder.owner}"
    return f"{what} of {holder.user}{by}"
