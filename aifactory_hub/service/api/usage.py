"""What was used: by oneself, by a team, and the holds that it is the sum of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from ... import constants
from ...domain.months import Span
from ...domain.tenants import Role
from ...domain.usage import Hold, UsageFact
from ...domain.usage_answers import By, PeriodRefused, Scope, check_length, names_of, scope_in
from ...store.usage_reports import Whose
from ..auth.permissions import Caller
from ..errors import ServiceError, bad_field
from ..usage_answer_types import Heatmap, HoldEvidence, HoldPage, OwnUsage, TeamUsage
from ..usage_reader import UsageReader
from ..usage_request_types import HoldQuery, MonthQuery, SiteUsageQuery, UsageQuery
from .base import Handler, run_sync
from .operations import Access, operation
from .usage_answers import fact_answer, hold_answer, own_usage, team_usage, week

T = TypeVar("T")


class OfUsage(Handler):
    """Asks the ledger."""

    def usage_reader(self) -> UsageReader:
        """For one question, as the ledger is now."""
        context = self.context
        return UsageReader(context.usage, context.billing, context.registry.billing.zone, context.heard_at())

    @property
    def currency(self) -> str:
        """The site's; empty where it names none."""
        return self.context.registry.billing.currency

    async def seen_in(self, caller: Caller, tenant: str) -> tuple[Scope, Whose]:
        """What the caller sees of the team. Raises ServiceError; other teams and unknown ones are refused alike."""
        if caller.administers_platform:
            if tenant not in self.context.registry.tenants and not await self._had(tenant):
                message = f"There is no team {tenant!r}, and the ledger has none of this name."
                raise ServiceError(404, "unknown-tenant", message, field="tenant")
            return Scope.TEAM, Whose(tenant=tenant)
        name = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        scope = scope_in(caller.roles.get(name, Role.VIEWER), platform=False)
        if scope is Scope.TEAM:
            return scope, Whose(tenant=name)
        return Scope.OWN, Whose(tenant=name, users=names_of(caller.name))

    async def _had(self, tenant: str) -> bool:
        """Whether a team that is none any more has used anything."""
        ever = partial(self.context.usage.holds, 0, self.context.heard_at(), Whose(tenant=tenant), limit=1)
        return bool(await run_sync(ever))

    async def told(self, call: Callable[[], T]) -> T:
        """The result of ``call`` in a thread. Raises ServiceError (400) for a time that nothing can be told of."""
        try:
            found: T = await run_sync(call)
        except PeriodRefused as error:
            raise bad_field(error.field, f"{error}.") from error
        return found

    async def tell(self, call: Callable[[], Mapping[str, Any]], status: int = 200) -> None:
        """Answer with what ``call`` makes in a thread, as JSON: it may be thousands of lines."""
        text = await self.told(lambda: json.dumps(call()))
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.write(text)


class MyUsage(OfUsage):
    """One's own."""

    @operation("getMyUsage", "What the caller used in all teams in a month.", answer=OwnUsage, query=MonthQuery)
    async def get(self) -> None:
        """By team, profile and kind. A profile without a price has no amount, which is not the same as free."""
        caller = await self.caller()
        month = self.query(MonthQuery).month
        await self.tell(partial(_own, self.usage_reader(), caller.name, month, self.currency))


class SiteUsage(OfUsage):
    """For the hub's Home page."""

    @operation(
        "getUsageOf",
        "What a user used in all teams in a month.",
        answer=OwnUsage,
        query=SiteUsageQuery,
        access=Access.SITE,
    )
    async def get(self) -> None:
        """As they see it themselves."""
        self.check_shared_token()
        asked = self.query(SiteUsageQuery)
        await self.tell(partial(_own, self.usage_reader(), asked.user, asked.month, self.currency))


def _own(reader: UsageReader, user: str, month: str | None, currency: str) -> OwnUsage:
    summary, lines = reader.summary(reader.span(month), Whose(users=names_of(user)), By.TENANT)
    return own_usage(summary, lines, reader.prices, as_of=reader.as_of, currency=currency)


class TeamUsageOne(OfUsage):
    """A team's."""

    @operation(
        "getTeamUsage",
        "What a team used, added up: for its admins all of it, for others their own in it.",
        answer=TeamUsage,
        query=UsageQuery,
    )
    async def get(self, tenant: str) -> None:
        """``scope`` says which of both it is."""
        caller = await self.caller()
        scope, whose = await self.seen_in(caller, tenant)
        await self.tell(partial(_team, self.usage_reader(), scope, whose, self.query(UsageQuery), self.currency))


def _team(reader: UsageReader, scope: Scope, whose: Whose, asked: UsageQuery, currency: str) -> TeamUsage:
    by = By(asked.by)
    span = reader.span(asked.month, asked.since, asked.until)
    check_length(span, by)
    summary, _ = reader.summary(span, whose, by)
    zone = reader.zone.key
    return team_usage(summary, whose.tenant or "", scope, by, zone=zone, as_of=reader.as_of, currency=currency)


class TeamHeatmap(OfUsage):
    """When a team uses what it has."""

    @operation(
        "getTeamHeatmap",
        "How many pods, and how much of GPUs, were held at each hour of the week.",
        answer=Heatmap,
        query=MonthQuery,
    )
    async def get(self, tenant: str) -> None:
        """For the team's admins all of it, for others their own in it."""
        scope, whose = await self.seen_in(await self.caller(), tenant)
        month = self.query(MonthQuery).month
        await self.tell(partial(heatmap_answer, self.usage_reader(), whose, scope.value, month, self.currency))


def heatmap_answer(reader: UsageReader, whose: Whose, scope: str, month: str | None, currency: str) -> Heatmap:
    """Of a month."""
    span = reader.span(month)
    pods, gpus, simulated = reader.heatmaps(span, whose)
    return {
        "scope": "own" if scope == "own" else "team" if scope == "team" else "platform",
        "zone": reader.zone.key,
        "start": span.start,
        "end": span.end,
        "as_of": reader.as_of,
        "uncertain_seconds": reader.total(span, whose).uncertain,
        "simulated": simulated,
        "currency": currency or None,
        "cells": week(pods),
        "gpus": week(gpus),
    }


class Holds(OfUsage):
    """The holds one by one."""

    @operation(
        "listHolds",
        "What single pods held in a month, in order of their start: for a team's admins all, for others their own.",
        answer=HoldPage,
        query=HoldQuery,
    )
    async def get(self, tenant: str) -> None:
        """In pages."""
        caller = await self.caller()
        scope, whose = await self.seen_in(caller, tenant)
        asked = self.query(HoldQuery)
        if asked.user is not None:
            if scope is Scope.OWN and asked.user != caller.name:
                message = "user is not you: in this team you see your own usage. Leave user out."
                raise ServiceError(403, "forbidden", message, field="user")
            whose = Whose(whose.tenant, names_of(asked.user) if asked.user else ("",))
        whose = Whose(whose.tenant, whose.users, asked.profile)
        await self.tell(partial(_holds, self.usage_reader(), scope, whose, asked, self.currency))


def _holds(reader: UsageReader, scope: Scope, whose: Whose, asked: HoldQuery, currency: str) -> HoldPage:
    span, after = reader.span(asked.month), _place(asked.after)
    until = reader.until(span)
    found = (
        reader.usage.holds(span.start, until, whose, limit=asked.limit + 1, after=after) if until > span.start else []
    )
    shown, total = found[: asked.limit], reader.total(span, whose)
    return {
        "tenant": whose.tenant or "",
        "scope": "team" if scope is Scope.TEAM else "own",
        "start": span.start,
        "end": span.end,
        "as_of": reader.as_of,
        "uncertain_seconds": total.uncertain,
        "simulated": any(hold.possession.simulated for hold in shown),
        "currency": currency or None,
        "holds": [hold_answer(hold, reader.prices, span.start, until, scope) for hold in shown],
        "next": f"{shown[-1].start}.{shown[-1].pod}" if len(found) > asked.limit else None,
    }


def _place(after: str | None) -> tuple[int, str]:
    """Where a page goes on. Raises PeriodRefused."""
    if after is None:
        return 0, ""
    start, dot, pod = after.partition(".")
    if not dot or not pod or len(start) > 12 or not (start.isascii() and start.isdigit()):
        raise PeriodRefused("after", f"after is {after!r}: pass `next` of the page before")
    return int(start), pod


class OfHold(OfUsage):
    """Of one hold."""

    async def tell_hold(self, hold: Hold, scope: Scope, status: int = 200) -> None:
        """Answer with the hold and what was seen of it."""
        facts = await run_sync(self.context.ledger.facts, hold.pod)
        await self.tell(partial(_evidence, self.usage_reader(), scope, hold, facts, self.currency), status)

    async def hold(self, whose: Whose, pod: str) -> Hold:
        """Raises ServiceError (404) for a hold that the caller does not see and for none alike."""
        hold: Hold | None = await run_sync(self.context.usage.hold, pod)
        mine = hold is not None and (whose.users is None or hold.possession.user in whose.users)
        if hold is None or not mine or hold.possession.tenant != whose.tenant:
            message = f"There is no hold of pod {pod!r} that you can see in team {whose.tenant}."
            raise ServiceError(404, "unknown-hold", message, field="pod")
        return hold


class HoldOne(OfHold):
    """One hold with its evidence."""

    @operation("getHold", "What one pod held, and all that was seen of it.", answer=HoldEvidence)
    async def get(self, tenant: str, pod: str) -> None:
        """For the team's admins, and for whose it is."""
        scope, whose = await self.seen_in(await self.caller(), tenant)
        await self.tell_hold(await self.hold(whose, pod), scope)


def _evidence(reader: UsageReader, scope: Scope, hold: Hold, facts: list[UsageFact], currency: str) -> HoldEvidence:
    span = Span("", hold.start, max(hold.start, reader.as_of if hold.end is None else hold.end))
    return {
        **hold_answer(hold, reader.prices, span.start, span.end, scope),
        "tenant": hold.possession.tenant,
        "as_of": reader.as_of,
        "currency": currency or None,
        "facts": [fact_answer(fact, scope) for fact in facts],
    }
