"""The metrics of jobs: a row for each series and one for each point that is kept of it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, or_, select, tuple_, update

from ..domain.metrics import (
    MOST_ATTEMPTS,
    MOST_IN_ALL,
    MOST_NAMES,
    Extreme,
    Point,
    Series,
    extend,
    points_of_each,
    thin,
)
from .database import writing
from .models import MetricPointRow, MetricRow

_SERIES: Any = MetricRow.__table__
_POINTS: Any = MetricPointRow.__table__


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """One metric of one attempt. ``points`` are those that are asked for, in order; ``whole``: not only the new ones.

    ``count`` is how many were reported, ``thinned`` whether some of them are not kept or not told.
    """

    attempt: int
    name: str
    count: int
    thinned: bool
    whole: bool
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class StoredMetrics:
    """``cursor`` is what to ask with for what comes after these."""

    cursor: int
    series: tuple[StoredSeries, ...]


class Metrics:
    """Metrics in the database. Methods block for a moment and are safe in any thread."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def read(
        self, job_id: str, *, name: str | None = None, attempt: int | None = None, since: int = 0, most: int
    ) -> StoredMetrics:
        """The series of a job that have changed after the cursor ``since``, the first attempt's first, by name.

        Of each at most ``most`` points, and fewer if the job has many series.
        """
        asked = [MetricRow.job_id == job_id, MetricRow.changed > since]
        asked += [] if name is None else [MetricRow.name == name]
        asked += [] if attempt is None else [MetricRow.attempt == attempt]
        with self._db.connect() as connection:
            cursor = connection.scalar(select(func.max(MetricRow.changed)).where(MetricRow.job_id == job_id))
            query = select(_SERIES).where(*asked).order_by(MetricRow.attempt, MetricRow.name)
            rows = [dict(row) for row in connection.execute(query).mappings()]
            points = _points_after(connection, job_id, rows, since)
        each = min(most, max(2, MOST_IN_ALL // max(1, len(rows))))
        series = tuple(_told(row, points[row["attempt"], row["name"]], since, each) for row in rows)
        return StoredMetrics(max(since, cursor or 0), series)

    def forget(self, job_id: str) -> None:
        """Remove all of a job's; the last values stay with its attempts."""
        with writing(self._db) as connection:
            for table in (_POINTS, _SERIES):
                connection.execute(delete(table).where(table.c.job_id == job_id))


def record_points(connection: Connection, job_id: str, attempt: int, reported: Mapping[str, Sequence[Point]]) -> None:
    """Add points to the series of an attempt; those that are there already change nothing.

    The transaction has to have changed the job before: its lock on the job's row keeps others from doing this.
    Names beyond the limit are left out.
    """
    query = select(_SERIES).where(MetricRow.job_id == job_id, MetricRow.attempt == attempt)
    known = {row["name"]: dict(row) for row in connection.execute(query).mappings()}
    fresh = [name for name, points in reported.items() if points and name not in known]
    fresh = fresh[: max(0, MOST_NAMES - len(known))]
    if not known and fresh:
        _forget_before(connection, job_id, attempt - MOST_ATTEMPTS)
    number = 1 + (connection.scalar(select(func.max(MetricRow.changed)).where(MetricRow.job_id == job_id)) or 0)
    most = points_of_each(len(known) + len(fresh))
    batch = _Batch(connection, job_id, attempt, number)
    for name in [*(known.keys() & reported.keys()), *fresh]:
        batch.add(name, known.get(name), reported[name], most)
    batch.write()


class _Batch:
    """What one report changes, written with one statement for each kind of change."""

    def __init__(self, connection: Connection, job_id: str, attempt: int, number: int) -> None:
        self._connection = connection
        self._place = {"job_id": job_id, "attempt": attempt}
        self._number = number
        self._new: list[dict[str, Any]] = []
        self._changed: list[dict[str, Any]] = []
        self._points: list[dict[str, Any]] = []
        self._superseded: list[dict[str, Any]] = []
        self._thinned: list[tuple[str, Series]] = []

    def add(self, name: str, row: Mapping[str, Any] | None, points: Sequence[Point], most: int) -> None:
        before = Series() if row is None else _series_of(row)
        after = extend(before, points, most=most)
        if after.count == before.count:
            return
        rebuilt = self._number if row is None or after.stride != before.stride else row["rebuilt"]
        values = {**_values(after), "changed": self._number, "rebuilt": rebuilt}
        (self._new if row is None else self._changed).append({**self._place, "name": name, **values})
        fresh = {point.number: point for point in points if point.number >= before.count and after.keeps(point.number)}
        self._points += [self._row(name, fresh[number]) for number in sorted(fresh)]
        if after.stride != before.stride:
            self._thinned.append((name, after))
        else:
            gone = [number for number in before.special if before.count and not after.keeps(number)]
            self._superseded += [{**self._place, "name": name, "number": number} for number in gone]

    def write(self) -> None:
        run = self._connection.execute
        if self._new:
            run(insert(_SERIES), self._new)
        if self._changed:
            run(_by_key(update(_SERIES), _SERIES).values(_parameters(_SERIES)), [_bound(row) for row in self._changed])
        for name, series in self._thinned:
            this = (_POINTS.c[key] == value for key, value in {**self._place, "name": name}.items())
            off = (_POINTS.c.number % series.stride != 0, _POINTS.c.number.not_in(sorted(series.special)))
            run(delete(_POINTS).where(*this, *off))
        if self._superseded:
            run(_by_key(delete(_POINTS), _POINTS), [_bound(row) for row in self._superseded])
        if self._points:
            run(insert(_POINTS), self._points)

    def _row(self, name: str, point: Point) -> dict[str, Any]:
        # Neither database compares NaN as others do, and SQLite has none: it is null.
        value = None if math.isnan(point.value) else point.value
        told = {"number": point.number, "step": point.step, "at": point.at, "value": value}
        return {**self._place, "name": name, **told, "batch": self._number}


def _by_key(statement: Any, table: Any) -> Any:
    return statement.where(*(column == bindparam(f"b_{column.name}") for column in table.primary_key))


def _parameters(table: Any) -> dict[str, Any]:
    return {column.name: bindparam(f"b_{column.name}") for column in table.c if not column.primary_key}


def _bound(row: Mapping[str, Any]) -> dict[str, Any]:
    return {f"b_{name}": value for name, value in row.items()}


def _values(series: Series) -> dict[str, Any]:
    lowest, highest = series.lowest, series.highest
    return {
        "count": series.count,
        "stride": series.stride,
        "lowest_number": None if lowest is None else lowest.number,
        "lowest": None if lowest is None else lowest.value,
        "highest_number": None if highest is None else highest.number,
        "highest": None if highest is None else highest.value,
        "not_finite": series.not_finite,
    }


def _series_of(row: Mapping[str, Any]) -> Series:
    lowest = None if row["lowest_number"] is None else Extreme(row["lowest_number"], row["lowest"])
    highest = None if row["highest_number"] is None else Extreme(row["highest_number"], row["highest"])
    return Series(row["count"], row["stride"], lowest, highest, row["not_finite"])


def _points_after(
    connection: Connection, job_id: str, rows: Sequence[Mapping[str, Any]], since: int
) -> dict[tuple[int, str], list[Point]]:
    """The points that came after ``since``; of a series that was thinned since, all."""
    found: dict[tuple[int, str], list[Point]] = defaultdict(list)
    if not rows:
        return found
    rebuilt = [(row["attempt"], row["name"]) for row in rows if row["rebuilt"] > since]
    which: Any = MetricPointRow.batch > since
    if rebuilt:
        which = or_(which, tuple_(MetricPointRow.attempt, MetricPointRow.name).in_(rebuilt))
    query = select(_POINTS).where(MetricPointRow.job_id == job_id, which)
    if len(rows) == 1:  # most often one curve is looked at
        query = query.where(MetricPointRow.attempt == rows[0]["attempt"], MetricPointRow.name == rows[0]["name"])
    for row in connection.execute(query.order_by(MetricPointRow.number)):
        value = math.nan if row.value is None else row.value
        found[row.attempt, row.name].append(Point(row.number, row.step, row.at, value))
    return found


def _told(row: Mapping[str, Any], points: Sequence[Point], since: int, most: int) -> StoredSeries:
    whole = bool(row["rebuilt"] > since)
    told = tuple(thin(points, most))
    missing = row["stride"] > 1 or len(told) < len(points) or (whole and len(told) < row["count"])
    return StoredSeries(row["attempt"], row["name"], row["count"], bool(missing), whole, told)


def _forget_before(connection: Connection, job_id: str, attempt: int) -> None:
    for table in (_POINTS, _SERIES):
        connection.execute(delete(table).where(table.c.job_id == job_id, table.c.attempt <= attempt))
