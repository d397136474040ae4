"""Runs of pipelines whose time is over: what refers to them, and their removal with what their triggers heard."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Engine, delete, or_, select, tuple_

from ..domain.pipeline_runs import RunState
from ..domain.run_retention import RunReferences
from ..domain.triggers import EventState
from .database import writing
from .model_tables import ModelVersionRow
from .models import JobRow
from .pipeline_tables import PipelineRunRow, PipelineStepRow
from .trigger_tables import CommitStatusRow, DeliveryRow, TriggerEventRow

# The end of a run and its id: runs are looked through in this order.
Place = tuple[float, str]


class KeptRuns:
    """Methods block for a moment and are safe in any thread. Times are arguments."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def ended(self, *, before: float, after: Place | None, limit: int) -> list[Place]:
        """Runs that ended before ``before``, the oldest first, each with its end; ``after`` goes on behind that one."""
        query = select(PipelineRunRow.finished_at, PipelineRunRow.id)
        query = query.where(PipelineRunRow.finished_at < before, PipelineRunRow.state != RunState.RUNNING.value)
        if after is not None:
            query = query.where(tuple_(PipelineRunRow.finished_at, PipelineRunRow.id) > after)
        query = query.order_by(PipelineRunRow.finished_at, PipelineRunRow.id).limit(limit)
        with self._db.connect() as connection:
            return [(ended, run) for ended, run in connection.execute(query) if ended is not None]

    def references(self, runs: Collection[str]) -> list[RunReferences]:
        """What refers to each of these runs."""
        with self._db.connect() as connection:
            versions, deployments = _made(connection, runs)
            versions |= _runs_of(connection, runs, ModelVersionRow.job)
            jobs = _runs_of(connection, runs, JobRow.id, _kept_job())
            later = _later(connection, runs)
        return [RunReferences(run, run in versions, run in deployments, run in jobs, run in later) for run in runs]

    def remove(self, runs: Collection[str]) -> None:
        """Remove these ended runs with their steps, and what their triggers and Git hosts were told of them."""
        with writing(self._db) as connection:
            connection.execute(delete(CommitStatusRow).where(CommitStatusRow.run.in_(runs)))
            connection.execute(delete(TriggerEventRow).where(TriggerEventRow.run.in_(runs)))
            ended = (PipelineRunRow.id.in_(runs), PipelineRunRow.state != RunState.RUNNING.value)
            connection.execute(delete(PipelineRunRow).where(*ended))

    def forget_calls(self, *, before: float, limit: int) -> int:
        """Remove deliveries that came, and changes of refs that were seen and started no run, before ``before``: the
        oldest ``limit`` of each; how many."""
        event, key = TriggerEventRow, (TriggerEventRow.trigger, TriggerEventRow.ref, TriggerEventRow.number)
        started_none = (event.seen_at < before, event.run.is_(None), event.state != EventState.WAITING.value)
        old_events = select(*key).where(*started_none).order_by(event.seen_at).limit(limit)
        old_calls = select(DeliveryRow.seq).where(DeliveryRow.at < before).order_by(DeliveryRow.seq).limit(limit)
        with writing(self._db) as connection:
            calls = list(connection.scalars(old_calls))
            events = [tuple(row) for row in connection.execute(old_events)]
            connection.execute(delete(DeliveryRow).where(DeliveryRow.seq.in_(calls)))
            status = (CommitStatusRow.trigger, CommitStatusRow.ref, CommitStatusRow.number)
            connection.execute(delete(CommitStatusRow).where(tuple_(*status).in_(events)))
            connection.execute(delete(event).where(tuple_(*key).in_(events)))
        return len(calls) + len(events)


def _made(connection: Connection, runs: Collection[str]) -> tuple[set[str], set[str]]:
    """The runs of which a step registered or promoted a version, and those of which one deployed one."""
    query = select(PipelineStepRow.run_id, PipelineStepRow.result).where(PipelineStepRow.run_id.in_(runs))
    made = [(run, result) for run, result in connection.execute(query) if result]
    versions = {run for run, result in made if "version" in result}
    return versions, {run for run, result in made if result.get("deployment")}


def _runs_of(connection: Connection, runs: Collection[str], job: Any, *where: Any) -> set[str]:
    """The runs with a step whose job is named by the column ``job``."""
    query = select(PipelineStepRow.run_id).join(job.class_, job == PipelineStepRow.job_id)
    return set(connection.scalars(query.where(PipelineStepRow.run_id.in_(runs), *where).distinct()))


def _kept_job() -> Any:
    """A job that goes on, or of which something is kept."""
    dropped = (JobRow.inputs_dropped_at, JobRow.log_dropped_at, JobRow.artifacts_dropped_at)
    return or_(JobRow.finished_at.is_(None), *(column.is_(None) for column in dropped))


def _later(connection: Connection, runs: Collection[str]) -> set[str]:
    """The runs that others repeat or have taken a result of."""
    repeated = select(PipelineRunRow.retry_of).where(PipelineRunRow.retry_of.in_(runs))
    taken = select(PipelineStepRow.taken_from).where(PipelineStepRow.taken_from.in_(runs))
    return {str(run) for query in (repeated, taken) for run in connection.scalars(query.distinct())}
