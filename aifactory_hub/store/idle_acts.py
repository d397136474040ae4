"""Steps that were taken with idle servers: added, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, RowMapping, insert, select

from ..domain.idle_ladder import Act, IdleAct
from ..domain.notifications import Notification
from .database import writing
from .deliveries import file_messages
from .idle_tables import IdleActRow
from .notifications import file_notification

_ACTS = IdleActRow.__table__
# Rows that one question names pods of: databases take no more values at once.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ServerAct:
    """A step with whose server it was taken."""

    act: IdleAct
    pod: str
    tenant: str
    user: str
    server: str
    profile: str
    evidence: tuple[str, ...] = ()
    note: str = ""
    by: str = ""


class IdleActs:
    """Methods block for a moment and are safe in any thread."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def add(
        self,
        acts: Sequence[ServerAct],
        urls: Sequence[str] = (),
        untold: Sequence[ServerAct] = (),
        notifications: Sequence[Notification] = (),
    ) -> None:
        """Write the steps in one transaction, with a message about each of ``acts`` to each of ``urls``, and what
        owners are told."""
        rows = [_values(each) for each in (*acts, *untold)]
        with writing(self._db) as connection:
            if rows:
                connection.execute(insert(IdleActRow), rows)
            for each in acts:
                file_messages(connection, urls, f"server.{each.act.act.value}", message(each), now=each.act.at)
            for notification in notifications:
                file_notification(connection, notification)

    def of_pods(self, pods: Sequence[str]) -> dict[str, list[ServerAct]]:
        """The steps of each pod, in their order."""
        found: dict[str, list[ServerAct]] = {}
        with self._db.connect() as connection:
            for start in range(0, len(pods), _AT_ONCE):
                some = list(pods[start : start + _AT_ONCE])
                query = select(_ACTS).where(IdleActRow.pod.in_(some)).order_by(IdleActRow.seq)
                for row in connection.execute(query):
                    found.setdefault(row.pod, []).append(_act_of(row._mapping))
        return found

    def between(self, start: float, end: float, *, tenant: str | None = None, limit: int = 500) -> list[ServerAct]:
        """The steps within ``[start, end)``, the latest first."""
        query = select(_ACTS).where(IdleActRow.at >= start, IdleActRow.at < end)
        if tenant is not None:
            query = query.where(IdleActRow.tenant == tenant)
        with self._db.connect() as connection:
            rows = connection.execute(query.order_by(IdleActRow.seq.desc()).limit(limit))
            return [_act_of(row._mapping) for row in rows]


def message(each: ServerAct) -> dict[str, Any]:
    """What is told of a step."""
    return {
        "event": f"server.{each.act.act.value}",
        "at": each.act.at,
        "server": {
            "tenant": each.tenant,
            "owner": each.user,
            "name": each.server,
            "profile": each.profile,
            "until": each.act.until,
            "idle_since": each.act.since,
            "evidence": list(each.evidence),
        },
    }


def _values(each: ServerAct) -> dict[str, Any]:
    return {
        "act": each.act.act.value,
        "at": each.act.at,
        "until": each.act.until,
        "since": each.act.since,
        "pod": each.pod,
        "tenant": each.tenant,
        "user": each.user,
        "server": each.server,
        "profile": each.profile,
        "evidence": list(each.evidence),
        "note": each.note,
        "by": each.by,
    }


def _act_of(row: RowMapping) -> ServerAct:
    act = IdleAct(Act(row["act"]), row["at"], row["until"], row["since"])
    return ServerAct(
        act,
        row["pod"],
        row["tenant"],
        row["user"],
        row["server"],
        row["profile"],
        tuple(row["evidence"]),
        row["note"],
        row["by"],
    )
