"""The repository of jobs: one method a question or change, each its own transaction."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from aifactory_profiles import Device

from ..domain.attempts import Attempt
from ..domain.job_spec import JobSpec
from ..domain.jobs import EndKind, JobState, Onward
from ..domain.search_text import fold
from ..listeners import Listeners
from .attempts import ATTEMPT_COLUMNS, Attempts, attempt_of, attempts_of, devices_json
from .budgets import Asked, BudgetBook
from .changes import FINAL, change_attempt, change_job, move_job
from .database import writing
from .intake import Intake, NotStored
from .metrics import Metrics
from .models import ArtifactRow, AttemptRow, JobRow
from .records import Artifact, JobFilter, JobRecord, LiveRun
from .snapshots import SnapshotMissing

_SPEC = tuple(f.name for f in fields(JobSpec))
_STATE = tuple(f.name for f in fields(JobRecord) if f.name not in ("spec", "attempts"))
COLUMNS = tuple(JobRow.__table__.c[name] for name in (*_STATE, *_SPEC))
_PLACE = tuple(JobRow.__table__.c[name] for name in ("submitted_at", "id"))
_SINCE = {JobState.QUEUED: "queued_at", JobState.STARTING: "starting_at", JobState.RUNNING: "running_at"}
# The present attempt is being ended.
_ENDING = exists().where(
    AttemptRow.job_id == JobRow.id, AttemptRow.number == JobRow.attempt, AttemptRow.kind.is_not(None)
)


class Jobs:
    """Jobs in the database. All methods but ``take`` block for a moment and are safe in any thread.
    Times are arguments.

    A final state never changes again, and a state changes only as domain.jobs.TRANSITIONS allows: every change asks
    the database for a row in a state that it may come from.
    """

    def __init__(self, db: Engine) -> None:
        self._db = db
        self.budgets = BudgetBook(db)
        self._intake = Intake(db, self.budgets)
        self._listeners = Listeners[str]("changes of jobs")
        self._tell = self._listeners.tell
        self.attempts = Attempts(db, self._tell)
        self.metrics = Metrics(db)

    @property
    def db(self) -> Engine:
        """The database, for the repositories beside this one."""
        return self._db

    def listen(self, tell: Callable[[str], object]) -> Callable[[], None]:
        """Call ``tell`` with a job's id after each change of it, in the thread that made the change.

        Any number may listen. Returns the function that ends it.
        """
        return self._listeners.add(tell)

    def add(self, record: JobRecord, verdict: Mapping[str, Any] | None = None, asked: Asked | None = None) -> JobRecord:
        """Store a new job. If its owner has used its key in its tenant before, the earlier job is returned instead.

        The files that it runs with are thereby used, and stay; the record comes back with their size. Raises
        SnapshotMissing if there are none, or none any more. ``verdict`` is the row of what the site's rules said of it,
        which is stored with it or not at all. ``asked`` is what it asks of budgets: where one holds it, the record
        comes back held, else its cost is reserved with it.
        """
        answer = self._intake.add({**row_values(record), "journaled": 0}, verdict, asked)
        return self._earlier(record, answer) if isinstance(answer, NotStored) else self._new(record, answer)

    async def take(
        self, record: JobRecord, verdict: Mapping[str, Any] | None = None, asked: Asked | None = None
    ) -> JobRecord:
        """As ``add``, in an event loop: what is taken in at the same time is flushed to disk together."""
        answer = await self._intake.take({**row_values(record), "journaled": 0}, verdict, asked)
        if isinstance(answer, NotStored):
            return await self._intake.in_thread(self._earlier, record, answer)
        return self._new(record, answer)

    def _new(self, record: JobRecord, row: Mapping[str, Any]) -> JobRecord:
        self._tell(record.id)
        if row["state"] != record.state.value:
            record = replace(record, state=JobState(row["state"]), reason=row["reason"])
        if record.spec.input_sha256 is None:
            return record
        return replace(record, spec=replace(record.spec, input_size=row["input_size"]))

    def _earlier(self, record: JobRecord, why: NotStored) -> JobRecord:
        earlier = self.find_by_key(record.tenant, record.owner, record.key)
        if earlier is not None:
            return earlier
        if why is NotStored.NO_SNAPSHOT:
            raise SnapshotMissing(record.spec.input_sha256)
        raise RuntimeError(f"there is another job {record.id} already")

    def find_by_key(self, tenant: str, owner: str, key: str) -> JobRecord | None:
        """The job that this owner submitted with this key."""
        return self._one(JobRow.tenant == tenant, JobRow.owner == owner, JobRow.key == key)

    def get(self, job_id: str) -> JobRecord | None:
        """The job, whoever's it is."""
        return self._one(JobRow.id == job_id)

    def some(self, job_ids: Collection[str]) -> list[JobRecord]:
        """Those of these jobs that there are, in no order."""
        return self._many(_select().where(JobRow.id.in_(job_ids)))

    def states(self, job_ids: Collection[str]) -> dict[str, JobState]:
        """The states of those of these jobs that there are."""
        with self._db.connect() as connection:
            rows = connection.execute(select(JobRow.id, JobRow.state).where(JobRow.id.in_(job_ids)))
            return {row.id: JobState(row.state) for row in rows}

    def newest(
        self,
        tenants: Collection[str],
        *,
        limit: int,
        where: JobFilter | None = None,
        before: JobRecord | None = None,
    ) -> list[JobRecord]:
        """The newest jobs of these tenants first; ``before`` continues after that job.

        One question a tenant, each answered from an index in its order: the time does not grow with the jobs that
        are there, except for a ``text`` that is rare. Of several tenants only the places are read first, and whole
        jobs only for what is shown.
        """
        chosen = where or JobFilter()
        asked = sorted(set(tenants))
        with self._db.connect() as connection:
            if len(asked) == 1:
                query = _page(_select(), asked[0], chosen, limit, before)
                return read_jobs(connection, query)
            pages = [
                connection.execute(_page(select(*_PLACE), tenant, chosen, limit, before)).all() for tenant in asked
            ]
            merged = heapq.merge(*pages, key=tuple, reverse=True)
            shown = [place.id for _, place in zip(range(limit), merged, strict=False)]
            query = _select().where(JobRow.id.in_(shown)).order_by(JobRow.submitted_at.desc(), JobRow.id.desc())
            return read_jobs(connection, query) if shown else []

    def live(self) -> list[JobRecord]:
        """All jobs that may still have something on the cluster, oldest first."""
        return self._many(_select().where(JobRow.cleaned_at.is_(None)).order_by(JobRow.submitted_at, JobRow.id))

    def live_runs(self) -> list[LiveRun]:
        """The attempts of all jobs that may still have something on the cluster: no more than their names."""
        query = select(JobRow.id, JobRow.tenant, JobRow.attempt).where(JobRow.cleaned_at.is_(None))
        with self._db.connect() as connection:
            return [LiveRun(*row) for row in connection.execute(query.order_by(JobRow.submitted_at, JobRow.id))]

    def live_owners(self) -> list[str]:
        """Who has such jobs, each once, in order."""
        query = select(JobRow.owner).where(JobRow.cleaned_at.is_(None)).distinct().order_by(JobRow.owner)
        with self._db.connect() as connection:
            return list(connection.scalars(query))

    def known(self, job_ids: Collection[str]) -> set[str]:
        """Those of ``job_ids`` that are in the database."""
        with self._db.connect() as connection:
            return set(connection.scalars(select(JobRow.id).where(JobRow.id.in_(job_ids))))

    def set_state(
        self,
        job_id: str,
        state: JobState,
        reason: str | None,
        *,
        devices: Mapping[Device, int] | None = None,
        now: float,
    ) -> None:
        """Record the state of a job that goes on, since when its attempt is in it, and what devices that has got."""
        with writing(self._db) as connection:
            number = move_job(connection, job_id, state, {"reason": reason}, now=now)
            if number is not None and state in _SINCE:
                since = _SINCE[state]
                held = {} if devices is None else {"devices": devices_json(devices)}
                change_attempt(connection, job_id, number, {since: now, **held}, keep=(since,))
        self._tell(job_id)

    def finish(self, job_id: str, state: JobState, *, reason: str | None, exit_code: int | None, now: float) -> None:
        """Record the end of a job and of its attempt. The first end stands."""
        told = {"reason": reason, "exit_code": exit_code}
        ended = {**told, "finished_at": now, "unreachable_since": None, "unreachable": None}
        with writing(self._db) as connection:
            number = move_job(connection, job_id, state, ended, now=now)
            if number is not None:
                this = (AttemptRow.job_id == job_id, AttemptRow.number == number)
                # One that has not begun has not ended either.
                connection.execute(update(AttemptRow).where(*this).values(**told, ended_at=now, kind=None))
        self._tell(job_id)

    def begin_ending(
        self, job_id: str, kind: EndKind, *, reason: str | None, exit_code: int | None, shown: str, now: float
    ) -> None:
        """Record, before anything of it is removed, that the attempt is over while the job goes on; ``shown`` is the
        job's reason meanwhile. The first end stands."""
        ended = {"kind": kind.value, "reason": reason, "exit_code": exit_code, "ended_at": now}
        with writing(self._db) as connection:
            number = change_job(connection, job_id, {"reason": shown}, where=~_ENDING)
            if number is not None:
                change_attempt(connection, job_id, number, ended)
        self._tell(job_id)

    def next_attempt(self, job: JobRecord, onward: Onward, *, now: float) -> None:
        """Record that nothing of the attempt is left and that the next one may begin."""
        changes = {
            "reason": onward.reason,
            "not_before": onward.not_before,
            "attempt": job.attempt + 1,
            "unreachable_since": None,
            "unreachable": None,
        }
        with writing(self._db) as connection:
            move_job(connection, job.id, onward.state, changes, now=now, where=JobRow.attempt == job.attempt)
        self._tell(job.id)

    def ask_cancel(self, job_id: str, *, by: str, now: float, word: str = "") -> None:
        """Record that the job is to be stopped. No-op once it has ended; the first asker is kept, with their word."""
        first = JobRow.cancel_asked_at.is_(None)
        values = {
            "cancel_word": case((first, word or None), else_=JobRow.cancel_word),
            "cancel_asked_at": func.coalesce(JobRow.cancel_asked_at, now),
            "cancel_asked_by": func.coalesce(JobRow.cancel_asked_by, by),
        }
        self._change(job_id, values)

    def ask_suspend(self, job_id: str, *, by: str, now: float) -> None:
        """Record that the job is to give its place back until it is resumed. No-op once it has ended."""
        values = {
            "suspend_asked_at": func.coalesce(JobRow.suspend_asked_at, now),
            "suspend_asked_by": func.coalesce(JobRow.suspend_asked_by, by),
        }
        self._change(job_id, values)

    def resume(self, job_id: str) -> None:
        """Record that the job may go on; one that waits for a retry waits no longer."""
        self._change(job_id, {"suspend_asked_at": None, "suspend_asked_by": None, "not_before": None})

    def mark_cleaned(self, job_id: str, *, now: float) -> None:
        """Record that nothing of the job is left on the cluster."""
        self._change(job_id, {"cleaned_at": now}, final=True)

    def set_unreachable(self, job_id: str, why: str | None, *, now: float) -> None:
        """Record that the cluster can't be asked about the job, and since when; None: that it can."""
        since = None if why is None else func.coalesce(JobRow.unreachable_since, now)
        self._change(job_id, {"unreachable": why, "unreachable_since": since}, final=True)

    def put_artifact(self, job_id: str, artifact: Artifact) -> None:
        """Record a file of the job's; one of the same name is replaced."""
        place = (ArtifactRow.job_id == job_id, ArtifactRow.name == artifact.name)
        values = {f.name: getattr(artifact, f.name) for f in fields(Artifact)}
        with writing(self._db) as connection:
            connection.execute(delete(ArtifactRow).where(*place))
            change_job(connection, job_id, {}, final=True)
            connection.execute(insert(ArtifactRow).values(job_id=job_id, **values))
        self._tell(job_id)

    def drop_artifact(self, job_id: str, name: str) -> None:
        """Forget a file of the job's."""
        with writing(self._db) as connection:
            gone = delete(ArtifactRow).where(ArtifactRow.job_id == job_id, ArtifactRow.name == name)
            if connection.execute(gone).rowcount:
                change_job(connection, job_id, {}, final=True)
        self._tell(job_id)

    def artifacts(self, job_id: str) -> list[Artifact]:
        """The job's files, by name."""
        columns = [getattr(ArtifactRow, f.name) for f in fields(Artifact)]
        query = select(*columns).where(ArtifactRow.job_id == job_id).order_by(ArtifactRow.name)
        with self._db.connect() as connection:
            return [Artifact(**row._mapping) for row in connection.execute(query)]

    def of_schedule(self, schedule: str) -> list[JobRecord]:
        """The jobs of a schedule that have not ended."""
        return self._many(_select().where(JobRow.schedule == schedule, JobRow.state.not_in(FINAL)))

    def kept_past(self, kind: str, *, before: float, limit: int) -> list[JobRecord]:
        """Jobs that ended before ``before`` and whose ``kind`` (inputs, log, artifacts) is still kept, oldest first."""
        dropped = JobRow.__table__.c[f"{kind}_dropped_at"]
        query = _select().where(JobRow.finished_at < before, JobRow.cleaned_at.is_not(None), dropped.is_(None))
        return self._many(query.order_by(JobRow.finished_at, JobRow.id).limit(limit))

    def mark_dropped(self, job_id: str, kind: str, *, now: float) -> None:
        """Record that the job's ``kind`` (inputs, log, artifacts) was removed because its time was over."""
        self._change(job_id, {f"{kind}_dropped_at": now}, final=True)

    def answers(self) -> bool:
        """Whether the database can be asked. Raises SQLAlchemy's error when it can't."""
        with self._db.connect() as connection:
            connection.execute(select(1))
        return True

    def close(self) -> None:
        """Let go of connections."""
        self._db.dispose()

    def _change(self, job_id: str, values: Mapping[str, Any], *, final: bool = False) -> None:
        with writing(self._db) as connection:
            change_job(connection, job_id, values, final=final)
        self._tell(job_id)

    def _one(self, *where: ColumnElement[bool]) -> JobRecord | None:
        """One job with its attempts, by one statement: this is asked most often."""
        query = select(*COLUMNS, *ATTEMPT_COLUMNS).outerjoin(AttemptRow, AttemptRow.job_id == JobRow.id)
        with self._db.connect() as connection:
            rows = connection.execute(query.where(*where).order_by(AttemptRow.number)).all()
        attempts = [row[len(COLUMNS) :] for row in rows]
        # A job without attempts comes with one row of nulls.
        begun = tuple(attempt_of(attempt) for attempt in attempts if attempt[0] is not None)
        return _record(rows[0][: len(COLUMNS)], begun) if rows else None

    def _many(self, query: Select[Any]) -> list[JobRecord]:
        with self._db.connect() as connection:
            return read_jobs(connection, query)


def row_values(record: JobRecord) -> dict[str, Any]:
    """The record as the values of its row: without its attempts."""
    spec = record.spec
    values = {name: getattr(record, name) for name in _STATE} | {name: getattr(spec, name) for name in _SPEC}
    for name in ("source", "provenance"):
        values[name] = None if values[name] is None else dict(values[name])
    return {
        **values,
        "state": record.state.value,
        "outputs": None if spec.outputs is None else list(spec.outputs),
        "notify": list(spec.notify),
        "environment": dict(spec.environment),
        "parameters": dict(spec.parameters),
        "sweep_parameters": dict(spec.sweep_parameters),
        "secrets": list(spec.secrets),
    }


def read_jobs(connection: Connection, query: Select[Any]) -> list[JobRecord]:
    """The records of the rows of a query for COLUMNS, with their attempts."""
    rows = connection.execute(query).all()
    attempts = attempts_of(connection, [row.id for row in rows])
    return [_record(row, attempts.get(row.id, ())) for row in rows]


def _record(row: Sequence[Any], attempts: tuple[Attempt, ...]) -> JobRecord:
    state = dict(zip(_STATE, row[: len(_STATE)], strict=True))
    asked = dict(zip(_SPEC, row[len(_STATE) :], strict=True))
    asked["outputs"] = None if asked["outputs"] is None else tuple(asked["outputs"])
    asked["notify"] = tuple(asked["notify"])
    asked["secrets"] = tuple(asked["secrets"])
    state["state"] = JobState(state["state"])
    return JobRecord(**state, spec=JobSpec(**asked), attempts=attempts)


def _select() -> Select[Any]:
    return select(*COLUMNS)


def _page(query: Select[Any], tenant: str, chosen: JobFilter, limit: int, before: JobRecord | None) -> Select[Any]:
    query = query.where(JobRow.tenant == tenant)
    if chosen.owner is not None:
        query = query.where(JobRow.owner == chosen.owner)
    if chosen.states:
        query = query.where(JobRow.state.in_(sorted(state.value for state in chosen.states)))
    if chosen.ids:
        query = query.where(JobRow.id.in_(chosen.ids))
    if chosen.sweep is not None:
        query = query.where(JobRow.sweep == chosen.sweep)
    if chosen.schedule is not None:
        query = query.where(JobRow.schedule == chosen.schedule)
    if chosen.text:
        found = JobRow.search.contains(fold(chosen.text), autoescape=True)
        query = query.where(or_(JobRow.id == chosen.text, found))
    if before is not None:
        query = query.where(tuple_(JobRow.submitted_at, JobRow.id) < (before.submitted_at, before.id))
    return query.order_by(JobRow.submitted_at.desc(), JobRow.id.desc()).limit(limit)
