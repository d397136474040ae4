"""Approvals: who may vote on what a rule holds, and what the votes come to.

Votes are counted when they are used, with the roles that the voters have then: the vote of somebody who has left the
team, or the group of approvers, no longer counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .tenants import Role
from .verdicts import Need

# The need that one of the team's administrators meets; every other role is a group of approvers of tenants.yaml.
TEAM_ADMIN = "admin"
# A comment of a vote, in characters.
LONGEST_COMMENT = 1000


class ApprovalState(StrEnum):
    """OPEN waits for votes. USED let go on what was held, and is never used again. Nothing leads out of the others.

    WITHDRAWN: what was asked was cancelled. STALE: what would run is no longer what was shown to those who voted.
    """

    OPEN = "OPEN"
    USED = "USED"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"
    STALE = "STALE"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a rule asks for an approval."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Approval:
    """The question to people. Times are epoch seconds.

    ``kind`` and ``subject`` say what it is about, ``verb`` what would be done. ``parts`` are all that decides what
    would run, by name, as text or digest; ``digest`` covers them. ``excluded`` can't vote, nor can ``asked_by``.
    ``title`` names it for people. ``why`` says how it ended; ``reminded``: people
    were told of it again.
    """

    id: str
    tenant: str
    kind: str
    subject: str
    verb: str
    title: str
    digest: str
    parts: Mapping[str, str]
    needs: tuple[Need, ...]
    reasons: tuple[Reason, ...]
    asked_by: str
    excluded: tuple[str, ...]
    asked_at: float
    expires_at: float
    state: ApprovalState = ApprovalState.OPEN
    ended_at: float | None = None
    why: str | None = None
    reminded: bool = False

    def to_be_reminded(self, now: float) -> bool:
        """Whether half of its time is over and nobody has been reminded."""
        return not self.reminded and now >= (self.asked_at + self.expires_at) / 2

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of approvers that it needs, without the team's administrators."""
        return tuple(need.role for need in self.needs if need.role != TEAM_ADMIN)


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's word. ``number`` counts the votes of an approval from 1; a person's last one counts.

    ``emergency``: alone, without the others, and with a comment that says why.
    """

    number: int
    voter: str
    yes: bool
    comment: str
    at: float
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class Approver:
    """The roles of a person now: in the team, and the groups of approvers that they are in."""

    role: Role | None = None
    groups: frozenset[str] = field(default_factory=frozenset)

    def meets(self, need: Need) -> bool:
        """Whether they are one of those whom ``need`` asks for."""
        return self.role is Role.ADMIN if need.role == TEAM_ADMIN else need.role in self.groups


@dataclass(frozen=True, slots=True)
class Standing:
    """How the votes stand. ``missing`` is who is still needed, ``counted`` whose yes counts now.

    ``fallen`` are those who voted and whose vote counts no longer; ``unknown`` those of whom nobody can say it now.
    """

    granted: bool = False
    refused: Vote | None = None
    missing: tuple[Need, ...] = ()
    counted: tuple[str, ...] = ()
    fallen: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    emergency: Vote | None = None


def digest_of_parts(parts: Mapping[str, str]) -> str:
    """One digest of all parts, whatever their order."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()


def changed_parts(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the parts that are not as they were, in order."""
    return tuple(sorted(name for name in {*before, *now} if before.get(name) != now.get(name)))


def why_not_vote(
    approval: Approval, voter: str, approver: Approver, *, emergency_group: str | None = None
) -> str | None:
    """Why this person can't vote on it; None when they can.

    ``emergency_group`` is set for a vote for an emergency alone: its members then meet every need.
    """
    if approval.state is not ApprovalState.OPEN:
        return f"This approval is {approval.state.value.lower()}: nobody votes on it any more."
    if voter == approval.asked_by:
        return "You asked for this yourself: somebody else has to approve it."
    if voter in approval.excluded:
        return "You have a part in this, so somebody else has to approve it."
    if any(approver.meets(need) for need in approval.needs):
        return None
    if emergency_group is not None and emergency_group in approver.groups:
        return None
    return f"You are none of those who can approve this: it needs {needs_in_words(approval.needs)}."


def tally(
    approval: Approval, votes: Iterable[Vote], approvers: Mapping[str, Approver | None], *, emergency_group: str | None
) -> Standing:
    """What the votes come to with the roles of now. ``approvers`` None: nobody can say it now, so the vote waits.

    One "no" of somebody who may vote ends it. One person meets one need only. A vote for an emergency counts alone.
    """
    able, fallen, unknown = _sorted(approval, votes, approvers, emergency_group)
    standing = Standing(fallen=fallen, unknown=unknown, missing=approval.needs)
    against = next((vote for vote in able if not vote.yes), None)
    if against is not None:
        return replace(standing, refused=against)
    alone = next((vote for vote in able if vote.emergency), None)
    if alone is not None:
        return replace(standing, granted=True, missing=(), counted=(alone.voter,), emergency=alone)
    missing, counted = _assign(approval.needs, [vote.voter for vote in able], approvers)
    return replace(standing, granted=not missing, missing=missing, counted=counted)


def _sorted(
    approval: Approval, votes: Iterable[Vote], approvers: Mapping[str, Approver | None], emergency_group: str | None
) -> tuple[list[Vote], tuple[str, ...], tuple[str, ...]]:
    """The last vote of each who may vote, those whose votes fell, and those of whom nobody can say it now."""
    able: list[Vote] = []
    fallen: list[str] = []
    unknown: list[str] = []
    last = {vote.voter: vote for vote in sorted(votes, key=lambda vote: vote.number)}
    for voter, vote in last.items():
        approver = approvers.get(voter)
        group = emergency_group if vote.emergency and vote.yes else None
        if approver is None:
            unknown.append(voter)
        elif why_not_vote(approval, voter, approver, emergency_group=group) is not None:
            fallen.append(voter)
        else:
            # For an emergency vote only that group counts: an administrator votes as such.
            able.append(vote if group is not None and group in approver.groups else replace(vote, emergency=False))
    return able, tuple(fallen), tuple(unknown)


def _assign(
    needs: Sequence[Need], voters: Sequence[str], approvers: Mapping[str, Approver | None]
) -> tuple[tuple[Need, ...], tuple[str, ...]]:
    """The needs that nobody is left for, and who meets one: as many needs as can be met at once (Kuhn's matching)."""
    places = [need for need in needs for _ in range(need.count)]
    holder: dict[int, str] = {}

    def place(voter: str, tried: set[int]) -> bool:
        approver = approvers[voter]
        assert approver is not None  # only those who are known are placed
        for index, need in enumerate(places):
            if index in tried or not approver.meets(need):
                continue
            tried.add(index)
            if index not in holder or place(holder[index], tried):
                holder[index] = voter
                return True
        return False

    for voter in voters:
        place(voter, set())
    open_places = [need.role for index, need in enumerate(places) if index not in holder]
    missing = tuple(Need(role, open_places.count(role)) for role in dict.fromkeys(open_places))
    return missing, tuple(sorted(set(holder.values())))


def needs_in_words(needs: Iterable[Need]) -> str:
    """For people: "one of the team's administrators and two of security"."""
    return " and ".join(_need_in_words(need) for need in needs) or "nobody"


def _need_in_words(need: Need) -> str:
    who = "the team's administrators" if need.role == TEAM_ADMIN else need.role
    return f"{_NUMBERS.get(need.count, str(need.count))} of {who}"


_NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
