"""The repository of attempts: each change is a transaction, which counts the job's revision up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Engine, select

from aifactory_profiles import Device

from ..domain.attempts import Attempt
from ..domain.jobs import EndKind
from ..domain.metrics import Point
from .changes import change_attempt, change_job
from .database import writing
from .metrics import record_points
from .models import AttemptRow

_NAMES = tuple(f.name for f in fields(Attempt))
ATTEMPT_COLUMNS = tuple(AttemptRow.__table__.c[name] for name in _NAMES)
_AT_ONCE = 500


class Attempts:
    """Attempts in the database. Methods block for a moment and are safe in any thread. Times are arguments.

    An attempt's row begins with the first that is recorded of it. ``tell`` is called with the job's id after each
    change.
    """

    def __init__(self, db: Engine, tell: Callable[[str], None]) -> None:
        self._db = db
        self._tell = tell

    def intend_run(self, job_id: str, number: int, *, token_hash: str, now: float) -> None:
        """Record, before its run is created, that it is about to be."""
        values = {"token_hash": token_hash, "run_intended_at": now}
        self._change(job_id, number, values, keep=("run_intended_at",), final=False)

    def confirm_run(self, job_id: str, number: int, *, uid: str | None, now: float) -> None:
        """Record that the tenant's API has shown the run."""
        self._change(job_id, number, {"run_uid": uid, "run_created_at": now}, keep=("run_created_at",))

    def set_run(self, job_id: str, number: int, *, steps: Sequence[Mapping[str, Any]], nodes: Collection[str]) -> None:
        """Record how far the steps of the run are, and the nodes that it was seen on."""
        self._change(job_id, number, {"steps": [dict(step) for step in steps], "nodes": list(nodes)})

    def record_progress(
        self,
        job_id: str,
        number: int,
        *,
        percent: float | None,
        eta: float | None,
        metrics: Mapping[str, Any] | None,
        points: Mapping[str, Sequence[Point]] | None = None,
        now: float,
    ) -> None:
        """Record how far the attempt has come: ``percent`` of 100, ``eta`` in seconds, the last value of each metric
        and new points of their series. None keeps what was said."""
        said = {"progress_percent": percent, "eta_seconds": eta, "metrics": None if metrics is None else dict(metrics)}
        values = {name: value for name, value in said.items() if value is not None}
        with writing(self._db) as connection:
            # Also of a job that has ended: these are the last words of a command that was stopped.
            if change_job(connection, job_id, {}, final=True) is not None:
                change_attempt(connection, job_id, number, {**values, "progress_at": now})
                record_points(connection, job_id, number, points or {})
        self._tell(job_id)

    def record_log(self, job_id: str, number: int, *, size: int, sha256: str) -> None:
        """Record the attempt's log, which is in the file store; ``size`` in bytes."""
        self._change(job_id, number, {"log_size": size, "log_sha256": sha256})

    def record_report(self, job_id: str, number: int, report: Mapping[str, Any]) -> None:
        """Record what the runner said at its end."""
        self._change(job_id, number, {"report": dict(report)})

    def _change(
        self,
        job_id: str,
        number: int,
        values: Mapping[str, Any],
        *,
        keep: Collection[str] = (),
        final: bool = True,
    ) -> None:
        with writing(self._db) as connection:
            if change_job(connection, job_id, {}, final=final) is not None:
                change_attempt(connection, job_id, number, values, keep=keep)
        self._tell(job_id)


def attempts_of(connection: Connection, job_ids: Sequence[str]) -> dict[str, tuple[Attempt, ...]]:
    """The attempts of these jobs that have begun, oldest first; nothing for jobs without any."""
    found: dict[str, list[Attempt]] = defaultdict(list)
    for begin in range(0, len(job_ids), _AT_ONCE):
        some = job_ids[begin : begin + _AT_ONCE]
        # Equality is faster than a list of one.
        these = AttemptRow.job_id == some[0] if len(some) == 1 else AttemptRow.job_id.in_(some)
        query = select(AttemptRow.job_id, *ATTEMPT_COLUMNS).where(these).order_by(AttemptRow.job_id, AttemptRow.number)
        for job_id, *values in connection.execute(query):
            found[job_id].append(attempt_of(values))
    return {job_id: tuple(attempts) for job_id, attempts in found.items()}


def attempt_values(attempt: Attempt) -> dict[str, Any]:
    """The attempt as the values of its row, without the job's id: plain JSON."""
    values = {name: getattr(attempt, name) for name in _NAMES}
    for name in ("metrics", "report"):
        values[name] = None if values[name] is None else dict(values[name])
    return {
        **values,
        "kind": None if attempt.kind is None else attempt.kind.value,
        "nodes": list(attempt.nodes),
        "steps": [dict(step) for step in attempt.steps],
        "devices": devices_json(attempt.devices),
    }


def attempt_of(row: Sequence[Any]) -> Attempt:
    """The attempt of a row of ATTEMPT_COLUMNS."""
    values = dict(zip(_NAMES, row, strict=True))
    values["kind"] = None if values["kind"] is None else EndKind(values["kind"])
    values["nodes"], values["steps"] = tuple(values["nodes"]), tuple(values["steps"])
    values["devices"] = {Device(each["flavor"], each["resource"]): each["count"] for each in values["devices"]}
    return Attempt(**values)


def devices_json(devices: Mapping[Device, int]) -> list[dict[str, Any]]:
    """As they are stored."""
    return [{"flavor": d.flavor, "resource": d.resource, "count": count} for d, count in devices.items()]
