"""The ledger: facts that are only ever added, each chained to the one before, and the holds that follow from them.

A fact is unique by pod, kind and source. So two witnesses, a watch that tells twice and a process that starts again
count once. How far the host's watch has come is written in the transaction of what it told: a kill leaves both or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ..domain.names import slug
from ..domain.usage import Hold, Source, UsageFact, fold
from .database import writing
from .ledger_rows import COVERED, FIRST, chained, event_values, fact_of, hold_of, hold_values, renamed
from .usage_tables import HoldRow, UsageEventRow, UsageHandoverRow, UsagePositionRow

T = TypeVar("T")

# Whose position: of the host's watch, or of another ledger that is read.
HOST, HUB = "host", "hub"
# Pods that one question names: databases take a few thousand parameters.
_AT_ONCE = 500
# Events that are read at once when all are.
_READ = 10_000
_EVENTS, _HOLDS = UsageEventRow.__table__, HoldRow.__table__
_EVENT_COLUMNS, _HOLD_COLUMNS = [column.name for column in _EVENTS.c], [column.name for column in _HOLDS.c]


@dataclass(frozen=True, slots=True)
class Position:
    """The resourceVersion up to which the host's watch was heard, and when, by the host's clock."""

    version: str
    heard_at: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What ``verify`` found: how many events and holds there are, and the first thing that is wrong, None if none."""

    events: int
    holds: int
    problem: str | None = None


class Ledger:
    """Facts and holds in the database. Methods block and are safe in any thread; one process appends (see lease)."""

    def __init__(self, db: Engine) -> None:
        self.db = db

    def append(self, facts: Sequence[UsageFact], position: Position | None = None, *, of: str = HOST) -> int:
        """Add the facts that are not known yet, and the position with them; how many were new."""
        with writing(self.db) as connection:
            new = _new_rows(connection, facts)
            for rows in _some(new):
                connection.execute(insert(UsageEventRow), rows)
            if new:
                _project(connection, {row["pod"] for row in new}, new[-1]["seq"])
            if position is not None:
                _set_position(connection, position, of)
        return len(new)

    def add_missing(self, facts: Sequence[UsageFact], position: Position, *, of: str) -> int:
        """Add those facts of another ledger that this one does not know for certain; how many."""
        with self.db.connect() as connection:
            known = _certain(connection, {fact.pod for fact in facts})
        return self.append([fact for fact in facts if (fact.pod, str(fact.kind)) not in known], position, of=of)

    def position(self, *, of: str = HOST) -> Position | None:
        """Where the host's watch stood, or how far another ledger was read; None before anything was heard."""
        columns = (UsagePositionRow.version, UsagePositionRow.heard_at)
        with self.db.connect() as connection:
            row = connection.execute(select(*columns).where(UsagePositionRow.name == of)).one_or_none()
        return None if row is None else Position(row.version, row.heard_at)

    def head(self) -> int:
        """The number of the last event; 0 before the first."""
        with self.db.connect() as connection:
            return _head(connection)[0]

    def going_on(self) -> list[Hold]:
        """The holds that have no end yet."""
        with self.db.connect() as connection:
            rows = connection.execute(select(_HOLDS).where(HoldRow.end.is_(None), HoldRow.void.is_(False)))
            return [hold_of(row._mapping) for row in rows]

    def facts(self, pod: str) -> list[UsageFact]:
        """The evidence of one pod, in the order in which it was heard."""
        with self.db.connect() as connection:
            query = select(_EVENTS).where(UsageEventRow.pod == pod).order_by(UsageEventRow.seq)
            return [fact_of(row._mapping) for row in connection.execute(query)]

    def verify(self) -> Verdict:
        """Whether every event is as it was written and every hold is what follows from them. Reads all of it."""
        with self.db.connect() as connection:
            events, problem = _verify_chain(connection)
            holds = int(connection.scalar(select(func.count()).select_from(_HOLDS)) or 0)
            if problem is None:
                problem = _verify_holds(connection)
        return Verdict(events, holds, problem)

    def verify_end(self, entries: int) -> Verdict:
        """As ``verify``, of the last so many events and without holds: quick, however long the ledger is."""
        with self.db.connect() as connection:
            last, _ = _head(connection)
            after = max(0, last - entries)
            query = select(UsageEventRow.hash).where(UsageEventRow.seq == after)
            before = connection.scalar(query) if after else FIRST
            if before is None:
                return Verdict(last, 0, f"event {after} is missing")
            _, problem = _verify_chain(connection, before, after)
        return Verdict(last, 0, problem)

    def rebuild(self) -> int:
        """Make all holds anew from the events; how many there are."""
        with writing(self.db) as connection:
            connection.execute(delete(HoldRow))
            pods = list(connection.scalars(select(UsageEventRow.pod).distinct()))
            for some in _some(pods):
                _project(connection, set(some), _head(connection)[0])
            return int(connection.scalar(select(func.count()).select_from(_HOLDS)) or 0)

    def events_after(self, seq: int, limit: int) -> list[dict[str, Any]]:
        """Rows of events in order, for the journal."""
        with self.db.connect() as connection:
            query = select(_EVENTS).where(UsageEventRow.seq > seq).order_by(UsageEventRow.seq).limit(limit)
            return [dict(row._mapping) for row in connection.execute(query)]

    def restore(self, rows: Iterable[dict[str, Any]]) -> int:
        """Add events of the journal that this database lacks; how many. Raises ValueError where they don't follow."""
        with writing(self.db) as connection:
            last, before = _head(connection)
            taken = []
            for row in rows:
                if row["seq"] <= last:
                    continue
                if row["seq"] != last + 1 or row["hash"] != chained(before, [row[name] for name in COVERED]):
                    raise ValueError(f"event {row['seq']} of the journal does not follow on event {last} of the ledger")
                last, before = row["seq"], row["hash"]
                taken.append(row)
            for some in _some(taken):
                connection.execute(insert(UsageEventRow), some)
                _project(connection, {row["pod"] for row in some}, last)
        return len(taken)


def hand_over(connection: Connection, name: str, former: str, at: int) -> None:
    """What the account held before ``at`` is the former owner's from now on; in a transaction of the caller's."""
    new: Any = _insert(connection)(UsageHandoverRow)
    connection.execute(new.values(name=name, at=at, former=former).on_conflict_do_nothing())
    mine = HoldRow.user.in_({name, slug(name)})
    connection.execute(update(HoldRow).where(mine, HoldRow.start < at).values(user=former))


def _some(items: Iterable[T]) -> Iterator[list[T]]:
    """The items in lists that one statement takes."""
    left = iter(items)
    while some := list(islice(left, _AT_ONCE)):
        yield some


def _new_rows(connection: Connection, facts: Sequence[UsageFact]) -> list[dict[str, Any]]:
    known = _known(connection, {fact.pod for fact in facts})
    seq, before = _head(connection)
    rows = []
    for fact in facts:
        key = (fact.pod, str(fact.kind), str(fact.source))
        if fact.source is Source.OPERATOR:
            number = known.get(key, -1) + 1
        elif key in known:
            continue
        else:
            number = 0
        known[key], seq = number, seq + 1
        row = event_values(fact, seq, number, before)
        before = row["hash"]
        rows.append(row)
    return rows


def _known(connection: Connection, pods: set[str]) -> dict[tuple[str, str, str], int]:
    """The facts that there are of these pods, each with its highest number."""
    found: dict[tuple[str, str, str], int] = {}
    columns = (UsageEventRow.pod, UsageEventRow.kind, UsageEventRow.source, UsageEventRow.number)
    for some in _some(sorted(pods)):
        for pod, kind, source, number in connection.execute(select(*columns).where(UsageEventRow.pod.in_(some))):
            found[pod, kind, source] = max(number, found.get((pod, kind, source), 0))
    return found


def _certain(connection: Connection, pods: set[str]) -> set[tuple[str, str]]:
    """The facts of these pods whose second is certain, by pod and kind."""
    found: set[tuple[str, str]] = set()
    for some in _some(sorted(pods)):
        certain = (UsageEventRow.pod.in_(some), UsageEventRow.earliest == UsageEventRow.latest)
        query = select(UsageEventRow.pod, UsageEventRow.kind).where(*certain)
        found |= {(pod, kind) for pod, kind in connection.execute(query)}
    return found


def _head(connection: Connection) -> tuple[int, str]:
    query = select(UsageEventRow.seq, UsageEventRow.hash).order_by(UsageEventRow.seq.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return (0, FIRST) if row is None else (row.seq, row.hash)


def _project(connection: Connection, pods: set[str], changed: int) -> None:
    """Make the holds of these pods anew."""
    handovers = _handovers(connection)
    new: Any = _insert(connection)(HoldRow)
    replaced = {column.name: new.excluded[column.name] for column in _HOLDS.c if column.name != "pod"}
    for some in _some(sorted(pods)):
        holds = [_owned(hold, handovers) for hold in _folded(connection, some)]
        if holds:
            upsert = new.on_conflict_do_update(index_elements=["pod"], set_=replaced)
            connection.execute(upsert, [hold_values(hold, changed) for hold in holds])


def _folded(connection: Connection, pods: Sequence[str]) -> Iterator[Hold]:
    query = select(_EVENTS).where(UsageEventRow.pod.in_(pods)).order_by(UsageEventRow.pod, UsageEventRow.seq)
    by_pod: dict[str, list[UsageFact]] = {}
    for row in connection.execute(query).all():
        # A plain dictionary: it is asked for each column, a million times when all is read.
        fact = fact_of(dict(zip(_EVENT_COLUMNS, row, strict=True)))
        by_pod.setdefault(fact.pod, []).append(fact)
    for facts in by_pod.values():
        if (hold := fold(facts)) is not None:
            yield hold


def _handovers(connection: Connection) -> list[tuple[str, int, str]]:
    columns = (UsageHandoverRow.name, UsageHandoverRow.at, UsageHandoverRow.former)
    query = select(*columns).order_by(UsageHandoverRow.at)
    return [(row.name, row.at, row.former) for row in connection.execute(query)]


def _owned(hold: Hold, handovers: Sequence[tuple[str, int, str]]) -> Hold:
    """The hold as that of who had the account when it began."""
    for name, at, former in handovers:
        if hold.start < at and hold.possession.user in (name, slug(name)):
            return renamed(hold, former)
    return hold


def _set_position(connection: Connection, position: Position, of: str) -> None:
    new: Any = _insert(connection)(UsagePositionRow)
    values = {"version": position.version, "heard_at": position.heard_at}
    statement = new.values(name=of, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


def _insert(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert


def _verify_chain(connection: Connection, before: str = FIRST, last: int = 0) -> tuple[int, str | None]:
    """The last event, and what is wrong with those after the event ``last``, whose hash is ``before``."""
    columns = [UsageEventRow.__table__.c[name] for name in (*COVERED, "hash")]
    query = select(*columns).where(UsageEventRow.seq > bindparam("last")).order_by(UsageEventRow.seq).limit(_READ)
    while rows := connection.execute(query, {"last": last}).all():
        for *covered, written in rows:
            if covered[0] != last + 1:
                return last, f"after event {last} comes event {covered[0]}: what was between them is missing"
            if chained(before, covered) != written:
                return last, f"event {covered[0]} is not as it was written"
            last, before = covered[0], written
    return last, None


def _verify_holds(connection: Connection) -> str | None:
    handovers = _handovers(connection)
    pods = list(connection.scalars(select(UsageEventRow.pod).distinct().order_by(UsageEventRow.pod)))
    seen = 0
    for some in _some(pods):
        right = {hold.pod: _owned(hold, handovers) for hold in _folded(connection, some)}
        rows = connection.execute(select(_HOLDS).where(HoldRow.pod.in_(some)))
        known = {hold.pod: hold for hold in (hold_of(dict(zip(_HOLD_COLUMNS, row, strict=True))) for row in rows.all())}
        for pod in sorted(right.keys() | known.keys()):
            if right.get(pod) != known.get(pod):
                return f"the hold of pod {pod} is not what follows from its events: run `aifactory-hub usage rebuild`"
        seen += len(right)
    if seen != connection.scalar(select(func.count()).select_from(_HOLDS)):
        return "there are holds of pods without any event: run `aifactory-hub usage rebuild`"
    return None
