"""When a budget will be used up, as a range of days: from what was used on days of the same weekday. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from .budgets import Account
from .months import Span, day_of, days

# With fewer days nothing is said: a forecast from a few would look like knowledge.
LEAST_DAYS = 14
# Days that are looked back at.
MOST_DAYS = 56
_RUNS = 200


@dataclass(frozen=True, slots=True)
class DayUse:
    """What was used on one whole day, in the budget's unit."""

    day: Span
    amount: float


@dataclass(frozen=True, slots=True)
class BudgetForecast:
    """Eight of ten futures use it up between the days ``low`` and ``high``; ``median`` is the middle one. None: not
    before it resets. ``known`` false: there is too little to say it from. ``over``: it is used up already."""

    low: str | None = None
    median: str | None = None
    high: str | None = None
    known: bool = True
    over: bool = False

    @property
    def words(self) -> str:
        """``ends between the 22nd and the 27th``, with whole dates."""
        if self.over:
            return "is used up"
        if not self.known:
            return "too little is known to say when it ends"
        if self.low is None:
            return "lasts until it resets"
        if self.high is None:
            return f"may end from {self.low} on, or last until it resets"
        return f"ends on {self.low}" if self.low == self.high else f"ends between {self.low} and {self.high}"


def forecast(account: Account, past: Sequence[DayUse], now: float, zone: ZoneInfo) -> BudgetForecast:
    """How it goes on if coming days are like past ones of their weekday, of which each is equally likely.

    The same arguments give the same answer: chance is drawn from the account's name.
    """
    left = float(account.limit - account.spent)
    if left <= 0:
        return BudgetForecast(over=True)
    if len(past) < LEAST_DAYS or not account.known:
        return BudgetForecast(known=False)
    by_weekday = _by_weekday(past, zone)
    coming = days(int(now), account.span.end, zone)
    # Of today only a part is left.
    parts = [(day.name, by_weekday[_weekday(day, zone)], _part(day, zone)) for day in coming]
    chance = random.Random(f"{account.budget.name} {account.user} {account.span.name}")  # noqa: S311 - nothing secret
    ends = sorted(_end(parts, left, chance) for _ in range(_RUNS))
    names = [ends[round(share * (_RUNS - 1))] for share in (0.1, 0.5, 0.9)]
    low, median, high = (None if place == len(parts) else parts[place][0] for place in names)
    return BudgetForecast(low, median, high)


def _end(parts: Sequence[tuple[str, Sequence[float], float]], left: float, chance: random.Random) -> int:
    """The place of the day on which it is used up in one future; the number of days where it is not."""
    for place, (_, amounts, part) in enumerate(parts):
        left -= chance.choice(amounts) * part
        if left <= 0:
            return place
    return len(parts)


def _by_weekday(past: Sequence[DayUse], zone: ZoneInfo) -> dict[int, list[float]]:
    """A weekday that never was is like any other."""
    found: dict[int, list[float]] = {}
    for each in past:
        found.setdefault(_weekday(each.day, zone), []).append(each.amount)
    every = [each.amount for each in past]
    return {weekday: found.get(weekday) or every for weekday in range(7)}


def _weekday(day: Span, zone: ZoneInfo) -> int:
    return datetime.fromtimestamp(day.start, zone).weekday()


def _part(day: Span, zone: ZoneInfo) -> float:
    return day.seconds / day_of(day.start, zone).seconds
