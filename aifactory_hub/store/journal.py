"""A second memory of jobs, in the file store: what the database knew, in the order in which it came to know it.

The database may be restored from a backup. Jobs that were taken in since, and how others ended since, are then read
back from here, so that what was acknowledged is not lost and what has run does not run again. Each batch is a file;
the database remembers the number of the last batch, so a file with a higher number says that it was restored.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, delete, insert, literal_column, select, update

from .attempts import attempt_values
from .changes import tell_of_restored
from .database import writing
from .files import FileStore
from .flat_jobs import attempts_of_flat
from .jobs import COLUMNS, read_jobs, row_values
from .models import ArtifactRow, AttemptRow, JobRow, MarkRow
from .records import Artifact

log = logging.getLogger(__name__)

_MARK = "journal"
_BATCH = 500
_ATTEMPT = tuple(column.name for column in AttemptRow.__table__.c if column.name != "job_id")
_ARTIFACT = tuple(f.name for f in fields(Artifact))
# As the partial index has it.
_NEWS: ColumnElement[bool] = literal_column("revision > journaled")


class DatabaseReplaced(Exception):
    """The database is not the one that this process wrote its last batch into: start again, to read it anew."""


class Journal:
    """Writes batches and reads them back. Methods block; one process at a time (see lease)."""

    def __init__(self, db: Engine, files: FileStore) -> None:
        self._db = db
        self._files = files
        self._last: int | None = None

    def recover(self) -> int:
        """Bring the database up to what the journal knows; how many jobs that changed. To be called at the start."""
        with writing(self._db) as connection:
            mark, changed = _mark(connection), set()
            for number in self._files.journal_numbers():
                if number <= mark:
                    continue
                for line in self._files.journal_read(number).splitlines():
                    changed |= _take(connection, json.loads(line))
                mark = number
            _set_mark(connection, mark)
        self._last = mark
        if changed:
            log.warning("the database was behind its journal: %d jobs were read back", len(changed))
        return len(changed)

    def flush(self) -> int:
        """Write what changed since the last time; how many jobs that were. Raises DatabaseReplaced.

        The file first, then the note of it: a kill between the two means that the same batch is read back, which
        changes nothing.
        """
        written = 0
        while news := self._news():
            assert self._last is not None  # _news looked
            lines = "".join(f"{json.dumps(snapshot)}\n" for snapshot in news)
            self._files.journal_write(self._last + 1, lines.encode())
            with writing(self._db) as connection:
                _note(connection, news)
                _set_mark(connection, self._last + 1)
            self._last += 1
            written += len(news)
        return written

    def _news(self) -> list[dict[str, Any]]:
        with self._db.connect() as connection:
            mark = _mark(connection)
            if self._last is None:
                self._last = mark
            if mark != self._last:
                raise DatabaseReplaced(f"its journal stands at {mark}, this process wrote up to {self._last}")
            jobs = read_jobs(connection, select(*COLUMNS).where(_NEWS).limit(_BATCH))
            artifacts = _artifacts(connection, [job.id for job in jobs])
        return [
            {
                "job": row_values(job),
                "attempts": [attempt_values(attempt) for attempt in job.attempts],
                "artifacts": artifacts.get(job.id, []),
            }
            for job in jobs
        ]


def _artifacts(connection: Connection, job_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    columns = [ArtifactRow.job_id, *(ArtifactRow.__table__.c[name] for name in _ARTIFACT)]
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(select(*columns).where(ArtifactRow.job_id.in_(job_ids))):
        values = dict(row._mapping)
        found.setdefault(values.pop("job_id"), []).append(values)
    return found


def _take(connection: Connection, snapshot: Mapping[str, Any]) -> set[str]:
    """Store a snapshot unless the database knows as much or more; the job's id if it was stored."""
    job = snapshot["job"]
    query = select(JobRow.revision, JobRow.state, JobRow.attempt).where(JobRow.id == job["id"])
    known = connection.execute(query).one_or_none()
    if known is not None and known.revision >= job["revision"]:
        return set()
    # A journal of an earlier version lacks columns, one of a later version has more than this one knows.
    values = {column.name: job[column.name] for column in COLUMNS if column.name in job}
    values["journaled"] = job["revision"]
    if known is None:
        connection.execute(insert(JobRow).values(**values))
    else:
        connection.execute(update(JobRow).where(JobRow.id == job["id"]).values(**values))
    attempts = snapshot["attempts"] if "attempts" in snapshot else attempts_of_flat(job)
    _take_attempts(connection, job["id"], attempts)
    if known is None or (known.state, known.attempt) != (job["state"], job["attempt"]):
        tell_of_restored(connection, job, attempts, before=None if known is None else known.state)
    connection.execute(delete(ArtifactRow).where(ArtifactRow.job_id == job["id"]))
    for artifact in snapshot["artifacts"]:
        connection.execute(insert(ArtifactRow).values(job_id=job["id"], **artifact))
    return {job["id"]}


def _take_attempts(connection: Connection, job_id: str, attempts: Sequence[Mapping[str, Any]]) -> None:
    connection.execute(delete(AttemptRow).where(AttemptRow.job_id == job_id))
    for attempt in attempts:
        values = {name: attempt[name] for name in _ATTEMPT if name in attempt}
        connection.execute(insert(AttemptRow).values(job_id=job_id, **values))


def _note(connection: Connection, news: list[dict[str, Any]]) -> None:
    """What was written, at the revision that was written: a job that changed meanwhile is news again."""
    table = JobRow.__table__
    query = update(table).where(table.c.id == bindparam("job_id")).values(journaled=bindparam("revision_written"))  # type: ignore[arg-type]
    connection.execute(query, [{"job_id": n["job"]["id"], "revision_written": n["job"]["revision"]} for n in news])


def _mark(connection: Connection) -> int:
    return int(connection.scalar(select(MarkRow.value).where(MarkRow.name == _MARK)) or 0)


def _set_mark(connection: Connection, number: int) -> None:
    changed = connection.execute(update(MarkRow).where(MarkRow.name == _MARK).values(value=str(number))).rowcount
    if not changed:
        connection.execute(insert(MarkRow).values(name=_MARK, value=str(number)))
