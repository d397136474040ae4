"""What budgets do by the clock: what is not needed any more is released, what they hold goes on, priorities move in the
queue and back, and webhooks are told. Every step may be repeated."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ... import constants
from ...admission import Admission, AdmissionUnavailable
from ...domain.budgets import Account, Action, kept_to_own, lowered
from ...domain.tickets import Ticket, TicketState
from ...store import Jobs
from ...store.budget_notices import tell_of_steps
from ...store.budgets import TeamBudgets
from ..budget_policy import to_give_back
from ..budgets import Budgets
from ..executors import clock as clock_pool

log = logging.getLogger(__name__)

# Held jobs of a team that are looked at at once; the others follow by themselves.
_MOST_WOKEN = 50
# Seconds after which what was added up is read anew, for corrections of what nobody tells of.
_REFRESH_EVERY = 3600.0
# What the last look saw of a team: the times of its budgets, and whether the ledger is known.
_Seen = tuple[frozenset[int], bool]


@dataclass
class BudgetKeeper:
    """``wake`` has a job looked at soon."""

    budgets: Budgets
    jobs: Jobs
    admission: Admission
    wake: Callable[[str], None]
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _lowered: set[str] = field(default_factory=set)
    _refreshed: float = 0.0

    async def tick(self) -> None:
        """Once."""
        teams = self._teams()
        await self._release(teams)
        for team in teams.values():
            users = await clock_pool.run(self.budgets.book.users, team)
            accounts: list[Account] = await clock_pool.run(self.budgets.book.accounts, team, users)
            await clock_pool.run(tell_of_steps, self.jobs.db, team, accounts)
            await self._reorder(team, accounts)
            await self._keep_to_own(team, accounts)

    def _teams(self) -> dict[str, TeamBudgets]:
        found = ((name, self.budgets.team(name)) for name in self.budgets.get_registry().tenants)
        return {name: team for name, team in found if team is not None}

    async def _release(self, teams: Mapping[str, TeamBudgets]) -> None:
        """Release, and wake what is held where there may be room now: after a release, a reset, or once the ledger is
        known again."""
        now = self.budgets.clock()
        until = int(now) if self.budgets.heard_at is None else self.budgets.heard_at()
        if now - self._refreshed >= _REFRESH_EVERY:
            self.budgets.book.refresh()
            self._refreshed = now
        freed = set(await clock_pool.run(self.budgets.book.release, now, until))
        for name, team in teams.items():
            seen = (frozenset(span.end for span in team.spans), team.known)
            if self._seen.get(name, seen) != seen:
                freed.add(name)
            self._seen[name] = seen
        if freed:
            held: Mapping[str, Sequence[str]] = await clock_pool.run(self.budgets.book.held)
            for name in freed:
                for job_id in held.get(name, ())[:_MOST_WOKEN]:
                    self.wake(job_id)

    async def _reorder(self, team: TeamBudgets, accounts: Sequence[Account]) -> None:
        """Let tickets have the priority that the budgets say: those that wait go down, all come back up."""
        if not any(budget.at(Action.LOWER_PRIORITY) for budget, _ in team.budgets) and team.tenant not in self._lowered:
            return
        own = [each for each in accounts if not each.user]
        try:
            tickets = [t for t in await self.admission.tickets(team.tenant) if t.kind == constants.KIND_JOB]
            for ticket in tickets:
                low = lowered([*own, *(each for each in accounts if each.user == ticket.user)]) is not None
                await self._move(ticket, low=low)
        except AdmissionUnavailable as error:
            log.info("priorities of %s: %s", team.tenant, error)
            return
        self._lowered.discard(team.tenant)
        if lowered(accounts) is not None:
            self._lowered.add(team.tenant)

    async def _keep_to_own(self, team: TeamBudgets, accounts: Sequence[Account]) -> None:
        """Give back the tickets that wait and would have to borrow: their jobs wait for devices of the team's own."""
        own = [each for each in accounts if not each.user]
        if kept_to_own(accounts) is None:
            return
        tenant = self.budgets.get_registry().tenants[team.tenant]
        try:
            tickets = await self.admission.tickets(team.tenant)
            for ticket in to_give_back(tickets, tenant.quota.nominal):
                of_user = [each for each in accounts if each.user == ticket.user]
                if kept_to_own([*own, *of_user]) is not None:
                    log.info("%s in %s borrows nothing: its budget says so", ticket.name, ticket.tenant)
                    await self.admission.release(ticket.tenant, ticket.name)
        except AdmissionUnavailable as error:
            log.info("tickets of %s: %s", team.tenant, error)

    async def _move(self, ticket: Ticket, *, low: bool) -> None:
        is_low = ticket.priority == constants.PRIORITY_LOWERED
        if low and not is_low and ticket.state is TicketState.QUEUED:
            log.info("%s in %s goes after all others: its budget says so", ticket.name, ticket.tenant)
            await self.admission.prioritize(ticket.tenant, ticket.name, constants.PRIORITY_LOWERED)
        elif is_low and not low and ticket.state in (TicketState.QUEUED, TicketState.ADMITTED):
            job = await clock_pool.run(self.jobs.get, ticket.owner)
            if job is not None:
                log.info("%s in %s has its own priority again", ticket.name, ticket.tenant)
                priority = constants.JOB_PRIORITIES[job.spec.priority]
                await self.admission.prioritize(ticket.tenant, ticket.name, priority)
