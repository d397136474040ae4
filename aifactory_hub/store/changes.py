"""The two statements by which jobs and their attempts change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, update

from ..domain.jobs import JobState, sources
from .models import AttemptRow, JobRow

FINAL = tuple(state.value for state in JobState if state.final)


def change_job(
    connection: Connection,
    job_id: str,
    values: Mapping[str, Any],
    *,
    final: bool = False,
    to: JobState | None = None,
    where: ColumnElement[bool] | None = None,
) -> int | None:
    """Change a job's row and count its revision up: one in a state from which it may come ``to``; without one, in a
    state that is not final, or with ``final`` in any. Returns the number of its present attempt, None if no row was
    changed."""
    query = update(JobRow).where(JobRow.id == job_id)
    if to is not None:
        query = query.where(JobRow.state.in_(sorted(state.value for state in sources(to))))
    elif not final:
        query = query.where(JobRow.state.not_in(FINAL))
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
