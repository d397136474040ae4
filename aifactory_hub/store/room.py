"""How many bytes of the file store each person of each team holds, as the database has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, Select, func, select

from .model_tables import ModelVersionRow
from .models import ArtifactRow, AttemptRow, JobRow, PackRow, SnapshotRow

_AT_ONCE = 500

# Tenant and owner.
Who = tuple[str, str]


def held_bytes(db: Engine) -> dict[Who, dict[str, int]]:
    """Bytes by person and kind: packs, manifests, artifacts, models, logs. Blocks; its time grows with what is kept."""
    held: dict[Who, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    with db.connect() as connection:
        for kind, query in _QUERIES.items():
            for tenant, owner, size in connection.execute(query):
                held[tenant, owner][kind] += int(size or 0)
    return {who: dict(kinds) for who, kinds in held.items()}


def owners_of(db: Engine, job_ids: list[str]) -> dict[str, Who]:
    """Whose these jobs are."""
    found: dict[str, Who] = {}
    with db.connect() as connection:
        for begin in range(0, len(job_ids), _AT_ONCE):
            some = JobRow.id.in_(job_ids[begin : begin + _AT_ONCE])
            rows = connection.execute(select(JobRow.id, JobRow.tenant, JobRow.owner).where(some))
            found |= {row.id: (row.tenant, row.owner) for row in rows}
    return found


def largest_jobs(db: Engine, tenant: str, owner: str, *, limit: int) -> list[tuple[str, int]]:
    """The person's jobs with most bytes of result files, and how many; the largest first."""
    size = func.sum(ArtifactRow.size)
    query = select(JobRow.id, size).join(ArtifactRow, ArtifactRow.job_id == JobRow.id)
    query = query.where(JobRow.tenant == tenant, JobRow.owner == owner, JobRow.artifacts_dropped_at.is_(None))
    with db.connect() as connection:
        rows = connection.execute(query.group_by(JobRow.id).order_by(size.desc()).limit(limit))
        return [(job_id, int(total)) for job_id, total in rows]


def _by_owner(row: Any, size: Any) -> Select[Any]:
    return select(row.tenant, row.owner, func.sum(size)).group_by(row.tenant, row.owner)


_QUERIES: Mapping[str, Select[Any]] = {
    "packs": _by_owner(PackRow, PackRow.size),
    "manifests": _by_owner(SnapshotRow, SnapshotRow.stored),
    "artifacts": _by_owner(JobRow, ArtifactRow.size)
    .join(ArtifactRow, ArtifactRow.job_id == JobRow.id)
    .where(JobRow.artifacts_dropped_at.is_(None)),
    # Files that versions refer to stay when the job's others go. Two versions with one file count it twice.
    "models": _by_owner(JobRow, ModelVersionRow.size)
    .join(ModelVersionRow, ModelVersionRow.job == JobRow.id)
    .where(JobRow.artifacts_dropped_at.is_not(None)),
    "logs": _by_owner(JobRow, AttemptRow.log_size)
    .join(AttemptRow, AttemptRow.job_id == JobRow.id)
    .where(AttemptRow.log_size.is_not(None), JobRow.log_dropped_at.is_(None)),
}
