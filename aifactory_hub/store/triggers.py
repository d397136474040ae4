"""The repository of triggers: what they watch, what they saw, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from ..domain.git_hooks import Delivery, Provider
from ..domain.git_refs import BRANCHES, Head, RefChange, SeenRef, changes
from ..domain.triggers import EventState, RefEvent, TriggerRules, rules_json, rules_of
from .commit_statuses import open_status
from .database import writing
from .trigger_tables import DeliveryRow, HeadRow, TriggerEventRow, TriggerRow

# Of each trigger's deliveries.
_KEPT = 50
_MOST_EVENTS = 500


@dataclass(frozen=True, slots=True)
class Trigger:
    """Starts the pipeline of a repository's file ``pipeline`` for its owner.

    ``hook`` is the end of the address that the Git host calls. ``username`` and a token, which is not in the database,
    sign in at the host. ``generation`` counts how often the secret was changed, last at ``rotated_at``. ``watched_at``
    is when the repository was seen last, ``next_look`` when it is due. ``problem`` says why it starts nothing, and
    ``refused`` counts calls whose signature was wrong. ``tells``: its host
    is told how commits stand, with a token of its own. ``next_time``: when
    its branches are run as they are, None for never.
    """

    id: str
    hook: str
    tenant: str
    owner: str
    key: str
    request_digest: str
    name: str
    provider: Provider
    url: str
    pipeline: str
    rules: TriggerRules
    created_at: float
    username: str = ""
    has_token: bool = False
    paused: bool = False
    problem: str | None = None
    generation: int = 1
    rotated_at: float | None = None
    watched_at: float | None = None
    next_look: float = 0.0
    unreachable_since: float | None = None
    refused: int = 0
    refused_at: float | None = None
    tells: bool = False
    next_time: float | None = None


@dataclass(frozen=True, slots=True)
class KeptDelivery:
    """A delivery, and when it came."""

    trigger: str
    at: float
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Calls:
    """What came in at the hooks since it was stored last: ``deliveries``, and how many calls of each trigger were
    refused."""

    deliveries: Sequence[KeptDelivery] = ()
    refused: Mapping[str, int] = field(default_factory=dict)


_TRIGGER = tuple(TriggerRow.__table__.c[f.name] for f in fields(Trigger))
_EVENT = tuple(TriggerEventRow.__table__.c[f.name] for f in fields(RefEvent))


class Triggers:
    """Triggers in the database. Methods block for a moment and are safe in any thread. Times are arguments."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def add(self, trigger: Trigger) -> Trigger:
        """Store a new one. If its owner has used its key in its tenant before, the earlier one is returned."""
        values = {f.name: getattr(trigger, f.name) for f in fields(Trigger)}
        values |= {"provider": trigger.provider.value, "rules": dict(rules_json(trigger.rules))}
        try:
            with writing(self._db) as connection:
                connection.execute(insert(TriggerRow).values(**values))
        except IntegrityError:
            earlier = self.find_by_key(trigger.tenant, trigger.owner, trigger.key)
            if earlier is None:
                raise
            return earlier
        return trigger

    def find_by_key(self, tenant: str, owner: str, key: str) -> Trigger | None:
        """The trigger that this owner made with this key."""
        found = self._many(TriggerRow.tenant == tenant, TriggerRow.owner == owner, TriggerRow.key == key)
        return found[0] if found else None

    def get(self, trigger_id: str) -> Trigger | None:
        """The trigger, whoever's it is."""
        found = self._many(TriggerRow.id == trigger_id)
        return found[0] if found else None

    def all(self) -> list[Trigger]:
        """Every trigger, also those that rest."""
        return self._many()

    def of_tenant(self, tenant: str) -> list[Trigger]:
        """A tenant's, the oldest first."""
        return self._many(TriggerRow.tenant == tenant)

    def due(self, *, now: float) -> list[Trigger]:
        """Those whose repository is to be asked."""
        return self._many(TriggerRow.paused.is_(False), TriggerRow.next_look <= now)

    def timed(self, *, now: float) -> list[Trigger]:
        """Those whose time has come."""
        return self._many(TriggerRow.paused.is_(False), TriggerRow.next_time <= now)

    def with_events(self) -> list[Trigger]:
        """Those with events that wait."""
        waiting = select(TriggerEventRow.trigger).where(TriggerEventRow.state == EventState.WAITING.value)
        return self._many(TriggerRow.id.in_(waiting))

    def set_paused(
        self,
        trigger_id: str,
        paused: bool,
        *,
        problem: str | None = None,
        now: float,
        next_time: float | None = None,
    ) -> None:
        """Let it rest, or go on from what its repository is then: what was pushed meanwhile starts nothing, and its
        next time is ``next_time``."""
        values: dict[str, Any] = {"paused": paused, "problem": problem}
        if not paused:
            values |= {"watched_at": None, "next_look": now, "next_time": next_time}
        self._change(trigger_id, values)

    def rotate(self, trigger: Trigger, *, now: float) -> None:
        """Count the secret on. Only once: who did it first stands."""
        values = {"generation": trigger.generation + 1, "rotated_at": now}
        self._change(trigger.id, values, TriggerRow.generation == trigger.generation)

    def ring(self, trigger_ids: Collection[str], *, now: float) -> None:
        """Have their repositories asked at once."""
        with writing(self._db) as connection:
            _ring(connection, trigger_ids, now)

    def unreachable(self, trigger_ids: Collection[str], problem: str, *, now: float, next_look: float) -> None:
        """Record that the repository could not be asked, and since when."""
        with writing(self._db) as connection:
            these = TriggerRow.id.in_(trigger_ids)
            connection.execute(update(TriggerRow).where(these).values(problem=problem, next_look=next_look))
            since = update(TriggerRow).where(these, TriggerRow.unreachable_since.is_(None))
            connection.execute(since.values(unreachable_since=now))

    def seen(self, trigger: Trigger, refs: Mapping[str, SeenRef], *, now: float, next_look: float) -> list[RefChange]:
        """Record what the repository's refs are now: an event for each that changed, in one transaction with what it
        is. The first look makes none: it is what the trigger begins with."""
        with writing(self._db) as connection:
            heads = _heads(connection, trigger.id)
            changed = list(changes(heads, refs))
            for change in changed:
                _advance(connection, trigger.id, change, known=change.ref in heads)
            if trigger.watched_at is not None and changed and trigger.rules.pushes:
                rows = [_event_row(trigger.id, change, now) for change in changed]
                connection.execute(insert(TriggerEventRow), rows)
            # A ring since the look began stays: its push may have come too late for this answer.
            this = (TriggerRow.id == trigger.id, TriggerRow.next_look <= trigger.next_look)
            connection.execute(update(TriggerRow).where(*this).values(next_look=next_look))
            well = {"watched_at": now, "unreachable_since": None, "problem": None}
            connection.execute(update(TriggerRow).where(TriggerRow.id == trigger.id).values(**well))
        return changed if trigger.watched_at is not None else []

    def come(self, trigger: Trigger, *, now: float, next_time: float | None) -> None:
        """Its time has come: an event of each branch as it was seen last, in one transaction with its next time.

        Does nothing if somebody else has done it already.
        """
        this = (TriggerRow.id == trigger.id, TriggerRow.next_time == trigger.next_time)
        with writing(self._db) as connection:
            if not connection.execute(update(TriggerRow).where(*this).values(next_time=next_time)).rowcount:
                return
            for ref, head in _heads(connection, trigger.id).items():
                if ref.startswith(BRANCHES) and head.commit is not None:
                    again = RefChange(ref, head.number + 1, head.commit, head.commit)
                    _advance(connection, trigger.id, again, known=True)
                    row = {**_event_row(trigger.id, again, now), "scheduled": True}
                    connection.execute(insert(TriggerEventRow), [row])

    def waiting(self, trigger_id: str) -> list[RefEvent]:
        """The events that nothing was made of yet, the oldest first."""
        return self._events(trigger_id, TriggerEventRow.state == EventState.WAITING.value)

    def events(self, trigger_id: str, *, limit: int) -> list[RefEvent]:
        """The newest events first."""
        return self._events(trigger_id, newest=limit)

    def decide(self, trigger_id: str, event: RefEvent) -> None:
        """Record what became of an event. The first decision stands."""
        this = (
            TriggerEventRow.trigger == trigger_id,
            TriggerEventRow.ref == event.ref,
            TriggerEventRow.number == event.number,
            TriggerEventRow.state == EventState.WAITING.value,
        )
        values: dict[str, Any] = {"state": event.state.value, "reason": event.reason, "run": event.run}
        values |= {"by": event.by, "forced": event.forced}
        with writing(self._db) as connection:
            if connection.execute(update(TriggerEventRow).where(*this).values(**values)).rowcount:
                open_status(connection, trigger_id, event)

    def take_calls(self, calls: Calls, *, now: float) -> None:
        """Store what came in at the hooks, and ring for it."""
        with writing(self._db) as connection:
            called = {kept.trigger for kept in calls.deliveries}
            known = set(connection.scalars(select(TriggerRow.id).where(TriggerRow.id.in_(called)))) if called else set()
            rows = [_delivery_row(kept) for kept in calls.deliveries if kept.trigger in known]
            if rows:
                connection.execute(insert(DeliveryRow), rows)
                _ring(connection, known, now)
            for trigger_id, count in calls.refused.items():
                more = {"refused": TriggerRow.refused + count, "refused_at": now}
                connection.execute(update(TriggerRow).where(TriggerRow.id == trigger_id).values(**more))

    def trim(self, trigger_ids: Collection[str]) -> None:
        """Remove the oldest deliveries of these triggers, so that the newest few are kept."""
        for trigger_id in trigger_ids:
            with writing(self._db) as connection:
                _trim(connection, trigger_id)

    def deliveries(self, trigger_id: str) -> list[KeptDelivery]:
        """The newest deliveries first."""
        query = select(DeliveryRow.__table__).where(DeliveryRow.trigger == trigger_id).order_by(DeliveryRow.seq.desc())
        with self._db.connect() as connection:
            return [_delivery(row) for row in connection.execute(query.limit(_KEPT))]

    def remove(self, trigger_id: str) -> None:
        """Forget it with what it saw; runs that it started stay."""
        with writing(self._db) as connection:
            connection.execute(delete(TriggerRow).where(TriggerRow.id == trigger_id))

    def _change(self, trigger_id: str, values: Mapping[str, Any], *where: Any) -> None:
        with writing(self._db) as connection:
            connection.execute(update(TriggerRow).where(TriggerRow.id == trigger_id, *where).values(**values))

    def _events(self, trigger_id: str, *where: Any, newest: int | None = None) -> list[RefEvent]:
        query = select(*_EVENT).where(TriggerEventRow.trigger == trigger_id, *where)
        order = (TriggerEventRow.seen_at, TriggerEventRow.ref, TriggerEventRow.number)
        if newest is None:
            query = query.order_by(*order).limit(_MOST_EVENTS)
        else:
            query = query.order_by(*(column.desc() for column in order)).limit(newest)
        with self._db.connect() as connection:
            rows = connection.execute(query).all()
        return [RefEvent(**{**row._mapping, "state": EventState(row.state)}) for row in rows]

    def _many(self, *where: Any) -> list[Trigger]:
        query = select(*_TRIGGER).where(*where).order_by(TriggerRow.created_at, TriggerRow.id)
        with self._db.connect() as connection:
            return [_trigger(row) for row in connection.execute(query)]


def _trigger(row: Any) -> Trigger:
    return Trigger(**{**row._mapping, "provider": Provider(row.provider), "rules": rules_of(row.rules)})


def _heads(connection: Connection, trigger_id: str) -> dict[str, Head]:
    columns = (HeadRow.ref, HeadRow.number, HeadRow.commit_id)
    rows = connection.execute(select(*columns).where(HeadRow.trigger == trigger_id))
    return {ref: Head(ref, number, commit) for ref, number, commit in rows}


def _advance(connection: Connection, trigger_id: str, change: RefChange, *, known: bool) -> None:
    values = {"number": change.number, "commit_id": change.new}
    if known:
        this = tuple_(HeadRow.trigger, HeadRow.ref) == (trigger_id, change.ref)
        connection.execute(update(HeadRow).where(this).values(**values))
    else:
        connection.execute(insert(HeadRow).values(trigger=trigger_id, ref=change.ref, **values))


def _event_row(trigger_id: str, change: RefChange, now: float) -> dict[str, Any]:
    event = RefEvent(change.ref, change.number, change.old, change.new, now)
    values = {f.name: getattr(event, f.name) for f in fields(RefEvent)}
    return {**values, "trigger": trigger_id, "state": event.state.value}


def _ring(connection: Connection, trigger_ids: Collection[str], now: float) -> None:
    # Also of those that are due: a look that has begun may have come too early, and leaves this time as it is.
    connection.execute(update(TriggerRow).where(TriggerRow.id.in_(trigger_ids)).values(next_look=now))


def _trim(connection: Connection, trigger_id: str) -> None:
    kept = select(DeliveryRow.seq).where(DeliveryRow.trigger == trigger_id).order_by(DeliveryRow.seq.desc())
    oldest = connection.scalar(kept.offset(_KEPT - 1).limit(1))
    if oldest is not None:
        old = (DeliveryRow.trigger == trigger_id, DeliveryRow.seq < oldest)
        connection.execute(delete(DeliveryRow).where(*old))


def _delivery_row(kept: KeptDelivery) -> dict[str, Any]:
    said = kept.delivery
    return {
        "trigger": kept.trigger,
        "at": kept.at,
        "delivery": said.id,
        "event": said.event,
        "ref": said.ref,
        "by": said.by,
        "pushed": list(said.pushed),
        "forced": said.forced,
    }


def _delivery(row: Any) -> KeptDelivery:
    said = Delivery(row.delivery, row.event, row.ref, row.by, tuple(row.pushed), row.forced)
    return KeptDelivery(row.trigger, row.at, said)
