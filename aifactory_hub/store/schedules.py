"""The repository of schedules: what is to be submitted again and again, and when next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Engine, delete, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from .database import writing
from .models import ScheduleRow


@dataclass(frozen=True, slots=True)
class Schedule:
    """A submission that repeats. ``cron`` is read in ``time_zone``; ``next_at`` is None while it is ``paused``.

    ``overlap`` is "skip" (no new job while one of the schedule's goes on) or "allow". ``problem`` says why the last
    time made no job.
    """

    id: str
    tenant: str
    owner: str
    key: str
    request_digest: str
    request: Mapping[str, Any]
    cron: str
    time_zone: str
    created_at: float
    overlap: str = "skip"
    paused: bool = False
    next_at: float | None = None
    last_at: float | None = None
    last_job: str | None = None
    problem: str | None = None


_COLUMNS = tuple(ScheduleRow.__table__.c[f.name] for f in fields(Schedule))


class Schedules:
    """Schedules in the database. Methods block for a moment."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def add(self, schedule: Schedule) -> Schedule:
        """Store a new one. If its owner has used its key in its tenant before, the earlier one is returned."""
        values = {f.name: getattr(schedule, f.name) for f in fields(Schedule)} | {"request": dict(schedule.request)}
        try:
            with writing(self._db) as connection:
                connection.execute(insert(ScheduleRow).values(**values))
        except IntegrityError:
            earlier = self.find_by_key(schedule.tenant, schedule.owner, schedule.key)
            if earlier is None:
                raise
            return earlier
        return schedule

    def find_by_key(self, tenant: str, owner: str, key: str) -> Schedule | None:
        """The schedule that this owner made with this key."""
        found = self._many(ScheduleRow.tenant == tenant, ScheduleRow.owner == owner, ScheduleRow.key == key)
        return found[0] if found else None

    def get(self, schedule_id: str) -> Schedule | None:
        """The schedule, whoever's it is."""
        found = self._many(ScheduleRow.id == schedule_id)
        return found[0] if found else None

    def known(self, schedule_ids: Collection[str]) -> set[str]:
        """Those of ``schedule_ids`` that there are."""
        with self._db.connect() as connection:
            return set(connection.scalars(select(ScheduleRow.id).where(ScheduleRow.id.in_(schedule_ids))))

    def newest(self, tenants: Collection[str], *, limit: int, before: Schedule | None = None) -> list[Schedule]:
        """The newest schedules of these tenants first; ``before`` continues after that one."""
        place = tuple_(ScheduleRow.created_at, ScheduleRow.id)
        query = select(*_COLUMNS).where(ScheduleRow.tenant.in_(sorted(set(tenants))))
        if before is not None:
            query = query.where(place < (before.created_at, before.id))
        query = query.order_by(ScheduleRow.created_at.desc(), ScheduleRow.id.desc()).limit(limit)
        with self._db.connect() as connection:
            return [Schedule(**row._mapping) for row in connection.execute(query)]

    def due(self, *, now: float) -> list[Schedule]:
        """Schedules whose time has come."""
        return self._many(ScheduleRow.next_at <= now, ScheduleRow.paused.is_(False))

    def advance(self, schedule: Schedule, *, next_at: float | None, job_id: str | None, problem: str | None) -> None:
        """Record what became of ``schedule.next_at``. Only once: whoever else did it first stands."""
        values = {"next_at": next_at, "last_at": schedule.next_at, "problem": problem}
        if job_id is not None:
            values["last_job"] = job_id
        self._change(schedule.id, values, ScheduleRow.next_at == schedule.next_at)

    def set_paused(self, schedule_id: str, paused: bool, *, next_at: float | None) -> None:
        """Let it rest or go on; ``next_at`` is when it goes on."""
        self._change(schedule_id, {"paused": paused, "next_at": None if paused else next_at})

    def remove(self, schedule_id: str) -> None:
        """Forget it; jobs that it made stay."""
        with writing(self._db) as connection:
            connection.execute(delete(ScheduleRow).where(ScheduleRow.id == schedule_id))

    def _change(self, schedule_id: str, values: Mapping[str, Any], *where: Any) -> None:
        with writing(self._db) as connection:
            connection.execute(update(ScheduleRow).where(ScheduleRow.id == schedule_id, *where).values(**values))

    def _many(self, *where: Any) -> list[Schedule]:
        query = select(*_COLUMNS).where(*where).order_by(ScheduleRow.created_at, ScheduleRow.id)
        with self._db.connect() as connection:
            return [Schedule(**row._mapping) for row in connection.execute(query)]
