"""Jobs that are submitted by the clock."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote as url_quote

from .api import What, default_session, prepare
from .job import Job
from .printable import line
from .session import Session

_PAGE = 200


class Schedule:
    """A job that the service submits at each time of a cron expression. What is here is as it was last heard of."""

    def __init__(self, session: Session, data: dict[str, Any]) -> None:
        self._session = session
        self._data = data

    @property
    def data(self) -> dict[str, Any]:
        """The service's own answer."""
        return dict(self._data)

    @property
    def id(self) -> str:
        return str(self._data["id"])

    @property
    def name(self) -> str:
        """The name of its jobs; without one, their command."""
        return str(self._data["name"] or self._data["command"])

    @property
    def cron(self) -> str:
        """Minute, hour, day, month and weekday, in ``time_zone``."""
        return str(self._data["cron"])

    @property
    def time_zone(self) -> str:
        return str(self._data["time_zone"])

    @property
    def owner(self) -> str:
        return str(self._data["owner"])

    @property
    def paused(self) -> bool:
        return bool(self._data["paused"])

    @property
    def next(self) -> str | None:
        """When it submits next, as text of ISO 8601; None while it is paused."""
        found: str | None = self._data["next"]
        return found

    @property
    def problem(self) -> str | None:
        """Why the last time made no job."""
        found: str | None = self._data["problem"]
        return found

    @property
    def last_job(self) -> Job | None:
        """The job that it made last; None when it has made none. Raises UnknownJob for one that is no longer kept."""
        found = self._data["last_job"]
        return None if found is None else Job(self._session, self._session.get(f"/jobs/{url_quote(found, safe='')}"))

    @property
    def last_state(self) -> str | None:
        """The state of the job that it made last."""
        found: str | None = self._data["last_state"]
        return found

    def refresh(self) -> Schedule:
        """Ask the service again."""
        self._data = self._session.get(self._path)
        return self

    def pause(self) -> Schedule:
        """Submit nothing until it is resumed. Times that pass meanwhile are not made up for."""
        return self._set_paused(True)

    def resume(self) -> Schedule:
        """Go on with the next time."""
        return self._set_paused(False)

    def run(self) -> Job:
        """Submit its job now, besides those of its times."""
        return Job(self._session, self._session.post(f"{self._path}/runs", {"key": uuid.uuid4().hex}))

    def delete(self) -> None:
        """Forget it. Jobs that it made stay."""
        self._session.delete(self._path)

    @property
    def _path(self) -> str:
        return f"/schedules/{url_quote(self.id, safe='')}"

    def _set_paused(self, paused: bool) -> Schedule:
        self._data = self._session.patch(self._path, {"paused": paused})
        return self

    def __repr__(self) -> str:
        due = "paused" if self.paused else f"next {self.next}"
        return line(f"<Schedule {self.id} {self.name}: {self.cron} ({self.time_zone}), {due}>")


class ScheduleTable(list[Schedule]):
    """Some schedules; in a notebook, a table."""

    def _repr_html_(self) -> str:
        from .job_display import schedules_html

        return schedules_html(self)


def schedule(
    what: What,
    cron: str,
    *,
    time_zone: str = "UTC",
    overlap: str = "skip",
    idempotency_key: str | None = None,
    session: Session | None = None,
    **options: Any,
) -> Schedule:
    """Submit a job whenever ``cron`` names the time: minute, hour, day of the month, month and weekday.

    ``"0 6 * * mon-fri"`` is each working day at six. ``time_zone`` is one of the tz database, such as
    ``"Europe/Amsterdam"``. While a job of the schedule goes on, no further one is made, except with
    ``overlap="allow"``. ``what`` and ``options`` are those of ``submit``. The files are sent now, and each job runs
    with them as they are now. Two calls with one ``idempotency_key`` make one schedule.

    Raises Refused, FilesTooLarge, NotShippable, NotInNotebook, ServiceUnavailable.
    """
    session = session or default_session()
    prepared = prepare(session, what, **options)
    job = {**prepared.request, **prepared.send()}
    team = job.pop("tenant")
    request = {
        "key": idempotency_key or uuid.uuid4().hex,
        "tenant": team,
        "cron": cron,
        "time_zone": time_zone,
        "overlap": overlap,
        "job": job,
    }
    return Schedule(session, session.post("/schedules", request))


class Schedules:
    """``schedules.list()`` and ``schedules.get(id)``."""

    def list(self, *, tenant: str | None = None, session: Session | None = None) -> ScheduleTable:
        """All schedules of the notebook's teams, the newest first."""
        return ScheduleTable(self._each(session or default_session(), tenant))

    def get(self, schedule_id: str, *, session: Session | None = None) -> Schedule:
        """The schedule with this id. Raises Refused."""
        session = session or default_session()
        return Schedule(session, session.get(f"/schedules/{url_quote(schedule_id, safe='')}"))

    def _each(self, session: Session, tenant: str | None) -> Iterator[Schedule]:
        before = None
        while True:
            asked = {"limit": _PAGE, "tenant": tenant, "before": before}
            answer = session.get("/schedules", {name: value for name, value in asked.items() if value is not None})
            yield from (Schedule(session, data) for data in answer["schedules"])
            before = answer["next"]
            if before is None:
                return


schedules = Schedules()
