"""The repository of jobs: one method a question or change, each its own transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import Engine, delete, func, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..domain.jobs import JobState
from .models import ArtifactRow, JobRow
from .records import Artifact, JobFilter, JobRecord

_FINAL = tuple(state.value for state in JobState if state.final)
_SINCE = {
    JobState.QUEUED: JobRow.queued_at,
    JobState.STARTING: JobRow.starting_at,
    JobState.RUNNING: JobRow.running_at,
}


class Jobs:
    """Jobs in the database. All methods block for a moment and are safe in any thread; times are arguments.

    A final state never changes again: every change of state asks the database for a row that is not final.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tell: Callable[[str], None] = lambda _: None

    def listen(self, tell: Callable[[str], None]) -> None:
        """Call ``tell`` with a job's id after each change of it, in the thread that made the change."""
        self._tell = tell

    def add(self, record: JobRecord) -> JobRecord:
        """Store a new job. If its owner has used its key in its tenant before, the earlier job is returned instead."""
        values = {f.name: getattr(record, f.name) for f in fields(JobRecord)}
        values["outputs"] = None if record.outputs is None else list(record.outputs)
        values["environment"] = dict(record.environment)
        values["state"] = record.state.value
        try:
            with Session(self._engine) as session, session.begin():
                session.add(JobRow(**values))
            self._tell(record.id)
        except IntegrityError:
            earlier = self.find_by_key(record.tenant, record.owner, record.key)
            if earlier is None:
                raise
            return earlier
        return record

    def find_by_key(self, tenant: str, owner: str, key: str) -> JobRecord | None:
        """The job that this owner submitted with this key."""
        query = select(JobRow).where(JobRow.tenant == tenant, JobRow.owner == owner, JobRow.key == key)
        return self._one(query)

    def get(self, job_id: str) -> JobRecord | None:
        """The job, whoever's it is."""
        return self._one(select(JobRow).where(JobRow.id == job_id))

    def some(self, job_ids: Collection[str]) -> list[JobRecord]:
        """Those of these jobs that there are, in no order."""
        return self._many(select(JobRow).where(JobRow.id.in_(job_ids)))

    def newest(
        self,
        tenants: Collection[str],
        *,
        limit: int,
        where: JobFilter | None = None,
        before: JobRecord | None = None,
    ) -> list[JobRecord]:
        """The newest jobs of these tenants first; ``before`` continues after that job."""
        wanted = where or JobFilter()
        query = select(JobRow).where(JobRow.tenant.in_(tenants))
        if wanted.owner is not None:
            query = query.where(JobRow.owner == wanted.owner)
        if wanted.states:
            query = query.where(JobRow.state.in_([state.value for state in wanted.states]))
        if wanted.text:
            found = [column.icontains(wanted.text, autoescape=True) for column in (JobRow.name, JobRow.command)]
            query = query.where(or_(JobRow.id == wanted.text, *found))
        if before is not None:
            place = (before.submitted_at, before.id)
            query = query.where(tuple_(JobRow.submitted_at, JobRow.id) < place)
        return self._many(query.order_by(JobRow.submitted_at.desc(), JobRow.id.desc()).limit(limit))

    def live(self) -> list[JobRecord]:
        """All jobs that may still have something on the cluster, oldest first."""
        query = select(JobRow).where(JobRow.cleaned_at.is_(None))
        return self._many(query.order_by(JobRow.submitted_at, JobRow.id))

    def known(self, job_ids: Collection[str]) -> set[str]:
        """Those of ``job_ids`` that are in the database."""
        with Session(self._engine) as session:
            return set(session.scalars(select(JobRow.id).where(JobRow.id.in_(job_ids))))

    def set_state(self, job_id: str, state: JobState, reason: str | None, *, now: float) -> None:
        """Record the state of a job that goes on, and since when it is in it."""
        values: dict[str, Any] = {"state": state.value, "reason": reason}
        if state in _SINCE:
            column = _SINCE[state]
            values[column.key] = func.coalesce(column, now)
        self._change(job_id, values)

    def finish(self, job_id: str, state: JobState, *, reason: str | None, exit_code: int | None, now: float) -> None:
        """Record the end of a job. The first end stands."""
        values = {"state": state.value, "reason": reason, "exit_code": exit_code, "finished_at": now}
        self._change(job_id, values)

    def ask_cancel(self, job_id: str, *, by: str, now: float) -> None:
        """Record that the job is to be stopped. No-op once it has ended; the first asker is kept."""
        values = {
            "cancel_asked_at": func.coalesce(JobRow.cancel_asked_at, now),
            "cancel_asked_by": func.coalesce(JobRow.cancel_asked_by, by),
        }
        self._change(job_id, values)

    def intend_run(self, job_id: str, *, token_hash: str, now: float) -> None:
        """Record, before its run is created, that it is about to be."""
        self._change(job_id, {"token_hash": token_hash, "run_intended_at": func.coalesce(JobRow.run_intended_at, now)})

    def confirm_run(self, job_id: str, *, uid: str | None, now: float) -> None:
        """Record that the tenant's API has shown the run."""
        self._change(job_id, {"run_uid": uid, "run_created_at": func.coalesce(JobRow.run_created_at, now)}, final=True)

    def mark_cleaned(self, job_id: str, *, now: float) -> None:
        """Record that nothing of the job is left on the cluster."""
        self._change(job_id, {"cleaned_at": now}, final=True)

    def record_log(self, job_id: str, *, size: int, sha256: str) -> None:
        """Record the job's log, which is in the file store; ``size`` in bytes."""
        self._change(job_id, {"log_size": size, "log_sha256": sha256}, final=True)

    def record_report(self, job_id: str, report: Mapping[str, Any]) -> None:
        """Record what the runner said at its end."""
        self._change(job_id, {"report": dict(report)}, final=True)

    def put_artifact(self, job_id: str, artifact: Artifact) -> None:
        """Record a file of the job's; one of the same name is replaced."""
        with Session(self._engine) as session, session.begin():
            session.execute(delete(ArtifactRow).where(ArtifactRow.job_id == job_id, ArtifactRow.name == artifact.name))
            session.add(
                ArtifactRow(
                    job_id=job_id,
                    name=artifact.name,
                    size=artifact.size,
                    sha256=artifact.sha256,
                    created_at=artifact.created_at,
                )
            )
        self._tell(job_id)

    def artifacts(self, job_id: str) -> list[Artifact]:
        """The job's files, by name."""
        query = select(ArtifactRow).where(ArtifactRow.job_id == job_id).order_by(ArtifactRow.name)
        with Session(self._engine) as session:
            return [Artifact(r.name, r.size, r.sha256, r.created_at) for r in session.scalars(query)]

    def answers(self) -> bool:
        """Whether the database can be asked. Raises SQLAlchemy's error when it can't."""
        with Session(self._engine) as session:
            session.execute(select(1))
        return True

    def close(self) -> None:
        """Let go of connections."""
        self._engine.dispose()

    def _change(self, job_id: str, values: Mapping[str, Any], *, final: bool = False) -> None:
        query = update(JobRow).where(JobRow.id == job_id)
        if not final:
            query = query.where(JobRow.state.not_in(_FINAL))
        with Session(self._engine) as session, session.begin():
            session.execute(query.values(values))
        self._tell(job_id)

    def _one(self, query: Any) -> JobRecord | None:
        with Session(self._engine) as session:
            row = session.scalars(query).one_or_none()
            return None if row is None else _record(row)

    def _many(self, query: Any) -> list[JobRecord]:
        with Session(self._engine) as session:
            return [_record(row) for row in session.scalars(query)]


def _record(row: JobRow) -> JobRecord:
    values = {f.name: getattr(row, f.name) for f in fields(JobRecord)}
    values["state"] = JobState(row.state)
    values["outputs"] = None if row.outputs is None else tuple(row.outputs)
    return JobRecord(**values)
