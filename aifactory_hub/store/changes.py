"""The statements by which jobs and their attempts change, and by which it is told that a job's state did."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Update, func, insert, select, update

from ..domain.jobs import JobState, sources
from .models import AttemptRow, JobEventRow, JobRow

FINAL = tuple(state.value for state in JobState if state.final)


def change_job(
    connection: Connection,
    job_id: str,
    values: Mapping[str, Any],
    *,
    final: bool = False,
    where: ColumnElement[bool] | None = None,
) -> int | None:
    """Change a job's row, but for its state, and count its revision up: of one that has not ended, or with ``final``
    of any. Returns the number of its present attempt, None if no row was changed."""
    query = update(JobRow).where(JobRow.id == job_id)
    if not final:
        query = query.where(JobRow.state.not_in(FINAL))
    return _changed(connection, query, values, where)


def move_job(
    connection: Connection,
    job_id: str,
    to: JobState,
    values: Mapping[str, Any],
    *,
    now: float,
    where: ColumnElement[bool] | None = None,
) -> int | None:
    """As ``change_job``, into a state: of a job that may come to it. Also adds the event of it to the outbox, unless
    the job is there already and its attempt is the same."""
    # Locked first: two that move the same job tell of one move each, from where it was.
    this = select(JobRow.state, JobRow.attempt).where(JobRow.id == job_id).with_for_update()
    before = connection.execute(this).one_or_none()
    allowed = JobRow.state.in_(sorted(state.value for state in sources(to)))
    query = update(JobRow).where(JobRow.id == job_id, allowed)
    number = _changed(connection, query, {**values, "state": to.value}, where)
    if before is not None and number is not None and (before.state, before.attempt) != (to.value, number):
        event = {"job_id": job_id, "attempt": number, "from_state": before.state, "to_state": to.value}
        connection.execute(insert(JobEventRow).values(**event, at=now, reason=values.get("reason")))
    return number


def tell_of_new(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add the events of new jobs to the outbox, in the transaction that stores these rows of them."""
    events = [
        {
            "job_id": row["id"],
            "attempt": row["attempt"],
            "from_state": None,
            "to_state": row["state"],
            "at": row["submitted_at"],
            "reason": row["reason"],
        }
        for row in rows
    ]
    if events:
        connection.execute(_TELL, events)


def tell_of_restored(
    connection: Connection, job: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]], *, before: str | None
) -> None:
    """Add the event of a job whose row was behind, at the last time that is known of it: one event for all that the
    database did not know. ``before`` is the state that it knew, None for none."""
    times = [job["submitted_at"], job.get("finished_at")]
    times += [attempt.get(name) for attempt in attempts for name in _ATTEMPT_TIMES]
    values = {"job_id": job["id"], "attempt": job["attempt"], "from_state": before, "to_state": job["state"]}
    at = max(time for time in times if time is not None)
    connection.execute(insert(JobEventRow).values(**values, at=at, reason=job.get("reason")))


_ATTEMPT_TIMES = ("queued_at", "starting_at", "running_at", "ended_at")
# Without RETURNING, so that the driver is given all rows at once.
_TELL = insert(JobEventRow.__table__)  # type: ignore[arg-type]


def _changed(
    connection: Connection, query: Update, values: Mapping[str, Any], where: ColumnElement[bool] | None
) -> int | None:
    if where is not None:
        query = query.where(where)
    changed = query.values(**values, revision=JobRow.revision + 1).returning(JobRow.attempt)
    number: int | None = connection.execute(changed).scalar_one_or_none()
    return number


def change_attempt(
    connection: Connection, job_id: str, number: int, values: Mapping[str, Any], *, keep: Collection[str] = ()
) -> None:
    """Change an attempt's row, which begins with its first change. What is known of the columns ``keep`` stays.

    The transaction has to have changed the job before: its lock on the job's row keeps others from beginning the row.
    """
    table = AttemptRow.__table__
    changed = {name: func.coalesce(table.c[name], value) if name in keep else value for name, value in values.items()}
    this = (AttemptRow.job_id == job_id, AttemptRow.number == number)
    if connection.execute(update(AttemptRow).where(*this).values(**changed)).rowcount == 0:
        connection.execute(insert(AttemptRow).values(job_id=job_id, number=number, **values))
