"""What Git hosts are to be told of commits, and what they were told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, insert, or_, select, tuple_, update

from ..domain.commit_statuses import CommitState, run_status, shortened
from ..domain.pipeline_runs import RunState
from ..domain.triggers import EventState, RefEvent
from .database import writing
from .pipeline_tables import PipelineRunRow
from .trigger_tables import CommitStatusRow, TriggerRow

# What became of an event that its host is told of.
_TOLD = frozenset({EventState.STARTED, EventState.REFUSED})
_KEY = (CommitStatusRow.trigger, CommitStatusRow.ref, CommitStatusRow.number)


@dataclass(frozen=True, slots=True)
class OpenStatus:
    """What is to be told of an event's commit now; ``told`` is what was told last, after ``tries`` that failed."""

    trigger: str
    ref: str
    number: int
    commit: str
    run: str | None
    state: CommitState
    description: str
    told: CommitState | None
    tries: int

    @property
    def key(self) -> tuple[str, str, int]:
        """The event's."""
        return self.trigger, self.ref, self.number


@dataclass(frozen=True, slots=True)
class ToldStatus:
    """What the host was told last, None for nothing, and why it could not be told more."""

    told: CommitState | None
    problem: str | None


def open_status(connection: Connection, trigger_id: str, event: RefEvent) -> None:
    """To be called where an event is decided, in its transaction: its host is to be told, if the trigger tells.

    What was to be told of the same commit for an earlier event is told no more.
    """
    tells = connection.scalar(select(TriggerRow.tells).where(TriggerRow.id == trigger_id))
    if not tells or event.new is None or event.state not in _TOLD:
        return
    same = (CommitStatusRow.trigger == trigger_id, CommitStatusRow.commit_id == event.new)
    connection.execute(update(CommitStatusRow).where(*same).values(next_at=None))
    this = {"trigger": trigger_id, "ref": event.ref, "number": event.number, "commit_id": event.new}
    connection.execute(insert(CommitStatusRow).values(**this, run=event.run, reason=event.reason, tries=0, next_at=0.0))


def open_again(connection: Connection, before: str, run: str) -> None:
    """To be called where a run is stored that runs an ended one again: its host is told of this one instead."""
    again = {"run": run, "told": None, "tries": 0, "problem": None, "next_at": 0.0}
    connection.execute(update(CommitStatusRow).where(CommitStatusRow.run == before).values(**again))


class CommitStatuses:
    """In the database. Methods block for a moment and are safe in any thread. Times are arguments."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def due(self, *, now: float, limit: int) -> list[OpenStatus]:
        """What hosts are to be told now, what waits longest first."""
        run, row = PipelineRunRow, CommitStatusRow
        news = or_(row.told.is_(None), run.state != RunState.RUNNING.value)
        own = (*_KEY, row.commit_id, row.run, row.reason, row.told, row.tries)
        query = select(*own, run.state, run.reason.label("run_reason")).select_from(row)
        query = query.outerjoin(run, run.id == row.run).where(row.next_at <= now, news)
        with self._db.connect() as connection:
            return [_open(found) for found in connection.execute(query.order_by(row.next_at).limit(limit))]

    def told(self, status: OpenStatus) -> None:
        """The host took it."""
        after = {"next_at": None} if status.state.final else {"next_at": 0.0}
        self._set(status, told=status.state.value, tries=0, problem=None, **after)

    def failed(self, status: OpenStatus, problem: str, *, next_at: float | None) -> None:
        """It did not, and is asked again at ``next_at``; None: not again."""
        self._set(status, tries=status.tries + 1, problem=problem, next_at=next_at)

    def of_trigger(self, trigger_id: str) -> dict[tuple[str, int], ToldStatus]:
        """By ref and number of the event."""
        row = CommitStatusRow
        query = select(row.ref, row.number, row.told, row.problem).where(row.trigger == trigger_id)
        with self._db.connect() as connection:
            rows = connection.execute(query).all()
        return {(ref, number): ToldStatus(_state(told), problem) for ref, number, told, problem in rows}

    def _set(self, status: OpenStatus, **values: Any) -> None:
        # A newer event of the same commit may have taken its place meanwhile: then nothing more is told.
        this = (tuple_(*_KEY) == status.key, CommitStatusRow.next_at.is_not(None))
        with writing(self._db) as connection:
            connection.execute(update(CommitStatusRow).where(*this).values(**values))


def _open(row: Any) -> OpenStatus:
    if row.state is None:  # no run, as what was pushed can't be run; or a run that is gone
        state, words = CommitState.ERROR, shortened(row.reason or "its run is not known any more")
    else:
        state, words = run_status(RunState(row.state), row.run_reason)
    key = (row.trigger, row.ref, row.number)
    return OpenStatus(*key, row.commit_id, row.run, state, words, _state(row.told), row.tries)


def _state(told: str | None) -> CommitState | None:
    return None if told is None else CommitState(told)
