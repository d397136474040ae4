"""Notifications in the database: filed in the transaction of what they tell, gathered into messages, told once.

Nothing is filed that nobody would send. Whether somebody does is known by the consumers of the outbox: one for mail to
people, one for the channels of teams, each there while the site has set it up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from ..domain.channels import Level
from ..domain.jobs import JobState
from ..domain.notifications import Audience, Choice, JobChange, Kind, Notification, of_job
from .database import writing
from .deliveries import MAIL, file_mail, file_messages
from .jobs import COLUMNS, read_jobs
from .models import ConsumerRow, DeliveryRow, JobRow
from .notification_tables import NotificationKindRow, NotificationLevelRow, NotificationRow
from .outbox import JobEvent, Outbox

CHANNELS = "team channels"
_FILED_FOR = {Audience.CHANNEL: CHANNELS}
_TELLING = (JobState.HELD, *(state for state in JobState if state.final))
_COLUMNS = tuple(NotificationRow.__table__.c[f.name] for f in fields(Notification))
_FINAL = tuple(state.value for state in JobState if state.final)
# Notifications of one person or channel that one message tells.
_MOST_TOLD = 2000
# Names that one question asks for: databases take no more values at once.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Filed:
    """A notification that waits, with the number by which it is removed."""

    number: int
    notification: Notification


def file_notification(connection: Connection, notification: Notification) -> None:
    """File it in the open transaction; nothing where nobody sends what is for this audience."""
    consumer = _FILED_FOR.get(notification.audience, MAIL)
    if connection.execute(select(ConsumerRow.name).where(ConsumerRow.name == consumer)).first() is not None:
        connection.execute(insert(NotificationRow).values(**_values(notification)))


def nobody_need_vote(connection: Connection, approval: str) -> None:
    """Nobody is asked any more for votes on this approval, as far as they were not told yet."""
    waits = (NotificationRow.kind == Kind.APPROVAL_WAITS.value, NotificationRow.path == f"approvals/{approval}")
    connection.execute(delete(NotificationRow).where(*waits))


def hand_over_notifications(connection: Connection, name: str) -> None:
    """What was for the former owner of the account is told nobody, and what they chose is forgotten."""
    mine = (NotificationRow.audience == Audience.PERSON.value, NotificationRow.name == name)
    connection.execute(delete(NotificationRow).where(*mine))
    _forget_choice(connection, name)
    waiting = (DeliveryRow.channel == MAIL, DeliveryRow.url == name, DeliveryRow.next_at.is_not(None))
    connection.execute(delete(DeliveryRow).where(*waiting))


class Notifications:
    """Methods block for a moment and are safe in any thread."""

    def __init__(self, db: Engine) -> None:
        self._db = db
        self._outbox = Outbox(db)

    def follow(self, consumer: str, *, on: bool) -> None:
        """File from now on what is for this consumer, or no more: what waits for it is then removed."""
        if on:
            self._outbox.begin(consumer)
            return
        gone = [each.value for each in Audience if _FILED_FOR.get(each, MAIL) == consumer]
        with self._db.connect() as connection:
            there = connection.execute(select(ConsumerRow.name).where(ConsumerRow.name == consumer)).first()
        if there is None:
            return
        self._outbox.dismiss(consumer)
        with writing(self._db) as connection:
            connection.execute(delete(NotificationRow).where(NotificationRow.audience.in_(gone)))

    def file_jobs(self, consumer: str) -> None:
        """File what is told of jobs that have ended or were held since the last time."""
        audience = Audience.CHANNEL if consumer == CHANNELS else Audience.PERSON
        while self._outbox.consume(consumer, lambda connection, events: _file_jobs(connection, events, audience)):
            pass

    def waiting(self, audience: Audience) -> dict[str, list[Filed]]:
        """What waits for each person or channel, the oldest first, by name."""
        query = select(NotificationRow.number, *_COLUMNS).where(NotificationRow.audience == audience.value)
        found: dict[str, list[Filed]] = {}
        with self._db.connect() as connection:
            for row in connection.execute(query.order_by(NotificationRow.number)):
                values = row._asdict()
                of_name = found.setdefault(row.name, [])
                if len(of_name) < _MOST_TOLD:
                    of_name.append(Filed(values.pop("number"), _notification(values)))
        return found

    def sweeps(self) -> set[str]:
        """The sweeps that something waiting belongs to and whose jobs have all ended."""
        waiting = select(NotificationRow.sweep).where(NotificationRow.sweep.is_not(None)).distinct()
        with self._db.connect() as connection:
            named = set(connection.scalars(waiting))
            going: set[str | None] = set()
            for some in _pieces(sorted(each for each in named if each)):
                live = select(JobRow.sweep).where(JobRow.sweep.in_(some), JobRow.state.not_in(_FINAL)).distinct()
                going |= set(connection.scalars(live))
        return {each for each in named if each and each not in going}

    def address(self, filed: Filed, names: Collection[str]) -> None:
        """Let each of these people be told what was for whoever has a role."""
        values = [
            _values(filed.notification) | {"audience": Audience.PERSON.value, "name": name} for name in sorted(names)
        ]
        with writing(self._db) as connection:
            gone = delete(NotificationRow).where(NotificationRow.number == filed.number)
            if connection.execute(gone).rowcount and values:
                connection.execute(insert(NotificationRow), values)

    def drop(self, filed: Iterable[Filed]) -> None:
        """Tell these nobody."""
        with writing(self._db) as connection:
            _remove(connection, filed)

    def file_mail(self, person: str, body: Mapping[str, Any], told: Sequence[Filed], *, now: float) -> None:
        """File one mail that tells these: it is there and they are gone, or neither."""
        self._tell(told, lambda connection: file_mail(connection, person, body, now=now))

    def file_channel(self, url: str, form: str, body: Mapping[str, Any], told: Sequence[Filed], *, now: float) -> None:
        """The same for the channel of a team."""
        event = str(body["event"])
        self._tell(told, lambda connection: file_messages(connection, [url], event, body, now=now, channel=form))

    # What people chose

    def choice(self, person: str) -> Choice:
        """What the person chose."""
        return self.choices([person]).get(person, Choice())

    def choices(self, people: Iterable[str]) -> dict[str, Choice]:
        """What each of these people chose, of those who chose anything."""
        levels: dict[str, Level] = {}
        kinds: dict[str, dict[Kind, bool]] = {}
        chosen, of_kind = NotificationLevelRow, NotificationKindRow
        with self._db.connect() as connection:
            for some in _pieces(sorted(people)):
                query = select(chosen.person, chosen.level).where(chosen.person.in_(some))
                levels |= {row.person: Level(row.level) for row in connection.execute(query)}
                query_kinds = select(of_kind.person, of_kind.kind, of_kind.told).where(of_kind.person.in_(some))
                for row in connection.execute(query_kinds):
                    kinds.setdefault(row.person, {})[Kind(row.kind)] = row.told
        return {person: Choice(levels.get(person), kinds.get(person, {})) for person in {*levels, *kinds}}

    def choose(self, person: str, choice: Choice, *, now: float) -> None:
        """Keep what the person wants to be told, in the place of what they chose before."""
        with writing(self._db) as connection:
            _forget_choice(connection, person)
            kind: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
            if choice.level is not None:
                level = {"level": choice.level.value, "changed_at": now}
                query = kind.insert(NotificationLevelRow).values(person=person, **level)
                connection.execute(query.on_conflict_do_update(index_elements=["person"], set_=level))
            for one, told in choice.kinds.items():
                query = kind.insert(NotificationKindRow).values(person=person, kind=one.value, told=told)
                connection.execute(query.on_conflict_do_update(index_elements=["person", "kind"], set_={"told": told}))

    def _tell(self, told: Sequence[Filed], file: Callable[[Connection], None]) -> None:
        with writing(self._db) as connection:
            if _remove(connection, told):
                file(connection)


def _forget_choice(connection: Connection, person: str) -> None:
    connection.execute(delete(NotificationLevelRow).where(NotificationLevelRow.person == person))
    connection.execute(delete(NotificationKindRow).where(NotificationKindRow.person == person))


def _file_jobs(connection: Connection, events: Sequence[JobEvent], audience: Audience) -> None:
    telling = {event.job_id: event for event in events if event.to_state in _TELLING}
    for some in _pieces(list(telling)):
        for job in read_jobs(connection, select(*COLUMNS).where(JobRow.id.in_(some))):
            event = telling[job.id]
            change = JobChange(
                job.id,
                job.spec.name,
                job.tenant,
                job.owner,
                event.to_state,
                event.reason or (job.reason if job.state is event.to_state else None),
                event.at,
                job.cancel_asked_by,
                job.spec.sweep,
            )
            told = of_job(change, audience)
            if told is not None:
                connection.execute(insert(NotificationRow).values(**_values(told)))


def _remove(connection: Connection, filed: Iterable[Filed]) -> int:
    """How many of these were there."""
    removed = 0
    for some in _pieces([each.number for each in filed]):
        removed += connection.execute(delete(NotificationRow).where(NotificationRow.number.in_(some))).rowcount
    return removed


def _pieces(values: Sequence[Any]) -> Iterable[list[Any]]:
    return (list(values[start : start + _AT_ONCE]) for start in range(0, len(values), _AT_ONCE))


def _values(notification: Notification) -> dict[str, Any]:
    return asdict(notification) | {"audience": notification.audience.value, "kind": notification.kind.value}


def _notification(row: Mapping[str, Any]) -> Notification:
    return Notification(**{**row, "audience": Audience(row["audience"]), "kind": Kind(row["kind"])})
