"""How budgets stand, as JSON: the same for REST, the pages, the command and the hub. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from typing_extensions import TypedDict

from .budget_forecast import BudgetForecast
from .budget_words import amount_text, standing_words
from .budgets import Account, Grant, Unit
from .formatting import iso


class BudgetStepAnswer(TypedDict):
    """At ``share`` per cent follows ``action``. ``reached``: what is spent is as much already."""

    share: int
    action: str
    reached: bool


class BudgetForecastAnswer(TypedDict):
    """Days on which it will be used up: eight of ten futures are between ``low`` and ``high``. Null: not before it
    resets, or not known; ``words`` say which."""

    low: str | None
    median: str | None
    high: str | None
    words: str


class BudgetAnswer(TypedDict):
    """One budget in its present time. Amounts are decimals, in hours of whole GPUs or in the currency.

    ``user`` is whose it is, null for the team's. ``limit`` is with what was ``granted``. ``reserved`` is what jobs may
    still cost. ``left`` is what something new may cost. ``known`` false: the ledger is behind, so ``spent`` may be too
    little. ``words`` say it in one sentence.
    """

    name: str
    per: Literal["team", "person"]
    user: str | None
    unit: Literal["gpu_hours", "money"]
    currency: str | None
    period: str
    start: str
    resets_at: str
    limit: str
    granted: str
    spent: str
    reserved: str
    left: str
    per_cent: float
    safe: bool
    known: bool
    steps: list[BudgetStepAnswer]
    forecast: BudgetForecastAnswer | None
    words: str


class GrantAnswer(TypedDict):
    """More of a budget, until ``until``. ``user`` null: of the team's budget. ``counts``: it does now."""

    id: int
    budget: str
    user: str | None
    amount: str
    until: str
    reason: str
    by: str
    at: str
    counts: bool


class BudgetsAnswer(TypedDict):
    """A team's budgets and the caller's own; ``people`` are those of everybody in it, for its admins, else null.

    ``held`` is how many jobs of the team its budgets hold now.
    """

    tenant: str
    as_of: str
    known: bool
    simulated: bool
    budgets: list[BudgetAnswer]
    people: list[BudgetAnswer] | None
    grants: list[GrantAnswer]
    held: int


# The forecast of an account, None where none is made.
Forecasts = Callable[[Account], BudgetForecast | None]


def no_forecast(account: Account) -> BudgetForecast | None:
    """None."""
    return None


def budget_answer(account: Account, currency: str, told: BudgetForecast | None = None) -> BudgetAnswer:
    """One account."""
    budget, unit = account.budget, account.budget.unit
    return {
        "name": budget.name,
        "per": "person" if budget.person else "team",
        "user": account.user or None,
        "unit": "gpu_hours" if unit is Unit.GPU_HOURS else "money",
        "currency": (currency or None) if unit is Unit.MONEY else None,
        "period": account.span.name,
        "start": iso(account.span.start),
        "resets_at": iso(account.span.end),
        "limit": amount_text(unit, account.limit, currency),
        "granted": amount_text(unit, account.granted, currency),
        "spent": amount_text(unit, account.spent, currency),
        "reserved": amount_text(unit, account.reserved, currency),
        "left": amount_text(unit, account.left, currency),
        "per_cent": round(float(account.per_cent), 1),
        "safe": budget.safe,
        "known": account.known,
        "steps": [
            {"share": s.share, "action": s.action.value, "reached": account.spent >= account.threshold(s)}
            for s in budget.steps
        ],
        "forecast": None if told is None else forecast_answer(told),
        "words": standing_words(account, currency),
    }


def forecast_answer(told: BudgetForecast) -> BudgetForecastAnswer:
    """When it will be used up."""
    return {"low": told.low, "median": told.median, "high": told.high, "words": told.words}


def grant_answer(given: Grant, unit: Unit, currency: str, now: float) -> GrantAnswer:
    """One grant."""
    return {
        "id": given.number,
        "budget": given.budget,
        "user": given.user or None,
        "amount": amount_text(unit, given.amount, currency),
        "until": iso(given.until),
        "reason": given.reason,
        "by": given.by,
        "at": iso(given.at),
        "counts": given.at <= now < given.until,
    }


def budgets_answer(
    tenant: str,
    accounts: Sequence[Account],
    people: Sequence[Account] | None,
    grants: Iterable[GrantAnswer],
    *,
    currency: str,
    as_of: float,
    known: bool,
    held: int,
    simulated: bool,
    forecasts: Forecasts = no_forecast,
) -> BudgetsAnswer:
    """All of a team, as somebody may see it."""
    return {
        "tenant": tenant,
        "as_of": iso(as_of),
        "known": known,
        "simulated": simulated,
        "budgets": [budget_answer(each, currency, forecasts(each)) for each in accounts],
        "people": None if people is None else [budget_answer(each, currency) for each in people],
        "grants": list(grants),
        "held": held,
    }
