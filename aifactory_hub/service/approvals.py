"""Has people approve what a rule holds."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..domain.approvals import (
    Approval,
    ApprovalState,
    Approver,
    Reason,
    Standing,
    Vote,
    changed_parts,
    tally,
)
from ..domain.verdicts import Finding, Need, Question, Target
from ..registry.model import ApprovalsConfig
from ..store.approvals import Approvals
from .auth.memberships import Members
from .errors import ServiceError
from .executors import reads


class ApprovalDesk(Protocol):
    """Has people vote on what a rule holds."""

    async def granted(
        self,
        question: Question,
        needs: Sequence[Need],
        *,
        excluded: Collection[str] = (),
        findings: Sequence[Finding] = (),
    ) -> str | None:
        """The id of a granted approval of exactly this verb, subject and digest, which is used thereby.

        None: nobody has granted it; one is open now, and ``question.user`` and ``excluded`` can't vote on it.
        ``findings`` say why it is needed.
        """

    async def progress(self, kind: str, subject: str, verb: str) -> Progress:
        """How the last approval of this goes. Neither waiting nor refused: it is worth asking for it again."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How an approval goes. ``waits``: votes are missing. ``against`` is why it will not be granted."""

    waits: bool
    against: str | None = None


class NoApprovals:
    """The desk of a site where nobody can approve: what a rule holds stays held."""

    async def granted(
        self,
        question: Question,
        needs: Sequence[Need],
        *,
        excluded: Collection[str] = (),
        findings: Sequence[Finding] = (),
    ) -> str | None:
        """See ApprovalDesk."""
        return None

    async def progress(self, kind: str, subject: str, verb: str) -> Progress:
        """See ApprovalDesk."""
        return Progress(waits=True)


@dataclass(frozen=True, slots=True)
class Asking:
    """What people are to approve: see domain.approvals.Approval for the fields."""

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
    excluded: tuple[str, ...] = ()


class Desk:
    """The approvals of a site. ``get_config`` gives what tenants.yaml says of them now."""

    def __init__(
        self,
        store: Approvals,
        members: Members | None,
        get_config: Callable[[], ApprovalsConfig],
        clock: Callable[[], float],
    ) -> None:
        self.store = store
        self._members = members
        self._get_config = get_config
        self._clock = clock

    @property
    def config(self) -> ApprovalsConfig:
        """As it is now."""
        return self._get_config()

    async def current(self, asking: Asking) -> Approval:
        """The open approval of exactly this. One of something else of the same subject becomes stale thereby."""
        found = await reads.run(self.store.open_of, asking.kind, asking.subject, asking.verb)
        if found is not None and (why := _why_stale(found, asking)) is not None:
            await self.end(found, ApprovalState.STALE, why)
            found = None
        if found is None:
            found = await reads.run(self.store.open, self._new(asking), notify=self.config.notify)
        return found

    async def approvers(self, tenant: str, names: Collection[str]) -> Mapping[str, Approver | None]:
        """The roles of these people now; None for whom nobody can say it."""
        if self._members is None or not names:
            return dict.fromkeys(names)
        try:
            # Watched: the hub then asks the provider again for them while something waits for their votes.
            found = await self._members.of(names, watch=True)
        except ServiceError:
            return dict.fromkeys(names)
        known = ((name, found[name]) for name in names)
        return {name: None if one.unknown else Approver(one.tenants.get(tenant), one.approves) for name, one in known}

    async def standing(self, approval: Approval, votes: Sequence[Vote]) -> Standing:
        """How the votes stand, with the roles of now."""
        approvers = await self.approvers(approval.tenant, {vote.voter for vote in votes})
        return tally(approval, votes, approvers, emergency_group=self.config.emergency)

    async def votes(self, approval: Approval) -> list[Vote]:
        """The votes on it, in their order."""
        return (await reads.run(self.store.votes, [approval.id]))[approval.id]

    async def end(self, approval: Approval, state: ApprovalState, why: str) -> bool:
        """End it; whether this call did."""
        return await reads.run(self.store.end, approval, state, why, now=self._clock(), notify=self.config.notify)

    async def remind(self, approval: Approval) -> None:
        """Tell of it again where it is time to."""
        if approval.to_be_reminded(self._clock()):
            await reads.run(self.store.remind, approval, now=self._clock(), notify=self.config.notify)

    async def granted(
        self,
        question: Question,
        needs: Sequence[Need],
        *,
        excluded: Collection[str] = (),
        findings: Sequence[Finding] = (),
    ) -> str | None:
        """See ApprovalDesk."""
        asking = Asking(
            question.tenant,
            question.target.value,
            question.subject,
            question.verb.value,
            question.title or question.subject,
            question.digest,
            {"what": question.title or question.subject, "digest": question.digest},
            tuple(needs),
            reasons_of(findings),
            question.user,
            tuple(excluded),
        )
        approval = await self.current(asking)
        standing = await self.standing(approval, await self.votes(approval))
        if standing.refused is not None:
            await self.end(approval, ApprovalState.REFUSED, refused_words(standing.refused))
        elif not standing.granted and approval.expires_at <= self._clock():
            await self.end(approval, ApprovalState.EXPIRED, "nobody decided in time")
            await self.current(asking)
        elif standing.granted and await self.end(approval, ApprovalState.USED, granted_words(standing)):
            return approval.id
        return None

    async def progress(self, kind: str, subject: str, verb: str) -> Progress:
        """See ApprovalDesk."""
        all_of_it = await reads.run(self.store.of_subject, kind, subject)
        last = next((each for each in all_of_it if each.verb == verb), None)
        if last is None or last.state is not ApprovalState.OPEN:
            return Progress(waits=False, against=_why_over(last))
        return await self._tend(last)

    async def tend(self) -> None:
        """Look at all that waits but jobs, which are looked at by themselves: end what is refused or over, remind."""
        for approval in await reads.run(self.store.waiting, without=Target.JOB.value):
            await self._tend(approval)

    async def _tend(self, approval: Approval) -> Progress:
        standing = await self.standing(approval, await self.votes(approval))
        against = None if standing.refused is None else refused_words(standing.refused)
        if against is not None:
            await self.end(approval, ApprovalState.REFUSED, against)
        elif not standing.granted and approval.expires_at <= self._clock():
            against = "nobody decided in time"
            await self.end(approval, ApprovalState.EXPIRED, against)
        else:
            await self.remind(approval)
        return Progress(waits=against is None and not standing.granted, against=against)

    def _new(self, asking: Asking) -> Approval:
        now = self._clock()
        return Approval(
            id=f"a{secrets.token_hex(6)}",
            tenant=asking.tenant,
            kind=asking.kind,
            subject=asking.subject,
            verb=asking.verb,
            title=asking.title,
            digest=asking.digest,
            parts=asking.parts,
            needs=asking.needs,
            reasons=asking.reasons,
            asked_by=asking.asked_by,
            excluded=asking.excluded,
            asked_at=now,
            expires_at=now + self.config.expire_after,
        )


def reasons_of(findings: Iterable[Finding]) -> tuple[Reason, ...]:
    """Which rules ask for the approval, and what they say."""
    return tuple(Reason(one.rule, one.message) for one in findings if one.needs and one.enforced)


def _why_stale(approval: Approval, asking: Asking) -> str | None:
    """Why the votes on this approval are not about what is asked; None when they are."""
    if approval.digest != asking.digest:
        parts = ", ".join(changed_parts(approval.parts, asking.parts)) or "what is asked"
        return f"changed since the approval was asked for: {parts}"
    if approval.needs != asking.needs:
        return "the rules ask for other people now"
    return None


def _why_over(approval: Approval | None) -> str | None:
    """Why an ended approval will not be granted; None where it was used, or may be asked for again."""
    if approval is None or approval.state in (ApprovalState.USED, ApprovalState.STALE):
        return None
    return approval.why or f"its approval {approval.id} is {approval.state.value.lower()}"


def refused_words(vote: Vote) -> str:
    """Who refused it, and their word."""
    return f"refused by {vote.voter}" + (f": {vote.comment}" if vote.comment else "")


def granted_words(standing: Standing) -> str:
    """Who let it go on."""
    if standing.emergency is not None:
        return f"let go in an emergency by {standing.emergency.voter}: {standing.emergency.comment}"
    return f"approved by {' and '.join(standing.counted)}"
