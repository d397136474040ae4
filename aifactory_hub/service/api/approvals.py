"""Approvals: who waits for whom, and the vote, which only a person in a browser can give."""

from __future__ import annotations

from collections.abc import Sequence

from ... import constants
from ...domain.approvals import (
    Approval,
    ApprovalState,
    Approver,
    Standing,
    Vote,
    needs_in_words,
    why_not_vote,
)
from ...domain.formatting import iso_millis
from ...domain.verdicts import Need, Target
from ..answer_types import NeedAnswer
from ..approval_types import (
    ApprovalAnswer,
    ApprovalPage,
    ApprovalQuery,
    SiteApprovalsQuery,
    VoteAnswer,
    VoteRequest,
    WaitingApprovals,
)
from ..approvals import Desk
from ..auth.permissions import Caller
from ..errors import ServiceError, bad_field, forbidden, unavailable
from .base import Handler, run_sync
from .operations import Access, operation

_MOST_WAITING = 200


class _OfApprovals(Handler):
    @property
    def desk(self) -> Desk:
        """The site's approvals. Raises ServiceError (503) where nobody can approve."""
        if not isinstance(self.context.approvals, Desk):
            raise unavailable("no-approvals", "This service has no approvals.")
        return self.context.approvals

    def groups_of(self, caller: Caller) -> frozenset[str]:
        """The groups of approvers by which the caller sees other teams' approvals.

        By a browser's session alone: a token of a notebook or job, and a personal one, is for its teams.
        """
        return caller.approves if self.in_browser else frozenset()

    def may_see(self, caller: Caller, approval: Approval) -> bool:
        """Whether the caller's token is for its team, or the caller is one of those whom it needs.

        Who asked for a team sees it too: the team is not there yet.
        """
        if approval.kind == Target.TENANT.value and approval.asked_by == caller.name:
            return True
        readable = caller.tenants(constants.SCOPE_READ, self.context.registry.tenants)
        groups = self.groups_of(caller)
        return approval.tenant in readable or bool(groups & {*approval.groups, self.desk.config.emergency})

    async def approval_for(self, caller: Caller, approval_id: str) -> Approval:
        """The approval. Raises ServiceError (404) where the caller may not see it."""
        found: Approval | None = await run_sync(self.desk.store.get, approval_id)
        if found is None or not self.may_see(caller, found):
            message = f"There is no approval {approval_id!r} that you may see."
            raise ServiceError(404, "unknown-approval", message, field="id")
        return found

    async def answer_for(self, caller: Caller, approval: Approval, votes: Sequence[Vote]) -> ApprovalAnswer:
        """The answer about one approval, with the votes as they count now."""
        open_now = approval.state is ApprovalState.OPEN
        standing = await self.desk.standing(approval, votes) if open_now else Standing()
        return approval_answer(approval, votes, standing, caller, emergency_group=self.desk.config.emergency)


class ApprovalList(_OfApprovals):
    """What waits, and what was decided."""

    @operation(
        "listApprovals",
        "Approvals of the caller's teams, of teams that they asked for, and those that need a group that they are in.",
        answer=ApprovalPage,
        query=ApprovalQuery,
    )
    async def get(self) -> None:
        """The newest first."""
        caller = await self.caller()
        asked = self.query(ApprovalQuery)
        tenants = self.tenants_to_read(caller, asked.tenant)
        groups = self.groups_of(caller) if asked.tenant is None else frozenset()
        store = self.desk.store
        if asked.subject is not None:
            found = await run_sync(store.about, asked.subject)
            found = [one for one in found if self.may_see(caller, one)][: asked.limit]
        else:
            asker = caller.name if asked.tenant is None else None
            chosen = {"groups": groups, "asker": asker, "states": asked.state, "limit": asked.limit}
            found = await run_sync(store.newest, tenants, **chosen)
        votes = await run_sync(store.votes, [one.id for one in found]) if found else {}
        answers = [await self.answer_for(caller, one, votes[one.id]) for one in found]
        self.answer({"approvals": answers, "waiting": sum(_waits(answer, caller.name) for answer in answers)})


class ApprovalOne(_OfApprovals):
    """One approval."""

    @operation("getApproval", "One approval, with its votes as they count now.", answer=ApprovalAnswer)
    async def get(self, approval_id: str) -> None:
        """As it is now."""
        caller = await self.caller()
        approval = await self.approval_for(caller, approval_id)
        self.answer(await self.answer_for(caller, approval, await self.desk.votes(approval)))


class ApprovalVote(_OfApprovals):
    """A person's vote."""

    @operation(
        "voteOnApproval",
        "Approve or refuse; only with the session of a browser. The same vote again changes nothing.",
        answer=ApprovalAnswer,
        body=VoteRequest,
    )
    async def put(self, approval_id: str) -> None:
        """A later vote of a person replaces an earlier one while the approval is open."""
        caller = await self._voter()
        asked = await self.body(VoteRequest, caller.name)
        approval = await self.approval_for(caller, approval_id)
        self._check(caller, approval, asked)
        vote = await run_sync(
            self.desk.store.vote,
            approval,
            caller.name,
            yes=asked.vote == "yes",
            comment=asked.comment,
            emergency=asked.emergency,
            now=self.context.clock(),
            notify=self.desk.config.notify,
        )
        if vote is None:
            raise _over(await self.approval_for(caller, approval_id))
        if approval.kind == Target.JOB.value:
            self.context.reconciler.hurry(approval.subject)
        if approval.kind == Target.TENANT.value:
            await self.context.team_desk.look_at(approval.subject)
        self.answer(await self.answer_for(caller, approval, await self.desk.votes(approval)))

    async def _voter(self) -> Caller:
        """The person. Raises ServiceError (403) for every token but that of a browser's session here.

        The token in a notebook's environment can be read by all code that runs there, so it could vote without its
        owner; a personal token can be given away.
        """
        if not self.in_browser:
            page = (
                f"{self.context.registry.addresses.public or '/'}".rstrip("/") + f"{self.settings['prefix']}approvals"
            )
            raise forbidden(f"A token can't vote: approve or refuse in your browser, at {page}.")
        return await self.caller(fresh=True)

    def _check(self, caller: Caller, approval: Approval, asked: VoteRequest) -> None:
        """Raises ServiceError where this vote can't be given."""
        if approval.state is not ApprovalState.OPEN:
            raise _over(approval)
        if asked.digest != approval.digest:
            message = "This is not what was shown to you: it has changed. Load the page again and look at it."
            raise ServiceError(409, "approval-changed", message, field="digest")
        group = self.desk.config.emergency if asked.emergency else None
        if asked.emergency and (group is None or group not in caller.approves):
            raise forbidden("You are not in the site's emergency group, so you can't approve it alone.")
        if asked.emergency and (asked.vote == "no" or not asked.comment.strip()):
            raise bad_field("comment", "Say in the comment why this can't wait for those who usually approve it.")
        if asked.vote == "no" and not asked.comment.strip():
            raise bad_field("comment", "Say in the comment why you refuse it: the person who asked reads it.")
        why = why_not_vote(approval, caller.name, _approver(caller, approval), emergency_group=group)
        if why is not None:
            raise forbidden(why)


class SiteApprovals(_OfApprovals):
    """For the hub's Home page: how many approvals wait for somebody."""

    @operation(
        "countApprovalsOf",
        "How many approvals wait for a person's vote.",
        answer=WaitingApprovals,
        query=SiteApprovalsQuery,
        access=Access.SITE,
    )
    async def get(self) -> None:
        """With the roles that the hub says that they have now."""
        self.check_shared_token()
        name = self.query(SiteApprovalsQuery).user
        open_only = (ApprovalState.OPEN,)
        tenants = tuple(self.context.registry.tenants)
        found = await run_sync(self.desk.store.newest, tenants, states=open_only, limit=_MOST_WAITING)
        votes = await run_sync(self.desk.store.votes, [one.id for one in found]) if found else {}
        waiting: int | None = 0
        for tenant in dict.fromkeys(one.tenant for one in found):
            approver = (await self.desk.approvers(tenant, [name]))[name]
            if approver is None or waiting is None:
                waiting = None
                break
            mine = [one for one in found if one.tenant == tenant]
            waiting += sum(_waits_for(one, votes[one.id], name, approver) for one in mine)
        self.answer({"waiting": waiting})


def approval_answer(
    approval: Approval, votes: Sequence[Vote], standing: Standing, caller: Caller, *, emergency_group: str | None
) -> ApprovalAnswer:
    """The answer about one approval, for one caller."""
    why_not = why_not_vote(approval, caller.name, _approver(caller, approval))
    alone = emergency_group is not None and emergency_group in caller.approves
    able = why_not_vote(approval, caller.name, _approver(caller, approval), emergency_group=emergency_group) is None
    open_now = approval.state is ApprovalState.OPEN
    return {
        "id": approval.id,
        "tenant": approval.tenant,
        "kind": approval.kind,
        "subject": approval.subject,
        "verb": approval.verb,
        "title": approval.title,
        "digest": approval.digest,
        "parts": dict(approval.parts),
        "state": approval.state,
        "why": approval.why,
        "needs": _needs(approval.needs),
        "missing": _needs(standing.missing if votes else approval.needs) if open_now else [],
        "needs_text": needs_in_words(approval.needs),
        "rules": [{"rule": reason.rule, "message": reason.message} for reason in approval.reasons],
        "asked_by": approval.asked_by,
        "excluded": list(approval.excluded),
        "asked_at": iso_millis(approval.asked_at),
        "expires_at": iso_millis(approval.expires_at),
        "ended_at": None if approval.ended_at is None else iso_millis(approval.ended_at),
        "votes": [_vote(vote, standing, open_now=open_now) for vote in votes],
        "why_not": why_not,
        "emergency": alone and able,
    }


def _vote(vote: Vote, standing: Standing, *, open_now: bool) -> VoteAnswer:
    counts: bool | None = vote.voter not in standing.fallen
    if not open_now or vote.voter in standing.unknown:
        counts = None
    return {
        "voter": vote.voter,
        "vote": "yes" if vote.yes else "no",
        "comment": vote.comment,
        "at": iso_millis(vote.at),
        "emergency": vote.emergency,
        "counts": counts,
    }


def _needs(needs: Sequence[Need]) -> list[NeedAnswer]:
    return [{"role": need.role, "count": need.count} for need in needs]


def _approver(caller: Caller, approval: Approval) -> Approver:
    return Approver(caller.roles.get(approval.tenant), caller.approves)


def _waits(answer: ApprovalAnswer, name: str) -> bool:
    return answer["why_not"] is None and all(vote["voter"] != name for vote in answer["votes"])


def _waits_for(approval: Approval, votes: Sequence[Vote], name: str, approver: Approver) -> bool:
    return why_not_vote(approval, name, approver) is None and all(vote.voter != name for vote in votes)


def _over(approval: Approval) -> ServiceError:
    message = f"This approval is over: {approval.why or approval.state.value.lower()}."
    return ServiceError(409, "approval-over", message, field="id")
