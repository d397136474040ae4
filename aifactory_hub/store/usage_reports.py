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
        held: dict[LineKey, Seconds] = {}
        cuts = [start, *prices.starts(start, end), end]
        with self._db.connect() as connection:
            for a, b in itertools.pairwise(cuts):
                for found in _seconds(connection, a, b, prices, whose or Whose()):
                    held[found.key] = _sum(held.get(found.key), found)
        return [held[key] for key in sorted(held)]

    def total(self, start: int, end: int, whose: Whose | None = None) -> Total:
        """All of it in three numbers."""
        columns = (func.sum(_within(start, end)), func.sum(_uncertain(start, end)), func.count())
        with self._db.connect() as connection:
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


def _seconds(connection: Connection, start: int, end: int, prices: Prices, whose: Whose) -> Iterable[Seconds]:
    columns = (HoldRow.tenant, HoldRow.user, HoldRow.profile, HoldRow.kind, HoldRow.simulated, HoldRow.gpus)
    held, pods = func.sum(_within(start, end)).label("held"), func.count().label("pods")
    query = select(*columns, held, pods).where(*_touching(start, end, whose)).group_by(*columns)
    for row in connection.execute(query):
        version = prices.at(row.profile, start)
        number = 0 if version is None else version.number
        key = LineKey(row.tenant, row.user, row.profile, row.kind, number, bool(row.simulated))
        seconds = int(row.held)
        yield Seconds(key, seconds, Fraction(row.gpus or 0) * seconds, row.pods)


def _sum(one: Seconds | None, other: Seconds) -> Seconds:
    if one is None:
        return other
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


def _within(start: int, end: int) -> ColumnElement[int]:
    """A hold's seconds within ``[start, end)``."""
    until: ColumnElement[Any] = case((HoldRow.end.is_(None), end), (HoldRow.end > end, end), else_=HoldRow.end)
    since: ColumnElement[Any] = case((HoldRow.start < start, start), else_=HoldRow.start)
    return case((until > since, until - since), else_=0)


def _uncertain(start: int, end: int) -> ColumnElement[int]:
    """Seconds within ``[start, end)`` that a hold may have had, and that nobody could know."""
    latest, ended = HoldRow.latest_end, HoldRow.end
    until: ColumnElement[Any] = case((latest > end, end), else_=latest)
    since: ColumnElement[Any] = case((ended < start, start), else_=ended)
    return case((ended.is_(None), 0), (until > since, until - since), else_=0)
