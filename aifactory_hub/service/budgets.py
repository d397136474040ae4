"""Budgets of the site: gathers what decisions about jobs and servers are made on. What blocks says so."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from fractions import Fraction
from zoneinfo import ZoneInfo

from aifactory_profiles import Profile

from ..domain.budget_words import check_words, notebook_refusal
from ..domain.budgets import (
    KNOWN_FOR,
    Account,
    Budget,
    Costs,
    Unit,
    end_of,
    hold_of,
    kept_to_own,
    longest_cost,
    lowered,
    refusal_of,
    span_of,
)
from ..domain.months import Span, day_of
from ..domain.possessions import gpu_part
from ..domain.prices import PriceVersion
from ..domain.refusals import Refusal
from ..registry.model import Registry
from ..store import JobRecord
from ..store.budgets import Asked, BudgetBook, TeamBudgets
from .answer_types import Verdict
from .run_spec import longest


@dataclass(frozen=True)
class Budgets:
    """``heard_at`` is up to which second the ledger knows everything, None where nothing fills it: it knows all."""

    get_registry: Callable[[], Registry]
    book: BudgetBook
    clock: Callable[[], float]
    heard_at: Callable[[], int] | None = None
    _spans: dict[tuple[tuple[Budget, ...], str], tuple[float, float, tuple[tuple[Budget, Span], ...]]] = field(
        default_factory=dict, repr=False
    )
    _costs: dict[str, tuple[Registry, Costs]] = field(default_factory=dict, repr=False)

    def team(self, tenant: str) -> TeamBudgets | None:
        """The budgets of a team; None where it has none, so that nothing is asked."""
        registry = self.get_registry()
        found = registry.tenants.get(tenant)
        if found is None or not found.budgets:
            return None
        now = self.clock()
        until = int(now) if self.heard_at is None else self.heard_at()
        zone, currency = registry.billing.zone, registry.billing.currency
        known = now - until <= KNOWN_FOR
        return TeamBudgets(tenant, self._in_time(found.budgets, now, zone), zone, currency, now, until, known)

    def _in_time(self, budgets: tuple[Budget, ...], now: float, zone: ZoneInfo) -> tuple[tuple[Budget, Span], ...]:
        """The budgets that are in their time, each with that; remembered until one of these times is over."""
        kept = self._spans.get((budgets, zone.key))
        if kept is None or not kept[0] <= now < kept[1]:
            found = [(budget, span) for budget in budgets if (span := span_of(budget, now, zone)) is not None]
            # Spans of their own begin at any time: they are looked for anew each day.
            today = day_of(now, zone)
            ends = [span.end for _, span in found]
            kept = (max([today.start, *(s.start for _, s in found)]), min([today.end, *ends]), tuple(found))
            self._spans[budgets, zone.key] = kept
        return kept[2]

    def asked(self, job: JobRecord) -> Asked | None:
        """What a job asks of its team's budgets: the longest that it may take, with all retries that it has left."""
        team = self.team(job.tenant)
        if team is None:
            return None
        registry = self.get_registry()
        tries = 1 + max(0, job.spec.max_retries - job.retries_used)
        costs = self.costs(job.spec.profile, job.spec.nodes)
        return Asked(team, job.owner, costs, longest(job, registry) * tries, job.attempt)

    def costs(self, profile: str, nodes: int = 1) -> Costs:
        """What a second of so many of a profile costs, by unit."""
        registry = self.get_registry()
        known = self._costs.get(profile)
        if known is None or known[0] is not registry:
            there = profile in registry.catalogue.names
            known = (registry, costs_of(registry.catalogue.profile(profile), registry) if there else {})
            self._costs[profile] = known
        return known[1] if nodes == 1 else {unit: cost * nodes for unit, cost in known[1].items()}

    def reserve(self, job: JobRecord) -> str | None:
        """Reserve what a job may cost, unless that was done; why a budget holds it, None where none does. Blocks."""
        asked = self.asked(job)
        return None if asked is None else self.book.reserve(job.id, asked)

    def accounts(self, tenant: str, users: Collection[str] = ()) -> list[Account]:
        """How the team's budgets stand, with those of each of these users. Blocks."""
        team = self.team(tenant)
        return [] if team is None else self.book.accounts(team, users)

    def checks(self, job: JobRecord) -> list[Verdict]:
        """What each budget would say to the job if it were submitted now. Blocks."""
        asked = self.asked(job)
        if asked is None:
            return []
        found: list[Verdict] = []
        for account in self.book.accounts(asked.team, [job.owner]):
            now = asked.team.now
            most = longest_cost(asked.costs, account.budget, account.span, seconds=asked.seconds, now=now)
            step = hold_of(account, most)
            detail = check_words(account, step, most, job.tenant, asked.team.currency)
            found.append({"check": f"budget {account.budget.name}", "ok": step is None, "detail": detail})
        return found

    def server_refusal(self, tenant: str, user: str, profile: str) -> Refusal | None:
        """Why no server of this profile may start for the user now. Blocks."""
        found = self.get_registry().tenants.get(tenant)
        costs = self.costs(profile)
        for account in () if found is None else self.accounts(tenant, [user]):
            if refusal_of(account, costs.get(account.budget.unit, Fraction(0))) is not None:
                return notebook_refusal(account, tenant, self.get_registry().billing.currency)
        return None

    def server_end(self, tenant: str, user: str, profile: str) -> Account | None:
        """The account for which a server that runs is to be ended; None: it goes on. Blocks."""
        costs = self.costs(profile)
        for account in self.accounts(tenant, [user]):
            if end_of(account, costs.get(account.budget.unit, Fraction(0))) is not None:
                return account
        return None

    def lowered(self, tenant: str, user: str) -> bool:
        """Whether the user's jobs go after all others now. Blocks."""
        return lowered(self.accounts(tenant, [user])) is not None

    def kept_to_own(self, tenant: str, user: str) -> bool:
        """Whether the user's jobs do not borrow now. Blocks."""
        return kept_to_own(self.accounts(tenant, [user])) is not None


def costs_of(profile: Profile, registry: Registry) -> dict[Unit, Fraction]:
    """Of a second. A card that does not say how much of a GPU its slice is, and a profile without a price, count as
    nothing, as in the ledger."""
    gpus = gpu_part(profile, registry.catalogue) or Fraction(0)
    per_second = PriceVersion(profile.name, 0, profile.price_per_hour).per_second
    money = Fraction(0) if per_second is None else Fraction(per_second)
    return {Unit.GPU_HOURS: gpus, Unit.MONEY: money}
