"""What happened to jobs, for whoever has to do something about it: each consumer is given every event once, in order.

An event is written in the transaction that changes the job, so there is one for each change of state and none besides.
A consumer's position is written in the transaction of the consumer's own work, so a kill anywhere leaves both or none.

A sequence of the database would not do as the order: PostgreSQL hands numbers out before transactions end, so an event
with a lower number may appear after a consumer has passed a higher one. Events are therefore numbered later, by one
caller at a time and only once they can be seen by others: what is committed afterwards gets a higher number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ..domain.jobs import JobState
from .database import writing
from .models import ConsumerRow, JobEventRow, MarkRow

_MARK = "job-events"
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A job came into a state. ``number`` orders all events; there may be gaps. ``attempt`` is the job's after the
    change, ``from_state`` None when the job is new; ``at`` in seconds since 1970."""

    number: int
    job_id: str
    attempt: int
    from_state: JobState | None
    to_state: JobState
    at: float
    reason: str | None


_COLUMNS = tuple(JobEventRow.__table__.c[f.name] for f in fields(JobEvent))
# What a consumer does about events, in the transaction in which it passes them.
Work = Callable[[Connection, Sequence[JobEvent]], None]


class Outbox:
    """Events in the database. Methods block for a moment and are safe in any thread."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def consume(self, name: str, work: Work, *, limit: int = _AT_ONCE) -> int:
        """Give the consumer of this name the events after its position, at most ``limit``; how many there were.

        ``work`` is called with the open transaction: what it writes there and the new position are stored together.
        What it raises is raised here, and the same events come again. A consumer's first call begins with the oldest
        event that is kept. One caller of a name at a time; another one waits.
        """
        self._number()
        if not self._behind(name):
            return 0
        with writing(self._db) as connection:
            after = JobEventRow.number > _position(connection, name)
            query = select(*_COLUMNS).where(after).order_by(JobEventRow.number).limit(limit)
            events = [_event(*row) for row in connection.execute(query)]
            if events:
                work(connection, events)
                passed = update(ConsumerRow).where(ConsumerRow.name == name).values(position=events[-1].number)
                connection.execute(passed)
        return len(events)

    def forget(self, *, before: float) -> int:
        """Remove events from before ``before`` that every consumer has passed; how many went."""
        with writing(self._db) as connection:
            last = select(func.min(ConsumerRow.position)).scalar_subquery()
            old = delete(JobEventRow).where(JobEventRow.number <= last, JobEventRow.at < before)
            return connection.execute(old).rowcount

    def begin(self, name: str) -> None:
        """Let the consumer of this name be given what happens from now on; one that is there already goes on."""
        with self._db.connect() as connection:
            if connection.scalar(select(ConsumerRow.position).where(ConsumerRow.name == name)) is not None:
                return
        while self._number():
            pass
        with writing(self._db) as connection:
            last = connection.scalar(select(func.max(JobEventRow.number)).where(JobEventRow.number.is_not(None)))
            _insert_consumer(connection, name, last or 0)

    def dismiss(self, name: str) -> None:
        """The consumer of this name is no more: events are not kept for it."""
        with writing(self._db) as connection:
            connection.execute(delete(ConsumerRow).where(ConsumerRow.name == name))

    def _behind(self, name: str) -> bool:
        """Whether there is anything for it, without a lock: this is asked each second."""
        with self._db.connect() as connection:
            last = connection.scalar(select(func.max(JobEventRow.number)).where(JobEventRow.number.is_not(None)))
            position = connection.scalar(select(ConsumerRow.position).where(ConsumerRow.name == name))
        return position is None or (last is not None and last > position)

    def _number(self) -> int:
        """Number events that have none, in the order in which each job wrote its own; how many."""
        new = select(JobEventRow.id).where(JobEventRow.number.is_(None)).order_by(JobEventRow.id).limit(_AT_ONCE)
        with self._db.connect() as connection:
            if not connection.execute(new.limit(1)).all():
                return 0
        with writing(self._db) as connection:
            # The lock is held until the numbers can be seen: nobody numbers later events before.
            mark = select(MarkRow.value).where(MarkRow.name == _MARK).with_for_update()
            last = int(connection.scalars(mark).one())
            ids = connection.scalars(new).all()
            table = JobEventRow.__table__
            numbered = update(table).where(table.c.id == bindparam("event")).values(number=bindparam("new_number"))  # type: ignore[arg-type]
            if ids:
                given = [{"event": event, "new_number": last + place} for place, event in enumerate(ids, 1)]
                connection.execute(numbered, given)
                moved = update(MarkRow).where(MarkRow.name == _MARK).values(value=str(last + len(ids)))
                connection.execute(moved)
        return len(ids)


def _position(connection: Connection, name: str) -> int:
    """Locked until the transaction ends; the consumer's row begins with its first call."""
    query = select(ConsumerRow.position).where(ConsumerRow.name == name).with_for_update()
    position: int | None = connection.scalar(query)
    if position is None:
        _insert_consumer(connection, name, 0)
        # Another first call of this name may have been sooner, and have passed events.
        position = connection.scalars(query).one()
    return position


def _insert_consumer(connection: Connection, name: str, position: int) -> None:
    """Unless it is there."""
    begin: Any = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(ConsumerRow)
    connection.execute(begin.values(name=name, position=position).on_conflict_do_nothing())


def _event(
    number: int, job_id: str, attempt: int, before: str | None, after: str, at: float, reason: str | None
) -> JobEvent:
    return JobEvent(number, job_id, attempt, JobState(before) if before else None, JobState(after), at, reason)
