"""Messages to webhooks: filed from the events of jobs, then sent until they arrive or are given up."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, insert, select, update

from ..domain.formatting import iso_millis
from .database import writing
from .jobs import COLUMNS, read_jobs
from .models import DeliveryRow, JobRow
from .outbox import JobEvent, Outbox
from .records import JobRecord

_CONSUMER = "webhooks"
# The channels of a message: webhooks by the form of what is sent, and mail.
STANDARD, MAIL = "standard", "mail"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one address; ``job_id`` None: it is about no job. ``tries`` so far; ``next_at`` is None once it
    is delivered or given up. By the ``channel`` MAIL it goes to a person, whose name is in place of the ``url``."""

    id: str
    job_id: str | None
    event: str
    url: str
    body: Mapping[str, Any]
    created_at: float
    tries: int = 0
    next_at: float | None = None
    delivered_at: float | None = None
    problem: str | None = None
    channel: str = STANDARD


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """How many messages wait, the ``oldest`` since then (epoch seconds), how many were given up, the last trouble."""

    waiting: int
    oldest: float | None
    given_up: int
    problem: str


_COLUMNS = tuple(DeliveryRow.__table__.c[f.name] for f in fields(Delivery))


def tenant_of(body: Mapping[str, Any]) -> str:
    """The team that a message is about, which is with whatever it tells of. Raises ValueError."""
    for part in body.values():
        if isinstance(part, Mapping) and "tenant" in part:
            return str(part["tenant"])
    raise ValueError(f"the message {body.get('event')!r} names no team")


def message(job: JobRecord, event: str, now: float) -> dict[str, Any]:
    """What is told of a job: no environment and no command, which may hold secrets."""
    return {
        "event": event,
        "at": iso_millis(now),
        "job": {
            "id": job.id,
            "name": job.spec.name,
            "tenant": job.tenant,
            "owner": job.owner,
            "profile": job.spec.profile,
            "state": job.state.value,
            "reason": job.reason,
            "exit_code": job.exit_code,
            "attempt": job.attempt,
        },
    }


def _file_messages(connection: Connection, events: Sequence[JobEvent]) -> None:
    """File one message for each address that is to be told of these ends of jobs."""
    ends = {event.job_id: event for event in events if event.to_state.final}
    named = select(JobRow.id, JobRow.notify).where(JobRow.id.in_(ends))
    telling = [row.id for row in connection.execute(named) if row.notify] if ends else []
    if telling:
        for job in read_jobs(connection, select(*COLUMNS).where(JobRow.id.in_(telling))):
            _file(connection, job, ends[job.id].at)


def _file(
    connection: Connection, job: JobRecord, now: float, event: str | None = None, about: Mapping[str, Any] | None = None
) -> None:
    event = event or f"job.{job.state.value.lower()}"
    body = {**message(job, event, now), **(about or {})}
    file_messages(connection, job.spec.notify, event, body, job_id=job.id, now=now)


def file_messages(
    connection: Connection,
    urls: Iterable[str],
    event: str,
    body: Mapping[str, Any],
    *,
    job_id: str | None = None,
    now: float,
    channel: str = STANDARD,
) -> None:
    """File one message to each address, in the transaction of what is told.

    Raises ValueError where ``body`` names no team: with whose secret would it be signed?
    """
    tenant_of(body)
    for url in urls:
        _insert(connection, Delivery(_new_id(), job_id, event, url, body, now, next_at=now, channel=channel))


def file_mail(connection: Connection, person: str, body: Mapping[str, Any], *, now: float) -> None:
    """File one mail to a person, in the transaction of what is told. Their address is asked for when it is sent."""
    _insert(connection, Delivery(_new_id(), None, str(body["event"]), person, body, now, next_at=now, channel=MAIL))


def _new_id() -> str:
    return f"d{secrets.token_hex(8)}"


def _insert(connection: Connection, delivery: Delivery) -> None:
    values = {f.name: getattr(delivery, f.name) for f in fields(Delivery)}
    connection.execute(insert(DeliveryRow).values(**{**values, "body": dict(delivery.body)}))


class Deliveries:
    """Messages in the database. Methods block for a moment."""

    def __init__(self, db: Engine) -> None:
        self._db = db
        self._outbox = Outbox(db)

    def file(self) -> None:
        """File the messages of jobs that have ended since the last time."""
        while self._outbox.consume(_CONSUMER, _file_messages):
            pass

    def add(self, job: JobRecord, event: str, now: float, about: Mapping[str, Any]) -> None:
        """File a message to each of the job's addresses; ``about`` is what it tells besides the job."""
        with writing(self._db) as connection:
            _file(connection, job, now, event, about)

    def due(self, *, now: float, limit: int, mail: bool = False) -> list[Delivery]:
        """Messages to webhooks, or with ``mail`` to people, that are to be sent now, the longest due first."""
        query = select(*_COLUMNS).where(DeliveryRow.next_at <= now, _by_mail(mail))
        query = query.order_by(DeliveryRow.next_at).limit(limit)
        with self._db.connect() as connection:
            return [Delivery(**row._mapping) for row in connection.execute(query)]

    def of_job(self, job_id: str) -> list[Delivery]:
        """A job's messages, oldest first."""
        query = select(*_COLUMNS).where(DeliveryRow.job_id == job_id)
        with self._db.connect() as connection:
            rows = connection.execute(query.order_by(DeliveryRow.created_at, DeliveryRow.id))
            return [Delivery(**row._mapping) for row in rows]

    def state(self, *, since: float, mail: bool = False) -> DeliveryState:
        """How messages to webhooks fare, or with ``mail`` those to people; of those that were given up, those filed
        after ``since`` (epoch seconds)."""
        these, late = _by_mail(mail), DeliveryRow.created_at > since
        failed = (these, DeliveryRow.next_at.is_(None), DeliveryRow.delivered_at.is_(None), late)
        waiting = select(func.count(), func.min(DeliveryRow.created_at)).where(these, DeliveryRow.next_at.is_not(None))
        said = select(DeliveryRow.problem).where(these, DeliveryRow.problem.is_not(None), late)
        with self._db.connect() as connection:
            count, oldest = connection.execute(waiting).one()
            given_up = connection.scalar(select(func.count()).select_from(DeliveryRow).where(*failed))
            problem = connection.scalar(said.order_by(DeliveryRow.created_at.desc()).limit(1))
        return DeliveryState(count, oldest, int(given_up or 0), problem or "")

    def delivered(self, delivery_id: str, *, now: float) -> None:
        """It arrived."""
        self._change(delivery_id, {"delivered_at": now, "next_at": None, "problem": None})

    def failed(self, delivery_id: str, problem: str, *, next_at: float | None) -> None:
        """It did not arrive; ``next_at`` is when to try again, None to give it up."""
        self._change(delivery_id, {"problem": problem[:500], "next_at": next_at})

    def forget(self, *, before: float) -> int:
        """Remove messages that are done with and older than ``before``; how many went."""
        old = (DeliveryRow.next_at.is_(None), DeliveryRow.created_at < before)
        with writing(self._db) as connection:
            return connection.execute(delete(DeliveryRow).where(*old)).rowcount

    def _change(self, delivery_id: str, values: Mapping[str, Any]) -> None:
        query = update(DeliveryRow).where(DeliveryRow.id == delivery_id, DeliveryRow.next_at.is_not(None))
        with writing(self._db) as connection:
            connection.execute(query.values(**values, tries=DeliveryRow.tries + 1))


def _by_mail(mail: bool) -> ColumnElement[bool]:
    return DeliveryRow.channel == MAIL if mail else DeliveryRow.channel != MAIL
