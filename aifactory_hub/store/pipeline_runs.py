"""The repository of pipelines' runs: what was asked, and how each of their jobs stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import Engine, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from ..domain.jobs import JobState
from ..domain.pipeline_runs import PipelineStepState, RunState, Standing
from .commit_statuses import open_again
from .database import writing
from .models import JobRow
from .pipeline_tables import PipelineRunRow, PipelineStepRow


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """A run of a pipeline. ``data`` is the pipeline file's, as plain data; ``files`` the manifest of the files that its
    first steps get. ``cause`` says what started it: see ``domain.triggers``. ``trigger`` is the trigger's id, None for
    a run that somebody started by hand. Without ``cache`` each of its steps runs.
    """

    id: str
    tenant: str
    owner: str
    key: str
    request_digest: str
    name: str
    data: Mapping[str, Any]
    files: str | None
    cause: Mapping[str, Any]
    created_at: float
    trigger: str | None = None
    retry_of: str | None = None
    cache: bool = True
    state: RunState = RunState.RUNNING
    reason: str | None = None
    cancel_asked_at: float | None = None
    cancel_asked_by: str | None = None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class CacheNote:
    """What is noted of a step that is cached: the key that stands for all that decides its result, what that is part by
    part, and why it runs, or took an earlier result. Empty for one that is not cached."""

    key: str | None = None
    parts: Mapping[str, str] | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RunStep:
    """One job of a run. ``taken_from`` is the earlier run whose job counts here, because it succeeded there.

    ``cache_key``, ``cache_parts`` and ``cache_reason`` are those of CacheNote; ``cached``: it was not run, for the job
    of an earlier step with this key counts.
    ``result`` is what a step without a job did, such as the version that it registered; until then, whether it is held.
    """

    key: str
    place: int
    state: PipelineStepState = PipelineStepState.PENDING
    reason: str | None = None
    job_id: str | None = None
    taken_from: str | None = None
    cache_key: str | None = None
    cached: bool = False
    cache_parts: Mapping[str, str] | None = None
    cache_reason: str | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    started_at: float | None = None
    finished_at: float | None = None

    @property
    def standing(self) -> Standing:
        """For the decision of what is next."""
        return Standing(self.key, self.state, self.reason, self.metrics)


_RUN = tuple(PipelineRunRow.__table__.c[f.name] for f in fields(PipelineRun))
_STEP = tuple(PipelineStepRow.__table__.c[f.name] for f in fields(RunStep))


class PipelineRuns:
    """Runs in the database. Methods block for a moment and are safe in any thread. Times are arguments."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def add(self, run: PipelineRun, steps: Sequence[RunStep]) -> PipelineRun:
        """Store a new run with its steps. If its owner has used its key in its tenant before, that run is returned."""
        values = {f.name: getattr(run, f.name) for f in fields(PipelineRun)}
        values |= {"data": dict(run.data), "cause": dict(run.cause), "state": run.state.value}
        try:
            with writing(self._db) as connection:
                connection.execute(insert(PipelineRunRow).values(**values))
                connection.execute(insert(PipelineStepRow), [{"run_id": run.id, **_step_values(s)} for s in steps])
                if run.retry_of is not None:
                    open_again(connection, run.retry_of, run.id)
        except IntegrityError:
            earlier = self.find_by_key(run.tenant, run.owner, run.key)
            if earlier is None:
                raise
            return earlier
        return run

    def find_by_key(self, tenant: str, owner: str, key: str) -> PipelineRun | None:
        """The run that this owner started with this key."""
        where = (PipelineRunRow.tenant == tenant, PipelineRunRow.owner == owner, PipelineRunRow.key == key)
        found = self._many(*where)
        return found[0] if found else None

    def get(self, run_id: str) -> PipelineRun | None:
        """The run, whoever's it is."""
        found = self._many(PipelineRunRow.id == run_id)
        return found[0] if found else None

    def live(self) -> list[PipelineRun]:
        """The runs that have not ended, oldest first."""
        return self._many(PipelineRunRow.state == RunState.RUNNING.value)

    def live_of(self, trigger: str) -> list[PipelineRun]:
        """The runs of a trigger that have not ended, oldest first."""
        return self._many(PipelineRunRow.state == RunState.RUNNING.value, PipelineRunRow.trigger == trigger)

    def newest(
        self, tenant: str, *, limit: int, before: PipelineRun | None = None, trigger: str | None = None
    ) -> list[PipelineRun]:
        """The newest runs of a tenant first; ``before`` continues after that one."""
        query = select(*_RUN).where(PipelineRunRow.tenant == tenant)
        if trigger is not None:
            query = query.where(PipelineRunRow.trigger == trigger)
        if before is not None:
            place = tuple_(PipelineRunRow.created_at, PipelineRunRow.id)
            query = query.where(place < (before.created_at, before.id))
        query = query.order_by(PipelineRunRow.created_at.desc(), PipelineRunRow.id.desc()).limit(limit)
        with self._db.connect() as connection:
            return [_run(row) for row in connection.execute(query)]

    def steps(self, run_ids: Collection[str]) -> dict[str, list[RunStep]]:
        """The steps of each of these runs, in the order of the file."""
        found: dict[str, list[RunStep]] = {run_id: [] for run_id in run_ids}
        query = select(PipelineStepRow.run_id, *_STEP).where(PipelineStepRow.run_id.in_(run_ids))
        with self._db.connect() as connection:
            for row in connection.execute(query.order_by(PipelineStepRow.run_id, PipelineStepRow.place)):
                values = dict(row._mapping)
                run_id = values.pop("run_id")
                found[run_id].append(_step(values))
        return found

    def begin(self, run_id: str, key: str, job_id: str, *, now: float, note: CacheNote | None = None) -> None:
        """Record that a step's job is there. Only once: it changes nothing for one that has begun."""
        values = {"state": PipelineStepState.RUNNING.value, "job_id": job_id, "started_at": now, **_noted(note)}
        self._change_step(run_id, key, values, (PipelineStepState.PENDING,))

    def with_cache_key(self, tenant: str, cache_key: str, *, since: float, limit: int) -> list[tuple[str, RunStep]]:
        """The newest steps with this key whose job succeeded in this team and gave back files that are still kept, each
        with its run's id. Jobs that ended before ``since`` don't count."""
        query = (
            select(PipelineStepRow.run_id, *_STEP)
            .join(PipelineRunRow, PipelineRunRow.id == PipelineStepRow.run_id)
            .join(JobRow, JobRow.id == PipelineStepRow.job_id)
            .where(PipelineStepRow.cache_key == cache_key, PipelineStepRow.state == PipelineStepState.SUCCEEDED.value)
            .where(PipelineRunRow.tenant == tenant, JobRow.tenant == tenant, JobRow.state == JobState.SUCCEEDED.value)
            .where(JobRow.artifacts_dropped_at.is_(None), JobRow.finished_at >= since)
            .order_by(PipelineStepRow.finished_at.desc(), PipelineStepRow.run_id)
            .limit(limit)
        )
        with self._db.connect() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
        return [(row.pop("run_id"), _step(row)) for row in rows]

    def last_cached(self, run: PipelineRun, key: str) -> tuple[str, RunStep] | None:
        """The newest step of this key that has a cache key, in an earlier run of a pipeline of the same name and team,
        with that run's id."""
        place = tuple_(PipelineRunRow.created_at, PipelineRunRow.id)
        query = (
            select(PipelineStepRow.run_id, *_STEP)
            .join(PipelineRunRow, PipelineRunRow.id == PipelineStepRow.run_id)
            .where(PipelineRunRow.tenant == run.tenant, PipelineRunRow.name == run.name)
            .where(place < (run.created_at, run.id))
            .where(PipelineStepRow.key == key, PipelineStepRow.cache_key.is_not(None))
            .order_by(PipelineRunRow.created_at.desc(), PipelineRunRow.id.desc())
            .limit(1)
        )
        with self._db.connect() as connection:
            row = connection.execute(query).one_or_none()
        values = None if row is None else dict(row._mapping)
        return None if values is None else (values.pop("run_id"), _step(values))

    def take(
        self, run_id: str, key: str, earlier: RunStep, origin: str, *, now: float, note: CacheNote | None = None
    ) -> None:
        """Record that the job of an ``earlier`` step with the same cache key counts, which run ``origin`` has made."""
        values = {
            "state": PipelineStepState.SUCCEEDED.value,
            "job_id": earlier.job_id,
            "taken_from": earlier.taken_from or origin,
            **_noted(note),
            "cache_key": earlier.cache_key,
            "cached": True,
            "metrics": dict(earlier.metrics),
            "started_at": now,
            "finished_at": now,
        }
        self._change_step(run_id, key, values, (PipelineStepState.PENDING,))

    def wait(self, run_id: str, key: str, reason: str, *, held: bool, now: float) -> None:
        """Record what a step without a job waits for. ``held``: people have to approve it."""
        told = {"reason": reason, "result": {"held": held}}
        values = {"state": PipelineStepState.RUNNING.value, **told, "started_at": now}
        self._change_step(run_id, key, told, (PipelineStepState.RUNNING,))
        self._change_step(run_id, key, values, (PipelineStepState.PENDING,))

    def succeed(self, run_id: str, key: str, reason: str, result: Mapping[str, Any], *, now: float) -> None:
        """Record what a step without a job did. The first end stands."""
        values = {
            "state": PipelineStepState.SUCCEEDED.value,
            "reason": reason,
            "result": dict(result),
            "started_at": func.coalesce(PipelineStepRow.started_at, now),
            "finished_at": now,
        }
        self._change_step(run_id, key, values, (PipelineStepState.PENDING, PipelineStepState.RUNNING))

    def settle(self, run_id: str, standing: Standing, *, now: float) -> None:
        """Record what became of a step. The first end stands."""
        values: dict[str, Any] = {
            "state": standing.state.value,
            "reason": standing.reason,
            "metrics": dict(standing.metrics),
        }
        if standing.state.final:
            values["finished_at"] = now
        self._change_step(run_id, standing.key, values, (PipelineStepState.PENDING, PipelineStepState.RUNNING))

    def finish(self, run_id: str, state: RunState, reason: str | None, *, now: float) -> None:
        """Record the end of a run. The first end stands."""
        self._change(run_id, {"state": state.value, "reason": reason, "finished_at": now})

    def ask_cancel(self, run_id: str, *, by: str, now: float) -> None:
        """Record that the run is to end. No-op once it has ended; the first asker is kept."""
        asked = {
            "cancel_asked_at": func.coalesce(PipelineRunRow.cancel_asked_at, now),
            "cancel_asked_by": func.coalesce(PipelineRunRow.cancel_asked_by, by),
        }
        self._change(run_id, asked)

    def started_since(self, trigger: str, since: float) -> int:
        """How many runs the trigger has started since then."""
        where = (PipelineRunRow.trigger == trigger, PipelineRunRow.created_at >= since)
        with self._db.connect() as connection:
            return connection.scalar(select(func.count()).select_from(PipelineRunRow).where(*where)) or 0

    def _change(self, run_id: str, values: Mapping[str, Any]) -> None:
        open_one = (PipelineRunRow.id == run_id, PipelineRunRow.state == RunState.RUNNING.value)
        with writing(self._db) as connection:
            connection.execute(update(PipelineRunRow).where(*open_one).values(**values))

    def _change_step(
        self, run_id: str, key: str, values: Mapping[str, Any], states: Collection[PipelineStepState]
    ) -> None:
        this = (PipelineStepRow.run_id == run_id, PipelineStepRow.key == key)
        open_one = PipelineStepRow.state.in_([state.value for state in states])
        with writing(self._db) as connection:
            connection.execute(update(PipelineStepRow).where(*this, open_one).values(**values))

    def _many(self, *where: Any) -> list[PipelineRun]:
        query = select(*_RUN).where(*where).order_by(PipelineRunRow.created_at, PipelineRunRow.id)
        with self._db.connect() as connection:
            return [_run(row) for row in connection.execute(query)]


def _run(row: Any) -> PipelineRun:
    return PipelineRun(**{**row._mapping, "state": RunState(row.state)})


def _step(values: Mapping[str, Any]) -> RunStep:
    return RunStep(**{**values, "state": PipelineStepState(values["state"])})


def _noted(note: CacheNote | None) -> dict[str, Any]:
    if note is None:
        return {}
    kept = None if note.parts is None else dict(note.parts)
    return {"cache_key": note.key, "cache_parts": kept, "cache_reason": note.reason}


def _step_values(step: RunStep) -> dict[str, Any]:
    values = {f.name: getattr(step, f.name) for f in fields(RunStep)}
    result = None if step.result is None else dict(step.result)
    parts = None if step.cache_parts is None else dict(step.cache_parts)
    told = {"metrics": dict(step.metrics), "result": result, "cache_parts": parts}
    return {**values, "state": step.state.value, **told}
