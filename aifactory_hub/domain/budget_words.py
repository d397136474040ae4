"""What is said of budgets: one set of sentences for the menu, the form, Home, the pages, REST and messages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from .budgets import HELD_BY, Account, Action, Budget, Step, Unit, natural
from .formatting import minute
from .prices import digits
from .refusals import Refusal, RefusalReason

_STEPS = {
    Action.WARN: "a warning",
    Action.LOWER_PRIORITY: "jobs go after all others",
    Action.NO_BORROWING: "jobs have the team's own devices only",
    Action.HOLD: "new jobs are held",
    Action.REFUSE_NOTEBOOKS: "no notebook starts",
    Action.END_NOTEBOOKS: "notebooks that run are stopped",
}
_UNKNOWN = "what was used is not known now, because nobody has heard of the cluster's pods lately"


def amount_text(unit: Unit, amount: Fraction, currency: str) -> str:
    """A number as people write it, for programs too: ``12.5`` hours, ``4000.00`` of a currency."""
    places = 2 if unit is Unit.GPU_HOURS else digits(currency)
    value = natural(unit, amount)
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return f"{exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"


def words(unit: Unit, amount: Fraction, currency: str) -> str:
    """``12.5 GPU-hours``, ``4000.00 EUR``."""
    text = amount_text(unit, amount, currency)
    if unit is Unit.GPU_HOURS:
        return f"{text.rstrip('0').rstrip('.') if '.' in text else text} GPU-hours"
    return f"{text} {currency}".strip()


def whose(account: Account, tenant: str) -> str:
    """``month of team nlp``, ``each of ada in team nlp``."""
    return f"{account.budget.name} of {f'{account.user} in ' if account.user else ''}team {tenant}"


def standing_words(account: Account, currency: str) -> str:
    """``12.5 of 500 GPU-hours used, 20 reserved, resets on ...``: the same sentence wherever a budget is shown."""
    unit = account.budget.unit
    used, limit = words(unit, account.spent, currency), words(unit, account.limit, currency)
    reserved = f", {words(unit, account.reserved, currency)} reserved" if account.reserved else ""
    known = "" if account.known else f"; {_UNKNOWN}"
    return f"{used} of {limit} used{reserved}, resets at {minute(account.span.end)}{known}"


def step_words(step: Step) -> str:
    """What follows at a share: ``at 80 % a warning``."""
    return f"at {step.share} % {_STEPS[step.action]}"


def hold_reason(account: Account, step: Step, asked: Fraction, tenant: str, currency: str) -> str:
    """Why a job is held, with the numbers, and when it goes on."""
    begin = f"{HELD_BY} {whose(account, tenant)}"
    if not account.known:
        return f"{begin}: {_UNKNOWN}. It goes on by itself once that is known"
    unit = account.budget.unit
    numbers = f"it may cost {words(unit, asked, currency)}, and {standing_words(account, currency)}"
    at = "" if step.share == 100 else f"; jobs are held from {step.share} % on"
    alone = asked > account.threshold(step)
    instead = (
        "By itself it is more than the whole budget: submit it with a shorter max_duration, or ask for a grant"
        if alone and account.budget.safe
        else "It goes on by itself after a grant, the reset, or once other jobs leave room"
    )
    return f"{begin}: {numbers}{at}. {instead}"


def check_words(account: Account, step: Step | None, asked: Fraction, tenant: str, currency: str) -> str:
    """What a budget says to a job that might be submitted."""
    numbers = f"it may cost {words(account.budget.unit, asked, currency)}; {standing_words(account, currency)}"
    return f"{f'It would be held, {whose(account, tenant)}' if step else whose(account, tenant)}: {numbers}."


def notebook_refusal(account: Account, tenant: str, currency: str) -> Refusal:
    """Why a server may not start."""
    begin = f"Budget {whose(account, tenant)} lets no notebook start now: "
    if not account.known:
        return Refusal(RefusalReason.BUDGET_UNKNOWN, f"{begin}{_UNKNOWN}. Try again in a minute.", field="profile")
    text = f"{begin}{standing_words(account, currency)}. Ask an admin for a grant, or take a size that costs nothing."
    return Refusal(RefusalReason.BUDGET, text, field="profile")


def not_asked(tenant: str) -> Refusal:
    """For a start while the job service, which knows the budgets, does not answer."""
    text = f"A budget of team {tenant} may let no notebook start, and the job service does not say now how it stands."
    return Refusal(RefusalReason.BUDGET_UNKNOWN, f"{text} Try again in a minute.", field="profile")


def message(
    event: str, account: Account, tenant: str, currency: str, at: str, about: Mapping[str, object]
) -> dict[str, object]:
    """What webhooks are told of a budget."""
    budget = account.budget
    return {
        "event": event,
        "at": at,
        "budget": {
            "tenant": tenant,
            "name": budget.name,
            "user": account.user or None,
            "unit": budget.unit.value,
            "limit": amount_text(budget.unit, account.limit, currency),
            "spent": amount_text(budget.unit, account.spent, currency),
            "reserved": amount_text(budget.unit, account.reserved, currency),
            "period": account.span.name,
            "resets_at": account.span.end,
            "words": standing_words(account, currency),
            **about,
        },
    }


def described(budget: Budget, currency: str) -> str:
    """The limit as it is written: ``500 GPU-hours a month for the team``."""
    for_whom = "for each person" if budget.person else "for the team"
    time = "" if budget.period.value == "span" else f" a {budget.period.value}"
    return f"{words(budget.unit, budget.limit, currency)}{time} {for_whom}"
