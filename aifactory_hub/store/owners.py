"""Whose things are whose when an account is given to another person, and since when owners have left their teams."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from ..domain.jobs import JobState
from ..domain.membership_policy import LiveJob
from ..domain.pipeline_runs import RunState
from .approvals import hand_over_approvals
from .database import writing
from .deployments import hand_over_deployments
from .files import FileStore
from .ledger import hand_over
from .models import AccountRow, JobRow, LeavingRow, PackFileRow, PackRow, ScheduleRow, SnapshotRow
from .notifications import hand_over_notifications
from .pipeline_tables import PipelineRunRow
from .reservations import hand_over_reservations
from .secrets import end_secrets
from .team_requests import hand_over_team_requests
from .trigger_tables import TriggerRow

# As who asked for the cancelling of such jobs, and as the problem of such schedules.
HANDED_OVER = "the hub: the owner's account was handed over"
_FINAL = tuple(state.value for state in JobState if state.final)
# A suspended job has started: it holds what it has done so far.
_WAITING = (JobState.HELD.value, JobState.PENDING.value, JobState.QUEUED.value)
_LONGEST_OWNER = 255


class Owners:
    """Owners of jobs, schedules and files in the database. Methods block for a moment."""

    def __init__(self, db: Engine, files: FileStore) -> None:
        self._db = db
        self._files = files

    def generations(self) -> dict[str, int]:
        """Account -> how many handovers of it were carried out here, for those that had one."""
        with self._db.connect() as connection:
            rows = connection.execute(select(AccountRow.name, AccountRow.generation))
            return {row.name: row.generation for row in rows}

    def retire(self, name: str, generation: int, *, now: float) -> list[str]:
        """Separate everything of the former owner from the account. Returns the ids of jobs that are to end.

        Live jobs and runs of pipelines are cancelled, schedules and
        triggers are paused, secrets and files that were sent are deleted; what jobs
        left behind stays with the former owner's new name, which nobody can sign in with. A second call for the same
        ``generation`` changes nothing.
        """
        known = self.generations().get(name, 0)
        if generation <= known:
            return []
        # Files first: killed in between, the next call finds the same rows again.
        self._files.delete(self._sent_files(name))
        with writing(self._db) as connection:
            former = former_owner(name, known)
            going = _rename(connection, name, former, now)
            hand_over(connection, name, former, int(now))
            hand_over_approvals(connection, name, former)
            hand_over_team_requests(connection, name, former)
            end_secrets(connection, name, former)
            hand_over_deployments(connection, name, former)
            hand_over_reservations(connection, name, former)
            hand_over_notifications(connection, name)
            connection.execute(delete(LeavingRow).where(LeavingRow.owner == name))
            connection.execute(delete(AccountRow).where(AccountRow.name == name))
            connection.execute(insert(AccountRow).values(name=name, generation=generation))
        return going

    def _sent_files(self, name: str) -> list[str]:
        with self._db.connect() as connection:
            packs = connection.execute(select(PackRow.tenant, PackRow.sha256).where(PackRow.owner == name)).all()
            snapshots = connection.execute(
                select(SnapshotRow.tenant, SnapshotRow.sha256).where(SnapshotRow.owner == name)
            ).all()
        return [
            *(self._files.pack(row.tenant, name, row.sha256) for row in packs),
            *(self._files.manifest(row.tenant, name, row.sha256) for row in snapshots),
        ]

    def live(self) -> list[LiveJob]:
        """The jobs that have not ended and that nobody has asked to cancel."""
        columns = (JobRow.id, JobRow.owner, JobRow.tenant, JobRow.state)
        query = select(*columns).where(JobRow.state.not_in(_FINAL), JobRow.cancel_asked_at.is_(None))
        with self._db.connect() as connection:
            return [
                LiveJob(row.id, row.owner, row.tenant, started=row.state not in _WAITING)
                for row in connection.execute(query)
            ]

    # Since when owners have left teams in which something of theirs goes on

    def leaving(self) -> dict[tuple[str, str], float]:
        """(owner, tenant) -> since when (epoch seconds) the owner is known not to be a member."""
        with self._db.connect() as connection:
            rows = connection.execute(select(LeavingRow.owner, LeavingRow.tenant, LeavingRow.since))
            return {(row.owner, row.tenant): row.since for row in rows}

    def set_leaving(self, left: Mapping[tuple[str, str], float]) -> None:
        """Replace what ``leaving`` returns."""
        before = self.leaving()
        if before == dict(left):
            return
        with writing(self._db) as connection:
            for owner, tenant in before.keys() - left.keys():
                gone = delete(LeavingRow).where(LeavingRow.owner == owner, LeavingRow.tenant == tenant)
                connection.execute(gone)
            for owner, tenant in left.keys() - before.keys():
                new = {"owner": owner, "tenant": tenant, "since": left[owner, tenant]}
                connection.execute(insert(LeavingRow).values(**new))


def former_owner(name: str, generation: int) -> str:
    """What the owner of before a handover is called. No user name has a slash."""
    ending = f"/former-{generation + 1}"
    if len(name) + len(ending) <= _LONGEST_OWNER:
        return f"{name}{ending}"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{name[: _LONGEST_OWNER - len(ending) - 17]}~{digest}{ending}"


def _rename(connection: Connection, name: str, former: str, now: float) -> list[str]:
    jobs = select(JobRow.id).where(JobRow.owner == name, JobRow.state.not_in(_FINAL))
    going = list(connection.scalars(jobs))
    ended: dict[str, Any] = {
        "cancel_asked_at": func.coalesce(JobRow.cancel_asked_at, now),
        "cancel_asked_by": func.coalesce(JobRow.cancel_asked_by, HANDED_OVER),
        "revision": JobRow.revision + 1,
    }
    connection.execute(update(JobRow).where(JobRow.owner == name, JobRow.state.not_in(_FINAL)).values(**ended))
    renamed = {
        "owner": former,
        "inputs_dropped_at": func.coalesce(JobRow.inputs_dropped_at, now),
        "revision": JobRow.revision + 1,
    }
    connection.execute(update(JobRow).where(JobRow.owner == name).values(**renamed))
    paused = {"owner": former, "paused": True, "next_at": None, "problem": HANDED_OVER}
    connection.execute(update(ScheduleRow).where(ScheduleRow.owner == name).values(**paused))
    _end_pipelines(connection, name, former, now)
    _end_triggers(connection, name, former)
    packs = select(PackRow.id).where(PackRow.owner == name)
    connection.execute(delete(PackFileRow).where(PackFileRow.pack_id.in_(packs)))
    connection.execute(delete(PackRow).where(PackRow.owner == name))
    connection.execute(delete(SnapshotRow).where(SnapshotRow.owner == name))
    return going


def _end_pipelines(connection: Connection, name: str, former: str, now: float) -> None:
    asked = {
        "cancel_asked_at": func.coalesce(PipelineRunRow.cancel_asked_at, now),
        "cancel_asked_by": func.coalesce(PipelineRunRow.cancel_asked_by, HANDED_OVER),
    }
    going = (PipelineRunRow.owner == name, PipelineRunRow.state == RunState.RUNNING.value)
    connection.execute(update(PipelineRunRow).where(*going).values(**asked))
    connection.execute(update(PipelineRunRow).where(PipelineRunRow.owner == name).values(owner=former))


def _end_triggers(connection: Connection, name: str, former: str) -> None:
    rested = {"owner": former, "paused": True, "problem": HANDED_OVER}
    connection.execute(update(TriggerRow).where(TriggerRow.owner == name).values(**rested))
