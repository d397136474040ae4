"""What teams have used in the times of their budgets: kept in memory, and brought up to the ledger at each look.

A budget is asked about at each submit, and a month has thousands of holds. So the holds that have ended are added up
once, those that go on are counted at each look, and what the ledger changed since the last look is taken over before
every answer: the sum is always the ledger's own. Sums are of whole numbers, because adding up fractions takes long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, bindparam, select

from ..constants import KIND_JOB
from ..domain.budgets import Unit
from ..domain.jobs import job_of
from ..domain.months import Span
from ..domain.prices import Prices, PriceVersion
from .usage_tables import HoldRow

# How many of what is counted make a second of a GPU, and one of the currency: exact for parts of up to a sixteenth of a
# GPU and for a price's twelve decimals.
SCALE: Mapping[Unit, int] = {Unit.GPU_HOURS: 720_720, Unit.MONEY: 10**12}
Amounts = dict[Unit, int | Fraction]

_COLUMNS = (
    *(HoldRow.pod, HoldRow.user, HoldRow.profile, HoldRow.kind, HoldRow.owner),
    *(HoldRow.gpus, HoldRow.start, HoldRow.end, HoldRow.void, HoldRow.tenant),
)
# Not by the team, too: SQLite would look at all that the team has, instead of at the few that have changed.
_CHANGED = select(*_COLUMNS).where(HoldRow.changed > bindparam("seen"))
_ALL = select(*_COLUMNS).where(
    HoldRow.tenant == bindparam("team"),
    HoldRow.void.is_(False),
    HoldRow.end.is_(None) | (HoldRow.end > bindparam("since")),
)


def scaled(amount: Fraction, unit: Unit) -> int | Fraction:
    """The amount as it is counted: a whole number wherever that is exact."""
    found = amount * SCALE[unit]
    return found.numerator if found.denominator == 1 else found


@dataclass(frozen=True, slots=True)
class Metered:
    """One pod's hold as budgets count it. ``rates`` are since when how much money a second costs."""

    user: str
    job: str | None
    gpus: int | Fraction
    rates: tuple[tuple[int, int | Fraction], ...]
    start: int
    end: int | None

    def amount(self, unit: Unit, start: int, end: int) -> int | Fraction:
        """What it used within ``[start, end)``."""
        since, until = max(self.start, start), end if self.end is None else min(self.end, end)
        if until <= since:
            return 0
        if unit is Unit.GPU_HOURS:
            return self.gpus * (until - since)
        total: int | Fraction = 0
        for begin, rate in reversed(self.rates):
            if begin < until:
                total += rate * (until - max(begin, since))
                until = max(begin, since)
        return total


# Sums by span and unit; in them by user.
_Sums = dict[tuple[Span, Unit], dict[str, int | Fraction]]


@dataclass
class _Live:
    """What goes on, added up until one second: by span, unit and user, and what jobs used with all that ended."""

    until: int
    sums: _Sums = field(default_factory=dict)
    jobs: dict[str, Amounts] = field(default_factory=dict)


@dataclass
class TeamSpending:
    """A team's, for these spans."""

    spans: frozenset[Span]
    seen: int = -1
    live: dict[str, Metered] = field(default_factory=dict)
    ended: dict[str, Metered] = field(default_factory=dict)
    sums: _Sums = field(default_factory=dict)
    totals: dict[tuple[Span, Unit], int | Fraction] = field(default_factory=dict)
    # Jobs that have holds, each with what its ended ones used.
    jobs: dict[str, Amounts] = field(default_factory=dict)
    _last: _Live | None = None

    def take(self, pod: str, hold: Metered | None) -> None:
        """The hold as it is now, in the place of what was known of the pod; None: it does not count."""
        self._last = None
        before = self.ended.pop(pod, None)
        self.live.pop(pod, None)
        if before is not None:
            self._add(before, -1)
        if hold is None:
            return
        if hold.job is not None:
            self.jobs.setdefault(hold.job, {})
        if hold.end is None:
            self.live[pod] = hold
        else:
            self.ended[pod] = hold
            self._add(hold, 1)

    def _add(self, hold: Metered, sign: int) -> None:
        end = hold.end or hold.start
        for unit in Unit:
            for span in self.spans:
                amount = sign * hold.amount(unit, span.start, min(span.end, end))
                if amount:
                    _plus(self.sums.setdefault((span, unit), {}), hold.user, amount)
                    self.totals[span, unit] = self.totals.get((span, unit), 0) + amount
            if hold.job is not None:
                _plus(self.jobs.setdefault(hold.job, {}), unit, sign * hold.amount(unit, hold.start, end))

    def spent(self, span: Span, unit: Unit, users: Collection[str] | None, until: int) -> int | Fraction:
        """What was used of the span before ``until``: by people of these names, or by all."""
        going = self._until(until).sums.get((span, unit), {})
        if users is None:
            return self.totals.get((span, unit), 0) + sum(going.values())
        ended = self.sums.get((span, unit), {})
        return sum(ended.get(name, 0) + going.get(name, 0) for name in users)

    def of_jobs(self, until: int) -> Mapping[str, Amounts]:
        """What each job that has holds used before ``until``."""
        return self._until(until).jobs

    def users(self, span: Span) -> set[str]:
        """Who used anything of the span."""
        ended = {user for (each, _), of in self.sums.items() if each == span for user, amount in of.items() if amount}
        return ended | {hold.user for hold in self.live.values()}

    def _until(self, until: int) -> _Live:
        """What goes on, added up once a second."""
        if self._last is None or self._last.until != until:
            found = _Live(until, jobs={job: dict(used) for job, used in self.jobs.items()})
            for hold in self.live.values():
                for unit in Unit:
                    for span in self.spans:
                        amount = hold.amount(unit, span.start, min(span.end, until))
                        if amount:
                            _plus(found.sums.setdefault((span, unit), {}), hold.user, amount)
                    if hold.job in found.jobs:
                        _plus(found.jobs[hold.job], unit, hold.amount(unit, hold.start, until))
            self._last = found
        return self._last

    def keep_jobs(self, job_ids: Collection[str]) -> None:
        """Nothing is reserved any more for the ended jobs that are not among these."""
        running = {hold.job for hold in self.live.values()}
        self.jobs = {job: used for job, used in self.jobs.items() if job in job_ids or job in running}
        self._last = None

    def forget_jobs(self, job_ids: Collection[str]) -> None:
        """Nothing is reserved for these any more."""
        for job in job_ids:
            self.jobs.pop(job, None)
        self._last = None


def _plus(sums: dict[Any, int | Fraction], key: object, amount: int | Fraction) -> None:
    sums[key] = sums.get(key, 0) + amount


def read_team(connection: Connection, tenant: str, team: TeamSpending, changed: int, prices: Prices) -> None:
    """Bring the team's up to the ledger's change ``changed``."""
    if changed <= team.seen:
        return
    for pod, hold in _read(connection, tenant, team, prices):
        team.take(pod, hold)
    team.seen = changed


def _read(
    connection: Connection, tenant: str, team: TeamSpending, prices: Prices
) -> Iterator[tuple[str, Metered | None]]:
    since = min((span.start for span in team.spans), default=0)
    if team.seen < 0:
        rows = connection.execute(_ALL, {"team": tenant, "since": since})
    else:
        rows = connection.execute(_CHANGED, {"seen": team.seen})
    parts: dict[str | None, int | Fraction] = {}
    for pod, user, profile, kind, owner, gpus, start, end, void, whose in rows:
        if whose != tenant:
            continue
        if gpus not in parts:
            parts[gpus] = scaled(Fraction(gpus or 0), Unit.GPU_HOURS)
        job = job_of(owner) if kind == KIND_JOB and owner else None
        rates = tuple(_rates(prices, profile, start))
        yield pod, None if void else Metered(user, job, parts[gpus], rates, start, end)


def _rates(prices: Prices, profile: str, start: int) -> Iterator[tuple[int, int | Fraction]]:
    yield start, _per_second(prices.at(profile, start))
    for version in prices.versions.get(profile, ()):
        if version.effective_from > start:
            yield version.effective_from, _per_second(version)


def _per_second(version: PriceVersion | None) -> int | Fraction:
    per_second = None if version is None else version.per_second
    return 0 if per_second is None else scaled(Fraction(per_second), Unit.MONEY)
