"""The end of a team: said beforehand, then nothing new starts, then it is drained and kept. Pure.

Nothing here deletes anything. What is kept goes when two people have said so, by the namespace's uid.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .formatting import moment
from .refusals import Refusal, RefusalReason
from .tenants import Retirement, Tenant


class Phase(StrEnum):
    """How far the end of a team is: not in sight, said, begun."""

    STAYS = "stays"
    NOTICE = "notice"
    ENDS = "ends"


def phase_of(retirement: Retirement | None, now: float) -> Phase:
    """``now`` in epoch seconds."""
    if retirement is None or (retirement.notice is not None and now < retirement.at - retirement.notice):
        return Phase.STAYS
    return Phase.NOTICE if now < retirement.at else Phase.ENDS


def notice_of(tenant: Tenant, now: float) -> str:
    """What the team's people are told; empty for a team that stays."""
    retirement, phase = tenant.retirement, phase_of(tenant.retirement, now)
    if retirement is None or phase is Phase.STAYS:
        return ""
    ask = f" Ask {retirement.contact}." if retirement.contact else ""
    if retirement.notice is not None:
        ask = " Its administrators can ask for more time."
    when = moment(retirement.at)
    if phase is Phase.NOTICE:
        return f"Team {tenant.name} ends: from {when} on nothing starts in it, and what runs is ended.{ask}"
    kept = f"Its volumes are kept until {moment(retirement.at + retirement.keep)}, at least."
    return f"Team {tenant.name} has ended: since {when} nothing starts in it. {kept}{ask}"


def review_retirement(tenant: Tenant, now: float) -> Refusal | None:
    """Why nothing new may start in the team; None: it may."""
    if phase_of(tenant.retirement, now) is not Phase.ENDS:
        return None
    return Refusal(RefusalReason.TEAM_RETIRED, notice_of(tenant, now), field="tenant")


@dataclass(frozen=True, slots=True)
class Purge:
    """Somebody wants what is kept of a team to be deleted. ``uid`` is the namespace's, as they wrote it."""

    asked_by: str
    agreed_by: str
    uid: str


def purge_problem(tenant: Tenant, purge: Purge, uid: str, stage: str, now: float) -> str:
    """Why it may not be done; empty: it may. ``uid`` is the namespace's, ``stage`` the team's."""
    retirement = tenant.retirement
    if retirement is None or phase_of(retirement, now) is not Phase.ENDS:
        return f"team {tenant.name} has not ended: write `retire` with a day that is past into its section"
    if stage != "retired":
        return f"team {tenant.name} is {stage}: wait until it is drained"
    if now < retirement.at + retirement.keep:
        return f"it is kept until {moment(retirement.at + retirement.keep)}: change `retire.keep` if that is too long"
    if purge.uid != uid:
        return (
            f"the namespace's uid is not {purge.uid!r}: look at the namespace (kubectl get -o yaml), and write its uid"
        )
    if not purge.asked_by or not purge.agreed_by or purge.asked_by == purge.agreed_by:
        return "it takes two people: one asks, and another one agrees"
    return ""
