"""Approvals in the database: opened, voted on, and ended once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ..domain.approvals import Approval, ApprovalState, Reason, Vote
from ..domain.formatting import iso_millis
from ..domain.jobs import JobState
from ..domain.notifications import about_approval, about_emergency
from ..domain.verdicts import Need, Target
from .approval_tables import ApprovalRow, VoteRow
from .changes import move_job
from .database import writing
from .deliveries import file_messages
from .notifications import file_notification, nobody_need_vote

_COLUMNS = tuple(ApprovalRow.__table__.c[f.name] for f in fields(Approval))
_VOTE = tuple(VoteRow.__table__.c[f.name] for f in fields(Vote))
_OPEN = ApprovalState.OPEN.value
_EVENTS = {
    ApprovalState.OPEN: "approval.requested",
    ApprovalState.USED: "approval.granted",
    ApprovalState.REFUSED: "approval.refused",
    ApprovalState.EXPIRED: "approval.expired",
    ApprovalState.WITHDRAWN: "approval.withdrawn",
    ApprovalState.STALE: "approval.stale",
}


class Approvals:
    """One method a question or change, each its own transaction. Methods block and are safe in any thread.

    ``notify`` are the addresses that are told: the message goes into the transaction of what it tells.
    """

    def __init__(self, db: Engine) -> None:
        self._db = db

    def open(self, approval: Approval, *, notify: Sequence[str] = ()) -> Approval:
        """Store a new approval. Where one of the same thing is open already, that one is returned instead."""
        values = _row(approval)
        kind: Any = sqlite if self._db.dialect.name == "sqlite" else postgresql
        query = kind.insert(ApprovalRow).values(**values).on_conflict_do_nothing()
        with writing(self._db) as connection:
            if connection.execute(query).rowcount:
                _tell(connection, approval, notify, approval.asked_at)
                return approval
        found = self.open_of(approval.kind, approval.subject, approval.verb)
        if found is None:
            raise RuntimeError(f"there is another approval {approval.id} already")
        return found

    def get(self, approval_id: str) -> Approval | None:
        """The approval, whosever team it is of."""
        return next(iter(self._read(ApprovalRow.id == approval_id)), None)

    def open_of(self, kind: str, subject: str, verb: str) -> Approval | None:
        """The one of this thing that waits for votes."""
        this = (ApprovalRow.kind == kind, ApprovalRow.subject == subject, ApprovalRow.verb == verb)
        return next(iter(self._read(*this, ApprovalRow.state == _OPEN)), None)

    def waiting(self, *, without: str) -> list[Approval]:
        """All that wait for votes, but for those of this kind."""
        return self._read(ApprovalRow.state == _OPEN, ApprovalRow.kind != without)

    def of_subject(self, kind: str, subject: str) -> list[Approval]:
        """All of this thing, the newest first."""
        return self._read(ApprovalRow.kind == kind, ApprovalRow.subject == subject)

    def about(self, subject: str) -> list[Approval]:
        """All of this id, whatever kind of thing it is, the newest first."""
        return self._read(ApprovalRow.subject == subject)

    def newest(
        self,
        tenants: Collection[str],
        *,
        groups: Collection[str] = (),
        asker: str | None = None,
        states: Collection[ApprovalState] = (),
        limit: int,
    ) -> list[Approval]:
        """The newest of these teams, those of any team that need somebody of these ``groups`` of approvers, and those
        of teams that the ``asker`` asked for, which may not be there yet."""
        chosen = [state.value for state in states] or [state.value for state in ApprovalState]
        where = ApprovalRow.state.in_(chosen)
        of_teams = ApprovalRow.kind == Target.TENANT.value
        mine = or_(ApprovalRow.tenant.in_(tenants), and_(of_teams, ApprovalRow.asked_by == asker))
        if not groups:
            return self._read(where, mine, limit=limit)
        # Groups are in a list in JSON. Few approvals are open at once, so they are picked here.
        looked_at = max(limit, _MOST_LOOKED_AT)
        needed = [one for one in self._read(where, limit=looked_at) if set(one.groups) & set(groups)]
        both = {one.id: one for one in (*self._read(where, mine, limit=limit), *needed)}
        return sorted(both.values(), key=lambda one: (one.asked_at, one.id), reverse=True)[:limit]

    def votes(self, approval_ids: Collection[str]) -> dict[str, list[Vote]]:
        """The votes on each of these, in their order."""
        query = select(VoteRow.approval, *_VOTE).where(VoteRow.approval.in_(approval_ids))
        found: dict[str, list[Vote]] = {approval_id: [] for approval_id in approval_ids}
        with self._db.connect() as connection:
            for row in connection.execute(query.order_by(VoteRow.approval, VoteRow.number)):
                values = row._asdict()
                found[values.pop("approval")].append(Vote(**values))
        return found

    def vote(
        self, approval: Approval, voter: str, *, yes: bool, comment: str, emergency: bool, now: float,
        notify: Sequence[str] = (),
    ) -> Vote | None:  # fmt: skip
        """Add a vote, unless it says what the person's last one says. None: the approval is not open any more."""
        with writing(self._db) as connection:
            state = select(ApprovalRow.state).where(ApprovalRow.id == approval.id).with_for_update()
            if connection.scalar(state) != _OPEN:
                return None
            rows = connection.execute(select(*_VOTE).where(VoteRow.approval == approval.id).order_by(VoteRow.number))
            votes = [Vote(**row._mapping) for row in rows]
            last = next((vote for vote in reversed(votes) if vote.voter == voter), None)
            if last is not None and (last.yes, last.comment, last.emergency) == (yes, comment, emergency):
                return last
            vote = Vote(len(votes) + 1, voter, yes, comment, now, emergency)
            connection.execute(insert(VoteRow).values(approval=approval.id, **asdict(vote)))
            if emergency:
                body = _body(approval, "approval.emergency", now) | {"voter": voter, "comment": comment}
                file_messages(connection, notify, "approval.emergency", body, now=now)
                for each in about_emergency(approval, voter, comment, now):
                    file_notification(connection, each)
        return vote

    def end(
        self, approval: Approval, state: ApprovalState, why: str, *, now: float, notify: Sequence[str] = ()
    ) -> bool:
        """End an open approval; whether this call did. The first end stands."""
        with writing(self._db) as connection:
            return _end(connection, approval, state, why, now, notify)

    def let_go(self, approval: Approval, why: str, *, now: float, notify: Sequence[str] = ()) -> bool:
        """Use an approval of a job: it and the job, which is held no longer, change together or not at all."""
        with writing(self._db) as connection:
            if not _end(connection, approval, ApprovalState.USED, why, now, notify):
                return False
            held = {"reason": why}
            if move_job(connection, approval.subject, JobState.PENDING, held, now=now) is None:
                connection.rollback()
                return False
            return True

    def remind(self, approval: Approval, *, now: float, notify: Sequence[str] = ()) -> None:
        """Tell of an open approval again, once."""
        this = (ApprovalRow.id == approval.id, ApprovalRow.state == _OPEN, ApprovalRow.reminded.is_(False))
        with writing(self._db) as connection:
            if connection.execute(update(ApprovalRow).where(*this).values(reminded=True)).rowcount:
                event = "approval.reminder"
                file_messages(connection, notify, event, _body(approval, event, now), now=now)
                _notify(connection, approval, now)

    def _read(self, *where: ColumnElement[bool], limit: int | None = None) -> list[Approval]:
        query = select(*_COLUMNS).where(*where).order_by(ApprovalRow.asked_at.desc(), ApprovalRow.id.desc())
        with self._db.connect() as connection:
            return [_approval(row._asdict()) for row in connection.execute(query.limit(limit))]


# The newest so many approvals are looked at for somebody who approves for all teams.
_MOST_LOOKED_AT = 2000


def hand_over_approvals(connection: Connection, name: str, former: str) -> None:
    """What the name asked for and how it voted was the former owner's of the account."""
    connection.execute(update(ApprovalRow).where(ApprovalRow.asked_by == name).values(asked_by=former))
    connection.execute(update(VoteRow).where(VoteRow.voter == name).values(voter=former))


def _end(
    connection: Connection, approval: Approval, state: ApprovalState, why: str, now: float, notify: Sequence[str]
) -> bool:
    this = update(ApprovalRow).where(ApprovalRow.id == approval.id, ApprovalRow.state == _OPEN)
    if not connection.execute(this.values(state=state.value, why=why, ended_at=now)).rowcount:
        return False
    file_messages(connection, notify, _EVENTS[state], _body(approval, _EVENTS[state], now, why), now=now)
    nobody_need_vote(connection, approval.id)
    _notify(connection, replace(approval, state=state, why=why), now)
    return True


def _tell(connection: Connection, approval: Approval, notify: Sequence[str], now: float) -> None:
    event = _EVENTS[approval.state]
    file_messages(connection, notify, event, _body(approval, event, now), now=now)
    _notify(connection, approval, now)


def _notify(connection: Connection, approval: Approval, now: float) -> None:
    for each in about_approval(approval, now):
        file_notification(connection, each)


def _body(approval: Approval, event: str, now: float, why: str | None = None) -> dict[str, Any]:
    """What is told of an approval: no command and no environment, which may hold secrets."""
    told = ("id", "tenant", "kind", "subject", "verb", "title", "digest", "asked_by")
    said = {name: getattr(approval, name) for name in told}
    needs = [asdict(need) for need in approval.needs]
    times = {"asked_at": iso_millis(approval.asked_at), "expires_at": iso_millis(approval.expires_at)}
    rules = [asdict(reason) for reason in approval.reasons]
    return {
        "event": event,
        "at": iso_millis(now),
        "approval": {**said, **times, "needs": needs, "rules": rules, "why": why},
    }


def _row(approval: Approval) -> dict[str, Any]:
    values = {f.name: getattr(approval, f.name) for f in fields(Approval)}
    return {
        **values,
        "parts": dict(approval.parts),
        "needs": [asdict(need) for need in approval.needs],
        "reasons": [asdict(reason) for reason in approval.reasons],
        "excluded": list(approval.excluded),
        "state": approval.state.value,
    }


def _approval(row: Mapping[str, Any]) -> Approval:
    return Approval(
        **{
            **row,
            "needs": tuple(Need(**need) for need in row["needs"]),
            "reasons": tuple(Reason(**reason) for reason in row["reasons"]),
            "excluded": tuple(row["excluded"]),
            "state": ApprovalState(row["state"]),
        }
    )
