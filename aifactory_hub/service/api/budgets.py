"""How budgets stand, and more of them: grants."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from typing import Any

from typing_extensions import TypedDict

from ... import constants
from ...domain.budget_answers import (
    BudgetAnswer,
    BudgetsAnswer,
    GrantAnswer,
    budget_answer,
    budgets_answer,
    grant_answer,
)
from ...domain.budget_words import standing_words
from ...domain.budgets import Budget, Grant, own_amount
from ...domain.tenants import Role
from ...store.budgets import TeamBudgets
from ..auth.permissions import Caller
from ..budget_request_types import GrantRequest, SiteBudgetQuery
from ..errors import bad_field, forbidden
from .base import Handler, run_sync
from .operations import Access, operation

log = logging.getLogger(__name__)

# Seconds. More than a year ahead nobody knows what a budget is.
_LONGEST_GRANT = 400 * 86400


class SiteRefusal(TypedDict):
    """Why a server may not start."""

    reason: str
    message: str


class SiteBudget(TypedDict):
    """A team's budgets with a user's own in it. ``refusal``: why no server of the asked profile may start now, null
    where one may. ``ends``: why such a server that runs is to be stopped, null where it may go on."""

    tenant: str
    budgets: list[BudgetAnswer]
    refusal: SiteRefusal | None
    ends: str | None


class SiteBudgets(TypedDict):
    """Of each of the asked teams that has budgets."""

    teams: list[SiteBudget]


class OfBudgets(Handler):
    """Knows who sees what of a team's budgets."""

    def team_of(self, caller: Caller, tenant: str) -> tuple[str, bool]:
        """The team, and whether the caller sees all people of it. Raises ServiceError; other teams and unknown ones
        are refused alike."""
        if caller.administers_platform and tenant in self.context.registry.tenants:
            return tenant, True
        name = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        return name, caller.roles.get(name) is Role.ADMIN

    def gather(self, tenant: str, user: str, *, everybody: bool) -> BudgetsAnswer:
        """What somebody may see of a team's budgets. Blocks."""
        context = self.context
        budgets, registry = context.budgets, context.registry
        team = budgets.team(tenant)
        simulated, now = registry.cluster.simulated, context.clock()
        currency = registry.billing.currency
        if team is None:
            nothing = partial(budgets_answer, tenant, [], [] if everybody else None, [], currency=currency)
            return nothing(as_of=now, known=True, held=0, simulated=simulated)
        accounts = budgets.book.accounts(team, [user])
        people = None
        if everybody:
            users = budgets.book.users(team)
            people = [each for each in budgets.book.accounts(team, users) if each.user]
        return budgets_answer(
            tenant,
            accounts,
            people,
            _grants(team, budgets.book.grants(tenant), None if everybody else user),
            currency=currency,
            as_of=team.until,
            known=team.known,
            held=budgets.book.held_count(tenant),
            simulated=simulated,
            forecasts=partial(context.budget_days.forecast, team),
        )


def _grants(team: TeamBudgets, grants: tuple[Grant, ...], user: str | None) -> list[GrantAnswer]:
    """Those of budgets that there are; with ``user`` the team's and that person's own."""
    units = {budget.name: budget.unit for budget, _ in team.budgets}
    shown = [each for each in grants if each.budget in units and (user is None or each.user in ("", user))]
    return [grant_answer(each, units[each.budget], team.currency, team.now) for each in shown]


class TeamBudgetAll(OfBudgets):
    """A team's budgets."""

    @operation(
        "getBudgets",
        "How a team's budgets and the caller's own stand, what was granted, and when they will be used up.",
        answer=BudgetsAnswer,
    )
    async def get(self, tenant: str) -> None:
        """For the team's admins also those of each person."""
        caller = await self.caller()
        name, everybody = self.team_of(caller, tenant)
        self.answer(await run_sync(self.gather, name, caller.name, everybody=everybody))


class Grants(OfBudgets):
    """More of a budget."""

    @operation(
        "grantBudget",
        "Grant more of a budget until a time: a team's by the hub's administrators, a person's by the team's admins.",
        answer=BudgetsAnswer,
        body=GrantRequest,
        statuses=(201,),
    )
    async def post(self, tenant: str) -> None:
        """It is kept with who gave it and why, and is never changed. What a budget holds goes on by itself."""
        caller = await self.caller(fresh=True)
        name, _ = self.team_of(caller, tenant)
        asked = await self.body(GrantRequest, caller.name)
        budget = self._budget(name, asked)
        self._check_right(caller, name, budget)
        given = self._grant(name, asked, budget, caller.name)
        given = await run_sync(self.context.budgets.book.grant, given)
        log.info("%s granted %s of budget %s in %s: %s", caller.name, asked.amount, budget.name, name, asked.reason)
        for job_id in (await run_sync(self.context.budgets.book.held)).get(name, []):
            self.context.reconciler.hurry(job_id)
        answer = await run_sync(self.gather, name, caller.name, everybody=True)
        self.answer(answer, 201)

    def _budget(self, tenant: str, asked: GrantRequest) -> Budget:
        """Raises ServiceError (400)."""
        budgets = {budget.name: budget for budget in self.context.registry.tenants[tenant].budgets}
        if asked.budget not in budgets:
            known = f"its budgets are {', '.join(budgets)}" if budgets else "it has no budgets"
            raise bad_field("budget", f"budget is {asked.budget!r}, which team {tenant} does not have: {known}.")
        budget = budgets[asked.budget]
        if budget.person is (asked.user is None):
            message = "say whose, it is each person's own" if budget.person else "leave it out, it is the team's"
            raise bad_field("user", f"user is {asked.user!r} for budget {budget.name}: {message}.")
        now = self.context.clock()
        if not now < asked.until <= now + _LONGEST_GRANT:
            raise bad_field(
                "until", f"until is {asked.until}, and now is {int(now)}: say a later one, within 400 days."
            )
        return budget

    def _check_right(self, caller: Caller, tenant: str, budget: Budget) -> None:
        """Raises ServiceError (403)."""
        if caller.administers_platform or (budget.person and caller.administers(tenant)):
            return
        who = "the team's admins and administrators of the hub" if budget.person else "administrators of the hub"
        raise forbidden(f"More of budget {budget.name} of team {tenant} is granted by {who}.")

    def _grant(self, tenant: str, asked: GrantRequest, budget: Budget, by: str) -> Grant:
        amount = own_amount(budget.unit, Fraction(asked.amount))
        now = self.context.clock()
        return Grant(0, tenant, budget.name, asked.user or "", amount, float(asked.until), asked.reason, by, now)


class SiteBudgetOf(Handler):
    """For the hub: before a server's ticket, on the menu and on Home."""

    @operation(
        "getBudgetsOf",
        "How budgets of these teams stand for a user, and whether a server of theirs may start.",
        answer=SiteBudgets,
        query=SiteBudgetQuery,
        access=Access.SITE,
    )
    async def get(self) -> None:
        """Teams without budgets are left out."""
        self.check_shared_token()
        asked = self.query(SiteBudgetQuery)
        self.answer({"teams": await run_sync(self._teams, asked)})

    def _teams(self, asked: SiteBudgetQuery) -> list[Mapping[str, Any]]:
        currency = self.context.registry.billing.currency
        found: list[Mapping[str, Any]] = []
        for tenant in dict.fromkeys(asked.tenant):
            accounts = self.context.budgets.accounts(tenant, [asked.user])
            if not accounts:
                continue
            refusal, ends = None, None
            if asked.profile is not None:
                refused = self.context.budgets.server_refusal(tenant, asked.user, asked.profile)
                refusal = None if refused is None else {"reason": refused.reason.value, "message": refused.message}
                ended = self.context.budgets.server_end(tenant, asked.user, asked.profile)
                ends = None if ended is None else f"budget {ended.budget.name}: {standing_words(ended, currency)}"
            told = [budget_answer(each, currency) for each in accounts]
            found.append({"tenant": tenant, "budgets": told, "refusal": refusal, "ends": ends})
        return found
