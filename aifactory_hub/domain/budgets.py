"""Budgets: how much a team, or each of its people, may use in a time, and what follows at which share of it. Pure.

Amounts are exact: seconds of GPUs for a budget of GPU-hours, the currency's unit for one of money. What a job costs at
most is *reserved* from when it is taken in until its end, so that what is taken in is never more than what fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from .months import Span, following, month_of

# How a job's reason begins while a budget holds it.
HELD_BY = "held by budget"
# Seconds after which the ledger is not known any more: nobody has heard of the host's pods since.
KNOWN_FOR = 60
_HOUR = 3600


class Unit(StrEnum):
    """What a budget counts."""

    GPU_HOURS = "gpu_hours"
    MONEY = "money"


class Period(StrEnum):
    """The time that a budget is for; SPAN has days of its own."""

    MONTH = "month"
    QUARTER = "quarter"
    SPAN = "span"


class Action(StrEnum):
    """What follows at a share of a budget.

    WARN tells the budget's webhooks. LOWER_PRIORITY lets jobs go after all others, NO_BORROWING keeps them to the
    team's own devices, HOLD keeps new jobs from their tickets, REFUSE_NOTEBOOKS lets no server start, END_NOTEBOOKS
    stops those that run.
    """

    WARN = "warn"
    LOWER_PRIORITY = "lower_priority"
    NO_BORROWING = "no_borrowing"
    HOLD = "hold"
    REFUSE_NOTEBOOKS = "refuse_notebooks"
    END_NOTEBOOKS = "end_notebooks"


# These keep something from starting, or end it: they need a ledger that is known.
HARD = frozenset({Action.HOLD, Action.REFUSE_NOTEBOOKS, Action.END_NOTEBOOKS})


@dataclass(frozen=True, slots=True)
class Step:
    """At ``share`` per cent of the budget follows ``action``."""

    share: int
    action: Action


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget of a team, or with ``person`` of each of its people.

    ``limit`` is in the unit's own: seconds of GPUs, or money. ``span`` is that of Period.SPAN. ``safe``: what jobs may
    still cost counts as if it were used. ``notify`` are webhooks.
    """

    name: str
    unit: Unit
    limit: Fraction
    steps: tuple[Step, ...]
    period: Period = Period.MONTH
    person: bool = False
    safe: bool = True
    span: Span | None = None
    notify: tuple[str, ...] = ()

    def at(self, action: Action) -> Step | None:
        """The step of this action, the first one of several."""
        return next((step for step in self.steps if step.action is action), None)


@dataclass(frozen=True, slots=True)
class Grant:
    """More of a budget until ``until`` (seconds since 1970): ``amount`` in the unit's own. ``user`` is the person that
    it is for, "" for the team's budget."""

    number: int
    tenant: str
    budget: str
    user: str
    amount: Fraction
    until: float
    reason: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Account:
    """How a budget stands in its present time: of the team, or of ``user``.

    ``limit`` is with what was ``granted``. ``spent`` is the ledger's, ``reserved`` what jobs may still cost besides.
    ``known`` false: the ledger was not heard of lately, so that ``spent`` may be too little.
    """

    budget: Budget
    span: Span
    user: str
    limit: Fraction
    granted: Fraction
    spent: Fraction
    reserved: Fraction
    known: bool = True

    @property
    def used(self) -> Fraction:
        """What counts against something new."""
        return self.spent + self.reserved if self.budget.safe else self.spent

    @property
    def left(self) -> Fraction:
        """What something new may cost, not below 0."""
        return max(Fraction(0), self.limit - self.used)

    @property
    def per_cent(self) -> Fraction:
        """What is spent of 100."""
        return Fraction(100) * self.spent / self.limit if self.limit else Fraction(100)

    def threshold(self, step: Step) -> Fraction:
        """The amount at which the step begins."""
        return self.limit * step.share / 100

    def reached(self, action: Action) -> Step | None:
        """The last step of this action that what is spent has reached."""
        found = [each for each in self.budget.steps if each.action is action and self.spent >= self.threshold(each)]
        return max(found, key=lambda each: each.share, default=None)


# What something costs, by unit; nothing for a unit in which it has no price.
Costs = Mapping[Unit, Fraction]


def span_of(budget: Budget, now: float, zone: ZoneInfo) -> Span | None:
    """The time that the budget is in; None where its own is over or has not begun."""
    if budget.period is Period.MONTH:
        return month_of(now, zone)
    if budget.period is Period.QUARTER:
        return _quarter_of(now, zone)
    span = budget.span
    return span if span is not None and span.start <= now < span.end else None


def _quarter_of(now: float, zone: ZoneInfo) -> Span:
    first = month_of(now, zone)
    month = datetime.fromtimestamp(now, zone).month
    for _ in range((month - 1) % 3):
        first = month_of(first.start - 1, zone)
    last = following(following(first, zone), zone)
    year = first.name.partition("-")[0]
    return Span(f"{year}-Q{(month - 1) // 3 + 1}", first.start, last.end)


def granted(budget: Budget, user: str, grants: Iterable[Grant], now: float) -> Fraction:
    """What is granted besides the budget's limit now."""
    whose = user if budget.person else ""
    those = (each for each in grants if each.budget == budget.name and each.user == whose and each.at <= now)
    return sum((each.amount for each in those if now < each.until), Fraction(0))


def longest_cost(costs: Costs, budget: Budget, span: Span, *, seconds: int, now: float) -> Fraction:
    """What something that costs so much a second may cost in the budget's time, if it runs as long as it may."""
    return costs.get(budget.unit, Fraction(0)) * max(0, min(seconds, span.end - int(now)))


def hold_of(account: Account, asked: Fraction) -> Step | None:
    """The step that holds a job which costs ``asked`` at most; None: the budget has room for it.

    What costs nothing of the budget's unit is never held by it.
    """
    step = account.budget.at(Action.HOLD)
    if step is None or asked <= 0:
        return None
    if not account.known:
        return step
    over = (
        account.used + asked > account.threshold(step)
        if account.budget.safe
        else account.spent >= account.threshold(step)
    )
    return step if over else None


def refusal_of(account: Account, a_second: Fraction) -> Step | None:
    """The step that lets no server of this cost begin. A server has no longest time, so nothing is reserved for it."""
    step = account.budget.at(Action.REFUSE_NOTEBOOKS)
    if step is None or a_second <= 0:
        return None
    return step if not account.known or account.used >= account.threshold(step) else None


def end_of(account: Account, a_second: Fraction) -> Step | None:
    """The step that ends a server of this cost. Nothing is ended by a ledger that is not known."""
    return account.reached(Action.END_NOTEBOOKS) if account.known and a_second > 0 else None


def refuses_notebooks(budgets: Iterable[Budget]) -> bool:
    """Whether any of them lets no notebook start from some share on."""
    return any(budget.at(Action.REFUSE_NOTEBOOKS) is not None for budget in budgets)


def ends_notebooks(budgets: Iterable[Budget]) -> bool:
    """Whether any of them ends notebooks at some share."""
    return any(budget.at(Action.END_NOTEBOOKS) is not None for budget in budgets)


def lowered(accounts: Iterable[Account]) -> Account | None:
    """The account for which jobs go after all others; None: there is none. What is known counts."""
    return next((each for each in accounts if each.reached(Action.LOWER_PRIORITY) is not None), None)


def kept_to_own(accounts: Iterable[Account]) -> Account | None:
    """The account for which jobs do not borrow; None: there is none."""
    return next((each for each in accounts if each.reached(Action.NO_BORROWING) is not None), None)


def holding(accounts: Sequence[Account], asked: Mapping[str, Fraction]) -> tuple[Account, Step] | None:
    """The first account that holds a job; ``asked`` is what it costs at most by the budget's name."""
    for account in accounts:
        step = hold_of(account, asked.get(account.budget.name, Fraction(0)))
        if step is not None:
            return account, step
    return None


def natural(unit: Unit, amount: Fraction) -> Fraction:
    """The amount as people write it: hours of GPUs, or money."""
    return amount / _HOUR if unit is Unit.GPU_HOURS else amount


def own_amount(unit: Unit, written: Fraction) -> Fraction:
    """The other way of ``natural``."""
    return written * _HOUR if unit is Unit.GPU_HOURS else written
