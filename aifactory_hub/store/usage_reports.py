"""What the ledger says of a span of time: seconds by line, holds one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, case, func, select

from ..domain.bills import LineKey, Seconds
from ..domain.prices import Prices
from ..domain.usage import Hold, Possession
from .ledger_rows import hold_of
from .usage_tables import HoldRow

_HOLDS = HoldRow.__table__
# Holds that are in memory at once where all are added up.
_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Whose:
    """Of whom to report: of a team, of a person by any of their names, of one profile. None: of all."""

    tenant: str | None = None
    users: Sequence[str] | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """What a team held within a span: seconds of pods, seconds that may have been more, and how many pods."""

    seconds: int
    uncertain: int
    pods: int


class UsageReports:
    """Reads. Methods block and are safe in any thread. What goes on is counted up to the end that is asked for."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def seconds(self, start: int, end: int, prices: Prices, whose: Whose | None = None) -> list[Seconds]:
        """The seconds within ``[start, end)`` by line of a bill. The database adds up seconds and never money."""
        found: list[Seconds] = []
        with self._db.connect() as connection:
            for cuts, profiles in _by_cuts(prices, start, end):
                found += _seconds(connection, cuts, prices, whose or Whose(), profiles)
        return _by_key(found)

    def total(self, start: int, end: int, whose: Whose | None = None) -> Total:
        """All of it in three numbers."""
        with self._db.connect() as connection:
            columns = (func.sum(_within(connection, start, end)), func.sum(_uncertain(start, end)), func.count())
            row = connection.execute(select(*columns).where(*_touching(start, end, whose or Whose()))).one()
        return Total(*(int(number or 0) for number in row))

    def holds(
        self,
        start: int,
        end: int,
        whose: Whose | None = None,
        *,
        limit: int | None = None,
        after: tuple[int, str] = (0, ""),
    ) -> list[Hold]:
        """The holds that touch ``[start, end)`` in order of their start; with ``limit`` the first after ``after``."""
        later = (HoldRow.start > after[0]) | ((HoldRow.start == after[0]) & (HoldRow.pod > after[1]))
        query = select(_HOLDS).where(*_touching(start, end, whose or Whose()), later)
        query = query.order_by(HoldRow.start, HoldRow.pod).limit(limit)
        with self._db.connect() as connection:
            return [hold_of(row._mapping) for row in connection.execute(query)]

    def stream(self, start: int, end: int, whose: Whose | None = None) -> Iterator[list[Hold]]:
        """The holds that touch ``[start, end)``, some at a time and in no order, for adding up: of each only when it
        was, and its team, profile and part of a GPU."""
        columns = (HoldRow.start, HoldRow.end, HoldRow.tenant, HoldRow.profile, HoldRow.gpus, HoldRow.simulated)
        query = select(*columns).where(*_touching(start, end, whose or Whose()))
        known: dict[tuple[Any, ...], Possession] = {}
        with self._db.connect().execution_options(yield_per=_AT_ONCE) as connection:
            for rows in connection.execute(query).partitions():
                yield [Hold("", _brief(row[2:], known), row[0], row[1]) for row in rows]

    def hold(self, pod: str) -> Hold | None:
        """That of one pod."""
        with self._db.connect() as connection:
            row = connection.execute(select(_HOLDS).where(HoldRow.pod == pod)).one_or_none()
        return None if row is None else hold_of(row._mapping)

    def first_second(self) -> int | None:
        """When the first hold of all began; None while there is none."""
        with self._db.connect() as connection:
            return connection.scalar(select(func.min(HoldRow.start)))

    def of_owners(self, kind: str, owners: Iterable[str]) -> dict[str, list[Hold]]:
        """The holds of these servers or runs, by the owner's id."""
        found: dict[str, list[Hold]] = {}
        query = select(_HOLDS).where(HoldRow.kind == kind, HoldRow.owner.in_(list(owners)), HoldRow.void.is_(False))
        with self._db.connect() as connection:
            for row in connection.execute(query.order_by(HoldRow.start)):
                found.setdefault(row.owner, []).append(hold_of(row._mapping))
        return found

    def lengths(self, each: int) -> dict[tuple[str, str], list[int]]:
        """How many seconds the last ``each`` ended holds of each kind and profile took, the newest first."""
        place = func.row_number().over(partition_by=(HoldRow.kind, HoldRow.profile), order_by=HoldRow.end.desc())
        ended = select(HoldRow.kind, HoldRow.profile, HoldRow.start, HoldRow.end, place.label("place")).where(
            HoldRow.end.is_not(None), HoldRow.void.is_(False)
        )
        rows = ended.subquery()
        found: dict[tuple[str, str], list[int]] = {}
        with self._db.connect() as connection:
            for row in connection.execute(select(rows).where(rows.c.place <= each).order_by(rows.c.place)):
                found.setdefault((row.kind, row.profile), []).append(row.end - row.start)
        return found


def _brief(columns: tuple[Any, ...], known: dict[tuple[Any, ...], Possession]) -> Possession:
    if (found := known.get(columns)) is None:
        tenant, profile, gpus, simulated = columns
        part = None if gpus is None else Fraction(gpus)
        found = known[columns] = Possession(tenant, profile=profile, gpus=part, simulated=bool(simulated))
    return found


def _by_cuts(prices: Prices, start: int, end: int) -> list[tuple[list[int], ColumnElement[bool]]]:
    """The seconds between which no price changes, and the profiles that they are of. Most change in one second."""
    change: dict[tuple[int, ...], list[str]] = {}
    for profile in prices.versions:
        if at := prices.starts(start, end, profile):
            change.setdefault(tuple(at), []).append(profile)
    every = [profile for profiles in change.values() for profile in profiles]
    cut = [([start, *at, end], HoldRow.profile.in_(profiles)) for at, profiles in change.items()]
    return [([start, end], HoldRow.profile.not_in(every)), *cut]


def _seconds(
    connection: Connection, cuts: list[int], prices: Prices, whose: Whose, profiles: ColumnElement[bool]
) -> Iterable[Seconds]:
    """By line and part of a GPU: between each two cuts the seconds, and how many pods there were."""
    columns = (HoldRow.tenant, HoldRow.user, HoldRow.profile, HoldRow.kind, HoldRow.simulated, HoldRow.gpus)
    spans = list(itertools.pairwise(cuts))
    sums = [each for a, b in spans for each in (func.sum(_within(connection, a, b)), func.count(_in(a, b)))]
    query = select(*columns, *sums).where(*_touching(cuts[0], cuts[-1], whose), profiles).group_by(*columns)
    numbers: dict[tuple[str, int], int] = {}
    parts: dict[str | None, Fraction] = {}
    for tenant, user, profile, kind, simulated, gpus, *found in connection.execute(query).all():
        part = parts.get(gpus)
        if part is None:
            part = parts[gpus] = Fraction(gpus or 0)
        for (start, _), seconds, pods in zip(spans, found[::2], found[1::2], strict=True):
            if not seconds:
                continue
            number = numbers.get((profile, start))
            if number is None:
                version = prices.at(profile, start)
                number = numbers[profile, start] = 0 if version is None else version.number
            yield Seconds(
                LineKey(tenant, user, profile, kind, number, bool(simulated)),
                int(seconds),
                part * int(seconds),
                int(pods),
            )


def _by_key(found: Iterable[Seconds]) -> list[Seconds]:
    held: dict[LineKey, Seconds] = {}
    for each in found:
        known = held.get(each.key)
        held[each.key] = each if known is None else _sum(known, each)
    return sorted(held.values(), key=lambda each: each.key.order)


def _sum(one: Seconds, other: Seconds) -> Seconds:
    return Seconds(one.key, one.held + other.held, one.gpu + other.gpu, one.pods + other.pods)


def _touching(start: int, end: int, whose: Whose) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [
        HoldRow.void.is_(False),
        HoldRow.start < end,
        HoldRow.end.is_(None) | (func.coalesce(HoldRow.latest_end, HoldRow.end) > start),
    ]
    if whose.tenant is not None:
        found.append(HoldRow.tenant == whose.tenant)
    if whose.users is not None:
        found.append(HoldRow.user.in_(list(whose.users)))
    if whose.profile is not None:
        found.append(HoldRow.profile == whose.profile)
    return found


def _within(connection: Connection, start: int, end: int) -> ColumnElement[int]:
    """A hold's seconds within ``[start, end)``."""
    least, most = (func.min, func.max) if connection.dialect.name == "sqlite" else (func.least, func.greatest)
    until = least(func.coalesce(HoldRow.end, end), end)
    return most(until - most(HoldRow.start, start), 0)


def _in(start: int, end: int) -> ColumnElement[Any]:
    """Not null where a hold has a second within ``[start, end)``."""
    held = (HoldRow.start < end) & (func.coalesce(HoldRow.end, end) > HoldRow.start)
    return case((held & (func.coalesce(HoldRow.end, end) > start), 1))


def _uncertain(start: int, end: int) -> ColumnElement[int]:
    """Seconds within ``[start, end)`` that a hold may have had, and that nobody could know."""
    latest, ended = HoldRow.latest_end, HoldRow.end
    until: ColumnElement[Any] = case((latest > end, end), else_=latest)
    since: ColumnElement[Any] = case((ended < start, start), else_=ended)
    return case((ended.is_(None), 0), (until > since, until - since), else_=0)
