"""Requests for teams: what may be asked for, what would be answered, the requests, and what was granted."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ... import constants
from ...domain.approvals import needs_in_words
from ...domain.formatting import iso_millis
from ...domain.home import size_words
from ...domain.self_service import TeamTemplate
from ...domain.team_progress import request_steps
from ...domain.team_records import TeamRecord
from ...domain.team_wishes import Decision, RequestState, TeamRequest, TeamWish, WishKind
from ...domain.tenants import Role
from ..auth.hub_auth import bearer
from ..auth.permissions import Caller
from ..auth.runner_tokens import matches
from ..errors import ServiceError, forbidden
from ..team_request_types import (
    AskedForTeamAnswer,
    DeviceRoom,
    GrantedTeamsAnswer,
    TeamDecisionAnswer,
    TeamRequestAnswer,
    TeamRequestPage,
    TeamRequestQuery,
    TeamStateAnswer,
    TeamStatesAnswer,
    TeamStatesReport,
    TeamTemplateAnswer,
    TeamTemplatesAnswer,
    TeamWishRequest,
)
from ..team_requests import TeamDesk, file_of
from .base import Handler, run_sync
from .operations import Access, operation

_ASKED = {WishKind.RENEWAL: "More time for", WishKind.CHANGE: "A change of"}


class _OfTeams(Handler):
    @property
    def desk(self) -> TeamDesk:
        return self.context.team_desk

    def why_not_ask(self, caller: Caller) -> str | None:
        """Why the caller may not ask for a team; None: they may."""
        registry = self.context.registry
        if not registry.self_service.templates:
            return "Nobody can ask for a team here: the site has no templates. Ask the platform's administrators."
        if caller.administers_platform:
            return None
        mine = caller.tenants(constants.SCOPE_SUBMIT, registry.tenants)
        least = registry.self_service.ask
        if any(caller.roles[name] >= least for name in mine):
            return None
        return f"A team is asked for by those who are {least.label} of a team, and you are not."

    def check_wish(self, caller: Caller, wish: TeamWish) -> None:
        """Raises ServiceError (403) where the caller may not ask for this."""
        if wish.kind is WishKind.NEW or caller.administers_platform:
            why_not = self.why_not_ask(caller)
            if why_not is not None:
                status = 403 if self.context.registry.self_service.templates else 409
                reason = "forbidden" if status == 403 else "no-self-service"
                raise ServiceError(status, reason, why_not)
            return
        if not self.may_change(caller, wish.name):
            raise forbidden(f"{_ASKED[wish.kind]} team {wish.name!r} is asked for by its administrators: you are none.")

    def may_change(self, caller: Caller, tenant: str) -> bool:
        """Whether the caller may ask for more time or another size of a team that is there."""
        mine = caller.tenants(constants.SCOPE_SUBMIT, self.context.registry.tenants)
        return caller.administers_platform or (tenant in mine and caller.roles.get(tenant) is Role.ADMIN)

    async def wish_of(self, asked: TeamWishRequest, caller: Caller) -> TeamWish:
        """What the caller asks for. Raises ServiceError where they may not ask for it."""
        self.check_wish(caller, asked.wish())
        return await self.desk.changed(asked.change()) if asked.kind is WishKind.CHANGE else asked.wish()

    async def request_for(self, caller: Caller, request_id: str) -> TeamRequest:
        """The request. Raises ServiceError (404) where the caller may not see it."""
        found: TeamRequest | None = await run_sync(self.desk.store.get, request_id)
        if found is None or not self._may_see(caller, found):
            message = f"There is no request {request_id!r} that you may see."
            raise ServiceError(404, "unknown-request", message, field="id")
        return found

    def _may_see(self, caller: Caller, request: TeamRequest) -> bool:
        if caller.administers_platform or request.asked_by == caller.name:
            return True
        readable = caller.tenants(constants.SCOPE_READ, self.context.registry.tenants)
        return request.wish.name in readable and caller.roles.get(request.wish.name) is Role.ADMIN

    async def answer_for(self, request: TeamRequest) -> TeamRequestAnswer:
        """The answer about one request."""
        desk, wish = self.desk, request.wish
        approval = await desk.approval_of(request)
        waits_for = await desk.waits_for(request) if request.state is RequestState.WAITING else ""
        record = desk.states.get(wish.name)
        known = wish.name in self.context.registry.tenants and self.context.unavailable(wish.name) is None
        steps = request_steps(request, waits_for, record, known=known)
        granted = request.state is RequestState.GRANTED
        return {
            "id": request.id,
            "kind": wish.kind,
            "name": wish.name,
            "template": wish.template,
            "display_name": wish.display_name,
            "members": list(wish.members),
            "admins": list(wish.admins),
            "quota": dict(wish.quota),
            "borrowing": dict(wish.borrowing),
            "expires": wish.expires,
            "reason": wish.reason,
            "asked_by": request.asked_by,
            "asked_at": iso_millis(request.asked_at),
            "changed_at": iso_millis(request.changed_at),
            "state": request.state,
            "why": request.why,
            "approval": None if approval is None else approval.id,
            "steps": [{"name": each.name, "state": each.state, "sentence": each.sentence} for each in steps],
            "todo": record.todo if granted and record is not None else "",
            "journal": [
                {"at": iso_millis(each.at), "who": each.who, "text": each.text}
                for each in await run_sync(desk.store.entries, request.id)
            ],
            "file": file_of(wish) if granted and wish.kind is WishKind.NEW else None,
        }


class Templates(_OfTeams):
    """What may be asked for."""

    @operation(
        "listTeamTemplates", "Which teams may be asked for, and what is promised to nobody.", answer=TeamTemplatesAnswer
    )
    async def get(self) -> None:
        """With why the caller may not ask for a new one, if they may not, and the teams that they may change."""
        caller = await self.caller()
        registry = self.context.registry
        templates = [self._template(each) for each in registry.self_service.templates.values()]
        simulated = registry.cluster.simulated
        mine = [_team(wish) for name, wish in (await self.desk.teams()).items() if self._changeable(caller, name)]
        why_not = self.why_not_ask(caller)
        self.answer({"templates": templates, "teams": mine, "why_not": why_not, "simulated": simulated})

    def _changeable(self, caller: Caller, name: str) -> bool:
        """A team that the site has taken over in a file of its own is the site's to change."""
        return name in self.context.registry.granted and self.may_change(caller, name)

    def _template(self, template: TeamTemplate) -> TeamTemplateAnswer:
        service = self.context.registry.self_service
        devices = dict.fromkeys((*template.most, *template.most_borrowed))
        return {
            "name": template.name,
            "description": template.description,
            "profiles": list(template.profiles),
            "sizes": [self._size(name) for name in template.profiles],
            "groups": list(template.groups),
            "devices": [self._room(template, device) for device in devices],
            "approval": [
                {
                    "above": service.counts(step.above),
                    "needs": [{"role": need.role, "count": need.count} for need in step.needs],
                }
                for step in template.steps
            ],
            "lasts": template.lasts,
        }

    def _size(self, name: str) -> str:
        catalogue = self.context.registry.catalogue
        profile = catalogue.profiles.get(name)
        return name if profile is None else size_words(profile, catalogue)

    def _room(self, template: TeamTemplate, device: Any) -> DeviceRoom:
        registry = self.context.registry
        carved = registry.cluster.carved.get(device, 0)
        promised = sum(tenant.quota.nominal.get(device, 0) for tenant in registry.tenants.values())
        return {
            "device": registry.self_service.name_of(device),
            "most": template.most.get(device, 0),
            "most_borrowed": template.most_borrowed.get(device, 0),
            "carved": carved,
            "uncommitted": max(0, carved - promised),
        }


class RequestCheck(_OfTeams):
    """What would be answered."""

    @operation(
        "checkTeamRequest",
        "What would be answered to a request for a team now; nothing is stored.",
        answer=TeamDecisionAnswer,
        body=TeamWishRequest,
    )
    async def post(self) -> None:
        """A wish that would be refused is answered as such, and is no error."""
        caller = await self.caller()
        asked = await self.body(TeamWishRequest, caller.name)
        wish = await self.wish_of(asked, caller)
        self.answer(decision_answer(await self.desk.decide(wish, caller.name)))


class RequestList(_OfTeams):
    """Requests for teams."""

    @operation(
        "listTeamRequests",
        "The caller's own requests for teams; those of everybody for the hub's administrators.",
        answer=TeamRequestPage,
        query=TeamRequestQuery,
    )
    async def get(self) -> None:
        """The newest first."""
        asked = self.query(TeamRequestQuery)
        caller = await (self.administrator() if asked.everybody else self.caller())
        whose = None if asked.everybody else caller.name
        found = await run_sync(self.desk.store.newest, asked_by=whose, limit=asked.limit)
        answers = [await self.answer_for(each) for each in found]
        self.answer({"requests": answers, "simulated": self.context.registry.cluster.simulated})

    @operation(
        "askForTeam",
        "Ask for a team, or for more time or another size for one: granted at once, or when others have approved it.",
        answer=TeamRequestAnswer,
        body=TeamWishRequest,
        statuses=(201,),
    )
    async def post(self) -> None:
        """Refused with the largest that fits where it does not."""
        caller = await self.caller(fresh=True)
        asked = await self.body(TeamWishRequest, caller.name)
        wish = await self.wish_of(asked, caller)
        self.answer(await self.answer_for(await self.desk.ask(wish, caller.name)), 201)


class RequestOne(_OfTeams):
    """One request."""

    @operation("getTeamRequest", "One request, with how far it has come.", answer=TeamRequestAnswer)
    async def get(self, request_id: str) -> None:
        """As it is now."""
        caller = await self.caller()
        request = await self.request_for(caller, request_id)
        self.answer(await self.answer_for(request))

    @operation(
        "withdrawTeamRequest",
        "Take back a request that waits; for the hub's administrators also: remove a team that was granted.",
        answer=TeamRequestAnswer,
    )
    async def delete(self, request_id: str) -> None:
        """Nothing of a team is deleted on the host: the provisioner leaves what is not asked for any more."""
        caller = await self.caller(fresh=True)
        request = await self.request_for(caller, request_id)
        if request.state is RequestState.GRANTED:
            if not caller.administers_platform:
                raise forbidden("A team that was granted is removed by the hub's administrators.")
            self.answer(await self.answer_for(await self.desk.remove(request, caller.name)))
            return
        if request.asked_by != caller.name:
            raise forbidden("A request is taken back by who asked.")
        if request.state is not RequestState.WAITING:
            raise ServiceError(409, "request-decided", f"This request is over: {request.why}.", field="id")
        self.answer(await self.answer_for(await self.desk.withdraw(request, caller.name)))


class PlatformTeams(_OfTeams):
    """How all teams are on the host."""

    @operation("getTeamStates", "How far each team is on the host, and what is wrong.", answer=TeamStatesAnswer)
    async def get(self) -> None:
        """For the hub's administrators. What the provisioner has not said is null."""
        await self.administrator()
        registry, desk = self.context.registry, self.desk
        heard = None if desk.heard_at is None else iso_millis(desk.heard_at)
        teams = [self._state(name) for name in registry.tenants]
        self.answer({"heard_at": heard, "teams": teams, "simulated": registry.cluster.simulated})

    def _state(self, name: str) -> TeamStateAnswer:
        registry, now = self.context.registry, self.context.clock()
        tenant, record = registry.tenants[name], self.desk.states.get(name)
        known = record or TeamRecord.nothing()
        return {
            "tenant": name,
            "display_name": tenant.display_name,
            "asked_for": name in registry.granted,
            "expires": None if tenant.retirement is None else iso_millis(tenant.retirement.at),
            "stage": None if record is None else record.stage,
            "in_stage": None if record is None else max(0.0, now - record.since),
            "age": None if record is None or not record.begun else max(0.0, now - record.begun),
            "sentence": known.sentence,
            "trouble": known.trouble,
            "todo": known.todo,
            "version": known.version.rpartition(":")[2],
            "follows": known.follows,
            "healed": known.healed,
        }


class SiteTeams(_OfTeams):
    """For the hub and the provisioner: which teams were granted."""

    @operation(
        "getGrantedTeams", "The teams that were granted, as files.", answer=GrantedTeamsAnswer, access=Access.SITE
    )
    async def get(self) -> None:
        """For the hub."""
        self.check_shared_token()
        await self._answer()

    @operation(
        "reportTeams",
        "The provisioner says how teams are, and hears which were granted.",
        answer=GrantedTeamsAnswer,
        body=TeamStatesReport,
        access=Access.PROVISIONER,
    )
    async def put(self) -> None:
        """With the provisioner's own token, which is good for nothing else."""
        if not matches(bearer(self.request.headers.get("Authorization")), self.context.provisioner_token_hash):
            raise forbidden("This takes the token of AIFACTORY_HUB_PROVISIONER_TOKEN.")
        said = await self.body(TeamStatesReport, "the provisioner")
        known = {field.name for field in fields(TeamRecord)}
        told = {name: each.model_dump(include=known) for name, each in said.teams.items()}
        self.desk.heard({name: TeamRecord(**each) for name, each in told.items()})
        await self._answer()

    async def _answer(self) -> None:
        granted = await self.desk.granted()
        self.answer({"granted": dict(granted.teams), "removed": list(granted.removed)})


def _team(wish: TeamWish) -> AskedForTeamAnswer:
    return {
        "name": wish.name,
        "display_name": wish.display_name,
        "template": wish.template,
        "members": list(wish.members),
        "admins": list(wish.admins),
        "quota": dict(wish.quota),
        "borrowing": dict(wish.borrowing),
        "expires": wish.expires,
    }


def decision_answer(decision: Decision) -> TeamDecisionAnswer:
    """The answer about a wish that nobody has sent."""
    refusal = decision.refusal
    effects = decision.effects
    return {
        "outcome": decision.outcome,
        "reason": None if refusal is None else refusal.reason.value,
        "detail": None if refusal is None else refusal.message,
        "field": None if refusal is None else refusal.field,
        "needs": [{"role": need.role, "count": need.count} for need in decision.needs],
        "needs_text": needs_in_words(decision.needs) if decision.needs else "",
        "why": [reason.message for reason in decision.reasons],
        "rooms": [
            {
                "device": room.name,
                "carved": room.carved,
                "promised": room.promised,
                "asked": room.asked,
                "fits": room.fits,
                "sentence": room.sentence(),
            }
            for room in decision.rooms
        ],
        "offer": dict(decision.offer),
        "offer_borrowed": dict(decision.offer_borrowed),
        "effects": None
        if effects is None
        else [
            {"tenant": each.tenant, "device": each.device, "count": each.count, "sentence": each.sentence()}
            for each in effects
        ],
        "expires": decision.expires,
    }
