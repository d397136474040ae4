"""People ask for teams: one way in for pages, commands and programs. Decides, has people vote, and hands over.

The service has no right over the cluster. It says which of the site's templates was granted to whom; the hub and the
provisioner fetch that, and make of it what their own tenants.yaml says.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from aifactory_profiles import Device

from ..admission.team_load import TeamLoads
from ..domain.approvals import Approval, ApprovalState, digest_of_parts, needs_in_words
from ..domain.refusals import Refusal, RefusalReason
from ..domain.self_service import SelfService
from ..domain.team_decisions import decide_wish, not_asked_for
from ..domain.team_records import TeamRecord
from ..domain.team_wishes import (
    Decision,
    RequestState,
    SiteNow,
    TeamChange,
    TeamRequest,
    TeamWish,
    WishKind,
    granted_wishes,
    parts_of,
    quota_of,
    section_of,
)
from ..domain.tenants import Tenant, VCluster
from ..domain.verdicts import Target
from ..registry import RegistryError, RegistryProvider
from ..registry.granted import GrantedTeams, write_granted
from ..registry.output import yaml_documents
from ..store.team_requests import TeamRequests
from .approvals import Asking, Desk, granted_words, refused_words
from .errors import ServiceError, from_refusal
from .executors import reads

log = logging.getLogger(__name__)

# What approvals of teams are about: kind and verbs.
KIND = Target.TENANT.value
VERBS: Mapping[WishKind, str] = {
    WishKind.NEW: "create-team",
    WishKind.RENEWAL: "renew-team",
    WishKind.CHANGE: "change-team",
}
_TITLES: Mapping[WishKind, str] = {
    WishKind.NEW: "a team {}",
    WishKind.RENEWAL: "more time for team {}",
    WishKind.CHANGE: "a change of team {}",
}
# So many of a person's requests are compared with a new one.
_LOOKED_AT = 50
# Who did it, in a journal, where it was nobody.
SERVICE = "the job service"


@dataclass(eq=False)
class TeamDesk:
    """Takes wishes, and takes requests forward. For one event loop.

    ``states`` is what the provisioner said of each team last, at ``heard_at`` (epoch seconds); None before it spoke.
    """

    provider: RegistryProvider
    store: TeamRequests
    approvals: Desk
    loads: TeamLoads
    unavailable: Callable[[str], str | None]
    clock: Callable[[], float]
    states: dict[str, TeamRecord] = field(default_factory=dict)
    heard_at: float | None = None
    # From the decision to what is written: what is promised to one is promised to nobody else.
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def decide(self, wish: TeamWish, person: str) -> Decision:
        """What would be answered to the person now; nothing is stored."""
        return await self._checked(wish, await self._site(person))

    async def changed(self, change: TeamChange) -> TeamWish:
        """All that the team is with the change. Raises ServiceError where nobody asked for the team."""
        current = (await self.teams()).get(change.name)
        if current is None:
            raise from_refusal(not_asked_for(change.name, WishKind.CHANGE))
        return change.of(current)

    async def teams(self) -> dict[str, TeamWish]:
        """The teams that were granted, as they are now."""
        return granted_wishes(await reads.run(self.store.granted))

    async def ask(self, wish: TeamWish, person: str) -> TeamRequest:
        """Store the wish, and grant it where nobody has to approve it. Raises ServiceError where it is refused."""
        async with self._turn:
            if (same := await self._same(wish, person)) is not None:
                return same
            decision = await self._checked(wish, await self._site(person))
            if decision.refusal is not None:
                raise refused(decision)
            now = self.clock()
            wish = replace(wish, expires=decision.expires)
            request = TeamRequest(f"r{secrets.token_hex(6)}", wish, digest_of_parts(parts_of(wish)), person, now, now)
            if not await reads.run(self.store.add, request, f"asked: {wish.reason}"):
                message = f"Somebody has asked for this of team {wish.name!r} already."
                raise from_refusal(Refusal(RefusalReason.TEAM_EXISTS, message, field="name"))
            if decision.needs:
                await self.approvals.current(self._asking(request, decision))
                return request
            return await self._grant(request, "the template needs nobody's approval")

    async def look(self, request: TeamRequest) -> TeamRequest:
        """One step for a request that waits: it is as it was where people still have to vote."""
        async with self._turn:
            found = await reads.run(self.store.get, request.id)
            if found is None or found.state is not RequestState.WAITING:
                return found or request
            return await self._step(found)

    async def look_at(self, request_id: str) -> None:
        """As ``look``, by the request's id."""
        request = await reads.run(self.store.get, request_id)
        if request is not None:
            await self.look(request)

    async def tick(self) -> None:
        """Take what waits forward, and write down what was granted."""
        for request in await reads.run(self.store.waiting):
            await self.look(request)
        await self.hand_over()

    async def withdraw(self, request: TeamRequest, person: str) -> TeamRequest:
        """Who asked takes it back; nobody is asked to approve it any more. Raises ServiceError where it was decided."""
        approval = await self.approval_of(request)
        if approval is not None and approval.state is ApprovalState.OPEN:
            await self.approvals.end(approval, ApprovalState.WITHDRAWN, f"taken back by {person}")
        return await self._change(request, RequestState.WITHDRAWN, f"taken back by {person}", person)

    async def remove(self, request: TeamRequest, person: str) -> TeamRequest:
        """Take a granted team out of those that were asked for. What it has on the host stays. Raises ServiceError."""
        removed = await self._change(request, RequestState.REMOVED, f"removed by {person}", person)
        await self.hand_over()
        return removed

    async def approval_of(self, request: TeamRequest) -> Approval | None:
        """The last approval of the request."""
        found = await reads.run(self.approvals.store.of_subject, KIND, request.id)
        return next(iter(found), None)

    async def waits_for(self, request: TeamRequest) -> str:
        """Who has to approve it still, for people."""
        approval = await self.approval_of(request)
        if approval is None or approval.state is not ApprovalState.OPEN:
            return "its approval to be looked at"
        standing = await self.approvals.standing(approval, await self.approvals.votes(approval))
        return needs_in_words(standing.missing)

    async def granted(self) -> GrantedTeams:
        """All teams that were granted, as files."""
        wishes = await self.teams()
        gone = {each.wish.name for each in await reads.run(self.store.removed) if each.wish.kind is WishKind.NEW}
        texts = {name: file_of(wish) for name, wish in wishes.items()}
        return GrantedTeams(texts, tuple(sorted(gone - texts.keys())))

    async def hand_over(self) -> None:
        """Write what was granted beside this service's own copy of tenants.yaml, from which it is followed."""
        if self.provider.granted_folder is not None:
            await reads.run(write_granted, self.provider.granted_folder, await self.granted())

    def heard(self, states: Mapping[str, TeamRecord]) -> None:
        """The provisioner says how teams are."""
        self.states.update(states)
        self.heard_at = self.clock()

    async def _same(self, wish: TeamWish, person: str) -> TeamRequest | None:
        """The request by which the person has asked for exactly this: an answer that was lost is asked for again."""
        for request in await reads.run(self.store.newest, asked_by=person, limit=_LOOKED_AT):
            asked = replace(wish, expires=wish.expires or request.wish.expires, before=request.wish.before)
            if request.wish == asked and request.state in (RequestState.WAITING, RequestState.GRANTED):
                return request
        return None

    async def _step(self, request: TeamRequest) -> TeamRequest:
        approval = await self.approval_of(request)
        if approval is not None and approval.state is ApprovalState.USED:
            return await self._grant(request, approval.why or "approved")
        if approval is not None and approval.state not in (ApprovalState.OPEN, ApprovalState.STALE):
            return await self._end(request, approval.why or approval.state.value.lower())
        decision = await self._checked(request.wish, await self._site(request.asked_by, without=request))
        if decision.refusal is not None:
            if approval is not None and approval.state is ApprovalState.OPEN:
                await self.approvals.end(approval, ApprovalState.WITHDRAWN, "it can't be granted any more")
            return await self._end(request, decision.refusal.message)
        if not decision.needs:
            return await self._grant(request, "the template needs nobody's approval")
        current = await self.approvals.current(self._asking(request, decision))
        standing = await self.approvals.standing(current, await self.approvals.votes(current))
        if standing.refused is not None:
            await self.approvals.end(current, ApprovalState.REFUSED, refused_words(standing.refused))
            return await self._end(request, refused_words(standing.refused))
        if not standing.granted:
            return request
        why = granted_words(standing)
        if not await self.approvals.end(current, ApprovalState.USED, why):
            return request
        return await self._grant(request, why)

    async def _grant(self, request: TeamRequest, why: str) -> TeamRequest:
        granted = await reads.run(self.store.change, request, RequestState.GRANTED, why, who=SERVICE, now=self.clock())
        log.warning("team %s was granted to %s: %s", request.wish.name, request.asked_by, why)
        await self.hand_over()
        return granted or request

    async def _end(self, request: TeamRequest, why: str) -> TeamRequest:
        change = self.store.change
        ended = await reads.run(change, request, RequestState.REFUSED, why, who=SERVICE, now=self.clock())
        return ended or request

    async def _change(self, request: TeamRequest, state: RequestState, why: str, person: str) -> TeamRequest:
        async with self._turn:
            changed = await reads.run(self.store.change, request, state, why, who=person, now=self.clock())
        if changed is None:
            message = "This request was decided meanwhile: load it again."
            raise ServiceError(409, "request-decided", message, field="id")
        return changed

    async def _site(self, person: str, *, without: TeamRequest | None = None) -> SiteNow:
        registry = self.provider.registry
        wishes = await self.teams()
        made = {name: _tenant(wish, registry.self_service) for name, wish in wishes.items()}
        asked = await reads.run(self.store.teams_of, person)
        counted = without is not None and without.wish.kind is WishKind.NEW
        return SiteNow(
            registry.self_service,
            {**made, **registry.tenants},
            registry.cluster.carved,
            await self._held(),
            asked - int(counted),
            self.clock(),
            wishes,
        )

    async def _held(self) -> Mapping[str, Mapping[Device, int] | None]:
        names = self.provider.registry.tenants
        loads = await self.loads.of({name: self.unavailable(name) for name in names})
        return {name: None if load.usage is None else load.usage.used for name, load in loads.items()}

    async def _checked(self, wish: TeamWish, site: SiteNow) -> Decision:
        """The decision; what the registry's own reader would refuse later is refused now."""
        decision = decide_wish(wish, site)
        if decision.refusal is not None or wish.kind is WishKind.RENEWAL:
            return decision
        try:
            text = file_of(replace(wish, expires=decision.expires))
            await reads.run(self.provider.with_granted, wish.name, text)
        except RegistryError as error:
            why = "; ".join(f"{problem.what}; {problem.instead}" for problem in error.problems[:3])
            message = f"tenants.yaml could not be used with this team: {why}."
            return replace(decision, refusal=Refusal(RefusalReason.BAD_FIELD, message, field="name"))
        return decision

    def _asking(self, request: TeamRequest, decision: Decision) -> Asking:
        wish = request.wish
        return Asking(
            tenant=wish.name,
            kind=KIND,
            subject=request.id,
            verb=VERBS[wish.kind],
            title=_TITLES[wish.kind].format(wish.name),
            digest=request.digest,
            parts=parts_of(wish),
            needs=decision.needs,
            reasons=decision.reasons,
            asked_by=request.asked_by,
        )


def _tenant(wish: TeamWish, service: SelfService) -> Tenant:
    """A team that was granted, as long as the registry has none of it."""
    template = service.templates.get(wish.template)
    return Tenant(
        name=wish.name,
        display_name=wish.display_name or wish.name,
        vcluster=VCluster(f"vc-{wish.name}", wish.name),
        rules=(),
        profiles=() if template is None else template.profiles,
        quota=quota_of(wish, service),
        template=wish.template,
    )


def file_of(wish: TeamWish) -> str:
    """The text of the granted team's file, as it would stand in ``tenants.d``."""
    return yaml_documents([section_of(wish)])


def refused(decision: Decision) -> ServiceError:
    """The answer that carries a refused wish, with the largest that fits."""
    assert decision.refusal is not None
    error = from_refusal(decision.refusal)
    if decision.rooms:
        error.numbers["offer"] = dict(decision.offer)
        error.numbers["offer_borrowed"] = dict(decision.offer_borrowed)
    return error
