"""Requests for teams in the database: asked, decided once, each change with its entry in the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ..domain.notifications import about_team_request
from ..domain.team_wishes import RequestEntry, RequestState, TeamRequest, TeamWish, WishKind
from .database import writing
from .notifications import file_notification
from .team_request_tables import TeamRequestEntryRow, TeamRequestRow

_COLUMNS = tuple(TeamRequestRow.__table__.c)


class TeamRequests:
    """One method a question or change, each its own transaction. Methods block and are safe in any thread."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def add(self, request: TeamRequest, said: str) -> bool:
        """Store a new request; False where one of the same team waits already, or has made it."""
        try:
            with writing(self._db) as connection:
                connection.execute(insert(TeamRequestRow).values(**_row(request)))
                _note(connection, request.id, request.asked_at, request.asked_by, said)
        except IntegrityError:
            return False
        return True

    def get(self, request_id: str) -> TeamRequest | None:
        """The request, whoever asked."""
        return next(iter(self._read(TeamRequestRow.id == request_id)), None)

    def waiting(self) -> list[TeamRequest]:
        """All that wait for votes."""
        return self._read(TeamRequestRow.state == RequestState.WAITING.value)

    def granted(self) -> list[TeamRequest]:
        """All that were granted and not removed since, the oldest first."""
        return self._read(TeamRequestRow.state == RequestState.GRANTED.value)[::-1]

    def removed(self) -> list[TeamRequest]:
        """Teams that an administrator removed from those that were asked for."""
        return self._read(TeamRequestRow.state == RequestState.REMOVED.value)

    def newest(self, *, asked_by: str | None = None, limit: int) -> list[TeamRequest]:
        """The newest, of one person or of all."""
        where = [] if asked_by is None else [TeamRequestRow.asked_by == asked_by]
        return self._read(*where, limit=limit)

    def teams_of(self, person: str) -> int:
        """How many teams the person asked for that wait or are there."""
        counted = (RequestState.WAITING.value, RequestState.GRANTED.value)
        query = select(func.count()).where(
            TeamRequestRow.asked_by == person,
            TeamRequestRow.kind == WishKind.NEW.value,
            TeamRequestRow.state.in_(counted),
        )
        with self._db.connect() as connection:
            return int(connection.scalar(query) or 0)

    def change(
        self, request: TeamRequest, state: RequestState, why: str, *, who: str, now: float
    ) -> TeamRequest | None:
        """Bring the request into another state; None where it is not in the state that it was read in any more."""
        this = (TeamRequestRow.id == request.id, TeamRequestRow.state == request.state.value)
        values = {"state": state.value, "why": why, "changed_at": now}
        try:
            with writing(self._db) as connection:
                if not connection.execute(update(TeamRequestRow).where(*this).values(**values)).rowcount:
                    return None
                _note(connection, request.id, now, who, f"{state.value.lower()}: {why}")
                if state in (RequestState.GRANTED, RequestState.REFUSED):
                    granted = state is RequestState.GRANTED
                    told = about_team_request(request.asked_by, request.wish.name, why, now, granted=granted)
                    file_notification(connection, told)
        except IntegrityError:
            return None
        return self.get(request.id)

    def entries(self, request_id: str) -> list[RequestEntry]:
        """The journal of a request, in order."""
        query = select(TeamRequestEntryRow.at, TeamRequestEntryRow.who, TeamRequestEntryRow.text)
        query = query.where(TeamRequestEntryRow.request == request_id).order_by(TeamRequestEntryRow.number)
        with self._db.connect() as connection:
            return [RequestEntry(*row) for row in connection.execute(query)]

    def _read(self, *where: ColumnElement[bool], limit: int | None = None) -> list[TeamRequest]:
        query = select(*_COLUMNS).where(*where)
        query = query.order_by(TeamRequestRow.asked_at.desc(), TeamRequestRow.id.desc()).limit(limit)
        with self._db.connect() as connection:
            return [_request(row._asdict()) for row in connection.execute(query)]


def hand_over_team_requests(connection: Connection, name: str, former: str) -> None:
    """What the name asked for was the former owner's of the account. What waits ends with it."""
    mine = TeamRequestRow.asked_by == name
    waiting = (mine, TeamRequestRow.state == RequestState.WAITING.value)
    ended = {"state": RequestState.WITHDRAWN.value, "why": "the account was handed over"}
    connection.execute(update(TeamRequestRow).where(*waiting).values(**ended))
    connection.execute(update(TeamRequestRow).where(mine).values(asked_by=former))
    entries = update(TeamRequestEntryRow).where(TeamRequestEntryRow.who == name)
    connection.execute(entries.values(who=former))


def _note(connection: Connection, request_id: str, at: float, who: str, text: str) -> None:
    count = select(func.count()).where(TeamRequestEntryRow.request == request_id)
    number = int(connection.scalar(count) or 0) + 1
    values = {"request": request_id, "number": number, "at": at, "who": who, "text": text}
    connection.execute(insert(TeamRequestEntryRow).values(**values))


def _row(request: TeamRequest) -> dict[str, Any]:
    wish = {key: value for key, value in asdict(request.wish).items() if key not in ("name", "kind")}
    return {
        "id": request.id,
        "name": request.wish.name,
        "kind": request.wish.kind.value,
        "wish": wish,
        "digest": request.digest,
        "asked_by": request.asked_by,
        "asked_at": request.asked_at,
        "state": request.state.value,
        "why": request.why,
        "changed_at": request.changed_at,
    }


def _request(row: Mapping[str, Any]) -> TeamRequest:
    known = {field.name for field in fields(TeamWish)}
    said = {key: _frozen(value) for key, value in row["wish"].items() if key in known}
    wish = TeamWish(**{**said, "name": row["name"], "kind": WishKind(row["kind"])})
    told = ("id", "digest", "asked_by", "asked_at", "why", "changed_at")
    return TeamRequest(wish=wish, state=RequestState(row["state"]), **{name: row[name] for name in told})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
