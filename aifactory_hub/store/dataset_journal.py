"""A second memory of datasets, in the file store: a database that is restored takes from here what it lacks.

What is added of datasets, of their versions, and of jobs that are given some, is an entry of its own in the same
transaction. Entries are numbered, so their numbers say what is missing.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, insert, select

from .database import writing
from .files import DATASETS_JOURNAL, FileStore
from .model_tables import DatasetEntryRow, DatasetRow, DatasetVersionRow, JobDataRow

log = logging.getLogger(__name__)

_BATCH = 500
DATASET, VERSION, GIVEN = "dataset", "version", "given"
_TABLES: Mapping[str, Any] = {
    DATASET: DatasetRow.__table__,
    VERSION: DatasetVersionRow.__table__,
    GIVEN: JobDataRow.__table__,
}
# Entries get their numbers one after the other. One process at a time writes: see lease.
ENTRIES = threading.Lock()


def add_rows(connection: Connection, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows to the table of this kind, each with its entry. To be called with ``ENTRIES`` held until the commit."""
    connection.execute(insert(_TABLES[kind]), list(rows))
    last = int(connection.scalar(select(func.max(DatasetEntryRow.number))) or 0)
    entries = [{"number": last + place, "kind": kind, "row": dict(row)} for place, row in enumerate(rows, 1)]
    connection.execute(insert(DatasetEntryRow), entries)


class DatasetJournal:
    """Each batch of entries is a file with the number of its last one. Methods block; one process at a time."""

    def __init__(self, db: Engine, files: FileStore) -> None:
        self._db = db
        self._files = files
        self._written: int | None = None

    def recover(self) -> int:
        """Add to the database what it lacks; how many entries. To be called at the start."""
        with writing(self._db) as connection:
            last = int(connection.scalar(select(func.max(DatasetEntryRow.number))) or 0)
            entries = [entry for entry in self._entries(after=last) if entry["number"] > last]
            for entry in entries:
                connection.execute(insert(DatasetEntryRow).values(**entry))
                _restore(connection, _TABLES[entry["kind"]], entry["row"])
        if entries:
            log.warning("datasets were behind their journal: %d entries were read back", len(entries))
        return len(entries)

    def flush(self) -> int:
        """Write the entries since the last time; how many."""
        if self._written is None:
            self._written = max(self._files.journal_numbers(of=DATASETS_JOURNAL), default=0)
        count = 0
        while rows := self._after(self._written):
            lines = "".join(f"{json.dumps(row)}\n" for row in rows)
            self._written = int(rows[-1]["number"])
            self._files.journal_write(self._written, lines.encode(), of=DATASETS_JOURNAL)
            count += len(rows)
        return count

    def _after(self, number: int) -> list[dict[str, Any]]:
        entries = DatasetEntryRow.__table__
        query = select(entries).where(entries.c.number > number).order_by(entries.c.number).limit(_BATCH)
        with self._db.connect() as connection:
            return [row._asdict() for row in connection.execute(query)]

    def _entries(self, *, after: int) -> list[dict[str, Any]]:
        numbers = [number for number in self._files.journal_numbers(of=DATASETS_JOURNAL) if number > after]
        texts = (self._files.journal_read(number, of=DATASETS_JOURNAL) for number in numbers)
        return [json.loads(text) for each in texts for text in each.splitlines()]


def _restore(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Add a row unless it is there."""
    same = [column == row[column.name] for column in table.primary_key]
    if connection.execute(select(table).where(*same)).first() is None:
        connection.execute(insert(table).values(**row))
