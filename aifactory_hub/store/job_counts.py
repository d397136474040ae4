"""How many jobs there are, how long they waited and ran: counted in the database, for the service's metrics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from ..domain.jobs import JobState
from .models import AttemptRow, JobRow

# Of jobs that ended lately, so many are read at most: the newest.
MOST_READ = 20_000


@dataclass(frozen=True, slots=True)
class EndedJob:
    """How long the last attempt of a job that ended took, in seconds. ``queued`` None: it got no devices; ``ran``
    None: it did not run."""

    tenant: str
    queued: float | None
    ran: float | None


class JobCounts:
    """Reads the jobs of all teams. Methods block and are safe in any thread."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def by_state(self) -> dict[tuple[str, JobState], int]:
        """How many jobs each team has in each state, those that ended too."""
        query = select(JobRow.tenant, JobRow.state, func.count()).group_by(JobRow.tenant, JobRow.state)
        with self._db.connect() as connection:
            return {(tenant, JobState(state)): count for tenant, state, count in connection.execute(query)}

    def waiting_since(self) -> dict[str, float]:
        """Of each team with jobs that wait for quota: since when the one waits that waits longest."""
        query = (
            select(JobRow.tenant, func.min(AttemptRow.queued_at))
            .join(AttemptRow, (AttemptRow.job_id == JobRow.id) & (AttemptRow.number == JobRow.attempt))
            .where(
                JobRow.state == JobState.QUEUED.value, AttemptRow.queued_at.is_not(None), JobRow.cleaned_at.is_(None)
            )
            .group_by(JobRow.tenant)
        )
        with self._db.connect() as connection:
            return {tenant: since for tenant, since in connection.execute(query) if since is not None}

    def ended(self, after: float) -> list[EndedJob]:
        """The jobs that ended ``after`` a time, newest first, at most MOST_READ."""
        query = (
            select(
                JobRow.tenant,
                AttemptRow.queued_at,
                AttemptRow.starting_at,
                AttemptRow.running_at,
                AttemptRow.ended_at,
            )
            .join(AttemptRow, (AttemptRow.job_id == JobRow.id) & (AttemptRow.number == JobRow.attempt))
            .where(JobRow.finished_at > after)
            .order_by(JobRow.finished_at.desc())
            .limit(MOST_READ)
        )
        with self._db.connect() as connection:
            return list(_ended(connection.execute(query)))


def _ended(rows: Iterable[tuple[str, float | None, float | None, float | None, float | None]]) -> Iterable[EndedJob]:
    for tenant, queued, starting, running, ended in rows:
        admitted = running if starting is None else starting
        yield EndedJob(tenant, _between(queued, admitted), _between(running, ended))


def _between(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else max(0.0, end - begin)
