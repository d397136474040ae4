"""What the rules said, and who overrode them. Methods block; rows are only ever added."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, RowMapping, insert, select

from ..domain.gate_views import at_time
from ..domain.gates import Override
from ..domain.verdict_json import finding_json, outcome_word, verdict_of
from ..domain.verdicts import Question, Target, Verb, Verdict
from .database import writing
from .verdict_tables import OverrideRow, VerdictRow

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A question that was asked in earnest, when, and what the rules said."""

    id: str
    at: float
    question: Question
    verdict: Verdict
    outcome: str
    number: int = 0


def new_verdict_id() -> str:
    """A fresh id."""
    return f"v{secrets.token_hex(6)}"


def verdict_row(question: Question, verdict: Verdict, at: float, verdict_id: str | None = None) -> Row:
    """The row of a verdict. Of the view everything is kept but the time, which is ``at``."""
    seen = {key: value for key, value in question.view.items() if not isinstance(value, datetime)}
    return {
        "id": verdict_id or new_verdict_id(),
        "at": at,
        "tenant": question.tenant,
        "user": question.user,
        "verb": question.verb.value,
        "target": question.target.value,
        "subject": question.subject,
        "digest": question.digest,
        "bundle": verdict.bundle,
        "outcome": outcome_word(verdict),
        "findings": json.dumps([finding_json(finding) for finding in verdict.findings]),
        "view": json.dumps(seen),
    }


class Verdicts:
    """The records in the service's database."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def add(self, row: Row) -> None:
        """Record a verdict by itself."""
        with writing(self._db) as connection:
            connection.execute(insert(VerdictRow), [dict(row)])

    def get(self, verdict_id: str) -> StoredVerdict | None:
        """The verdict of this id."""
        return self._one(select(VerdictRow.__table__).where(VerdictRow.id == verdict_id))

    def last_of(self, subject: str) -> StoredVerdict | None:
        """What was said last about a job."""
        asked = select(VerdictRow.__table__).where(VerdictRow.subject == subject)
        return self._one(asked.order_by(VerdictRow.number.desc()).limit(1))

    def newest(
        self, tenant: str, *, limit: int, user: str | None = None, before: StoredVerdict | None = None
    ) -> list[StoredVerdict]:
        """A team's, or one person's in it, the newest first; those after ``before``."""
        asked = select(VerdictRow.__table__).where(VerdictRow.tenant == tenant)
        if user is not None:
            asked = asked.where(VerdictRow.user == user)
        if before is not None:
            asked = asked.where(VerdictRow.number < before.number)
        asked = asked.order_by(VerdictRow.number.desc()).limit(limit)
        with self._db.connect() as connection:
            return [_stored(row) for row in connection.execute(asked).mappings()]

    def since(self, at: float, target: Target, *, most: int) -> Iterator[Question]:
        """The questions about a target since ``at`` and not more than ``most``, as they were asked, the newest
        first."""
        asked = select(VerdictRow.__table__).where(VerdictRow.at >= at, VerdictRow.target == target.value)
        with self._db.connect() as connection:
            rows = connection.execute(asked.order_by(VerdictRow.at.desc()).limit(most)).mappings()
            for row in rows:
                yield _question(row)

    def add_override(self, override: Override) -> None:
        """Record an override."""
        with writing(self._db) as connection:
            connection.execute(
                insert(OverrideRow), [{each.name: getattr(override, each.name) for each in fields(override)}]
            )

    def overrides(self, *, until: float = 0.0, tenant: str | None = None, most: int | None = None) -> list[Override]:
        """Those that count after ``until``, of a team or of all, the newest first."""
        asked = select(OverrideRow.__table__).where(OverrideRow.until > until)
        if tenant is not None:
            asked = asked.where(OverrideRow.tenant == tenant)
        asked = asked.order_by(OverrideRow.made_at.desc(), OverrideRow.id.desc()).limit(most)
        with self._db.connect() as connection:
            return [Override(**row) for row in connection.execute(asked).mappings()]

    def _one(self, asked: Any) -> StoredVerdict | None:
        with self._db.connect() as connection:
            row = connection.execute(asked).mappings().first()
        return None if row is None else _stored(row)


def _stored(row: RowMapping) -> StoredVerdict:
    findings: Sequence[Mapping[str, Any]] = json.loads(row["findings"])
    verdict = verdict_of(row["bundle"], findings)
    return StoredVerdict(row["id"], row["at"], _question(row), verdict, row["outcome"], row["number"])


def _question(row: RowMapping) -> Question:
    return Question(
        verb=Verb(row["verb"]),
        target=Target(row["target"]),
        tenant=row["tenant"],
        user=row["user"],
        subject=row["subject"],
        digest=row["digest"],
        view=at_time(json.loads(row["view"]), row["at"]),
    )
