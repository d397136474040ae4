"""Jobs of which no verdict is recorded, as rules would have seen them: those from before the site had rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, RowMapping, exists, select

from ..domain.job_spec import JobSpec
from .models import JobRow
from .verdict_tables import VerdictRow

# What rules see of where a job comes from. All of it may be large: lists of packages, a diff.
_TOLD = ("git", "commit", "branch", "dirty", "labels", "data")
_COLUMNS = (
    *(JobRow.id, JobRow.tenant, JobRow.owner, JobRow.submitted_at, JobRow.schedule, JobRow.retry_of),
    *(JobRow.name, JobRow.profile, JobRow.environment, JobRow.outputs, JobRow.input_sha256, JobRow.backend),
    *(JobRow.image, JobRow.priority, JobRow.max_seconds, JobRow.max_retries, JobRow.nodes, JobRow.template),
    *(JobRow.parameters, JobRow.secrets, *(JobRow.provenance[key].as_json().label(f"told_{key}") for key in _TOLD)),
)


@dataclass(frozen=True, slots=True)
class AskedBefore:
    """A job as it was asked for; of its command nothing is read."""

    id: str
    tenant: str
    owner: str
    at: float
    schedule: str | None
    retry_of: str | None
    spec: JobSpec


def asked_before(db: Engine, since: float, *, most: int) -> Iterator[AskedBefore]:
    """The newest first, submitted after ``since``; blocks."""
    known = exists().where(VerdictRow.subject == JobRow.id)
    asked = select(*_COLUMNS).where(JobRow.submitted_at >= since, ~known)
    with db.connect() as connection:
        for row in connection.execute(asked.order_by(JobRow.submitted_at.desc()).limit(most)).mappings():
            yield AskedBefore(
                id=row["id"],
                tenant=row["tenant"],
                owner=row["owner"],
                at=row["submitted_at"],
                schedule=row["schedule"],
                retry_of=row["retry_of"],
                spec=_spec(row),
            )


def _spec(row: RowMapping) -> JobSpec:
    told = {key: _plain(row[f"told_{key}"]) for key in _TOLD}
    return JobSpec(
        name=row["name"],
        command="",
        profile=row["profile"],
        environment=row["environment"],
        outputs=None if row["outputs"] is None else tuple(row["outputs"]),
        input_sha256=row["input_sha256"],
        backend=row["backend"],
        image=row["image"],
        priority=row["priority"],
        max_seconds=row["max_seconds"],
        max_retries=row["max_retries"],
        nodes=row["nodes"],
        template=row["template"],
        parameters=row["parameters"],
        secrets=tuple(row["secrets"]),
        provenance={key: value for key, value in told.items() if value is not None},
    )


def _plain(value: Any) -> Any:
    return json.loads(value) if isinstance(value, bytes) else value
