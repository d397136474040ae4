"""What Home says of a person's month and of their newest jobs: read from the job service's answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from .formatting import money
from .home import STALE
from .jobs import JobState
from .server_ends import duration

# Jobs that Home shows; the Jobs page has all.
MOST_JOBS = 5


@dataclass(frozen=True, slots=True)
class OwnMonth:
    """What a person has held this month in all their teams, as the job service said.

    ``amount`` None: nothing of it has a price. ``as_of`` is up to when it is counted, in seconds since 1970.
    """

    seconds: int
    amount: Decimal | None
    currency: str
    uncertain: int
    as_of: float


@dataclass(frozen=True, slots=True)
class HomeMonth:
    """The month in words; ``stale`` says how old they are where they are old. ``known`` false: nobody could say."""

    words: str
    stale: str = ""
    uncertain: str = ""
    known: bool = True


@dataclass(frozen=True, slots=True)
class HomeJob:
    """One job. ``at`` is when it came into its state as far as that is known, in seconds since 1970."""

    id: str
    name: str
    state: JobState
    reason: str
    at: float | None


def own_month(said: Mapping[str, Any]) -> OwnMonth:
    """The service's answer about somebody's usage. Raises KeyError, ValueError or TypeError for what is none."""
    amount = said["amount"]
    return OwnMonth(
        int(said["seconds"]),
        None if amount is None else Decimal(str(amount)),
        str(said["currency"] or ""),
        int(said["uncertain_seconds"]),
        float(said["as_of"]),
    )


def own_jobs(said: Mapping[str, Any]) -> tuple[HomeJob, ...]:
    """The service's answer about somebody's jobs. Raises KeyError, ValueError or TypeError for what is none."""
    return tuple(_job(each) for each in said["jobs"][:MOST_JOBS])


def _job(said: Mapping[str, Any]) -> HomeJob:
    times = said["times"]
    at = next((times[name] for name in ("finished", "running", "starting", "submitted") if times.get(name)), None)
    since = None if at is None else datetime.fromisoformat(at).timestamp()
    return HomeJob(str(said["id"]), str(said["name"]), JobState(said["state"]), str(said["reason"] or ""), since)


def month_words(month: OwnMonth | None, now: float) -> HomeMonth:
    """``41 h, 12.30 EUR``."""
    if month is None:
        return HomeMonth("not known now", known=False)
    age = now - month.as_of
    held = hours_words(month.seconds)
    priced = "no price set" if month.amount is None else money(month.amount, month.currency)
    return HomeMonth(
        held if month.seconds == 0 else f"{held}, {priced}",
        stale=f"counted until {duration(age)} ago" if age > STALE else "",
        uncertain=f"and up to {hours_words(month.uncertain)} that nobody saw, which cost nothing"
        if month.uncertain
        else "",
    )


def hours_words(seconds: float) -> str:
    """A sum of times: ``12 min``, ``9.5 h``, ``41 h``."""
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36_000 else f"{seconds / 3600:.0f} h"
