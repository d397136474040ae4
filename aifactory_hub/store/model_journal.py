"""A second memory of models, in the file store: a database that is restored takes from here what it lacks.

Everything that happens to models is a statement in one chain, so the chain's numbers say what is missing. The journal
is never shortened: what it holds is what auditors ask for.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from . import statements
from .database import writing
from .files import MODELS_JOURNAL, FileStore
from .model_tables import AliasMoveRow, ModelRow, ModelVersionRow, SigningKeyRow, StatementRow
from .models import Base

log = logging.getLogger(__name__)

_BATCH = 200


class ModelJournal:
    """Each batch of statements is a file with the number of its last one. Methods block; one process at a time."""

    def __init__(self, db: Engine, files: FileStore) -> None:
        self._db = db
        self._files = files
        self._written: int | None = None

    def recover(self) -> int:
        """Add to the database what it lacks; how many statements. To be called at the start."""
        with self._db.connect() as connection:
            last = statements.head(connection)[0]
        numbers = [number for number in self._files.journal_numbers(of=MODELS_JOURNAL) if number > last]
        if not numbers:
            return 0
        try:
            restored = self._restore(numbers)
        except ValueError as error:
            log.error("models can't be made whole from their journal: %s", error)
            return 0
        log.warning("models were behind their journal: %d statements were read back, aliases with them", restored)
        return restored

    def flush(self) -> int:
        """Write the statements since the last time; how many."""
        if self._written is None:
            self._written = max(self._files.journal_numbers(of=MODELS_JOURNAL), default=0)
        count = 0
        while rows := statements.statements_after(self._db, self._written, _BATCH):
            with self._db.connect() as connection:
                lines = "".join(f"{json.dumps(_entry(connection, row))}\n" for row in rows)
            self._written = int(rows[-1]["number"])
            self._files.journal_write(self._written, lines.encode(), of=MODELS_JOURNAL)
            count += len(rows)
        return count

    def _restore(self, numbers: list[int]) -> int:
        taken = 0
        with writing(self._db) as connection:
            last, before = statements.head(connection)
            for entry in self._entries(numbers):
                row = entry["statement"]
                if row["number"] <= last:
                    continue
                if row["number"] != last + 1 or row["hash"] != statements.row_hash(before, row):
                    raise ValueError(f"statement {row['number']} of the journal does not follow on statement {last}")
                _take(connection, entry)
                last, before, taken = row["number"], row["hash"], taken + 1
        return taken

    def _entries(self, numbers: list[int]) -> Iterator[dict[str, Any]]:
        for number in numbers:
            for line in self._files.journal_read(number, of=MODELS_JOURNAL).splitlines():
                yield json.loads(line)


def _entry(connection: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    """A statement with the rows that it is about, as they are now."""
    version = _one(connection, ModelVersionRow, ModelVersionRow.id == row["version"])
    entry: dict[str, Any] = {"statement": dict(row), "version": version}
    entry["move"] = _one(connection, AliasMoveRow, AliasMoveRow.number == row["number"])
    if version is not None:
        entry["model"] = _one(connection, ModelRow, ModelRow.id == version["model"])
    if row["kind"] == statements.KEYS:
        entry["keys"] = [dict(key._mapping) for key in connection.execute(select(SigningKeyRow.__table__))]
    return entry


def _one(connection: Connection, table: type[Base], where: Any) -> dict[str, Any] | None:
    row = connection.execute(select(table.__table__).where(where)).one_or_none()
    return None if row is None else dict(row._mapping)


def _take(connection: Connection, entry: Mapping[str, Any]) -> None:
    connection.execute(insert(StatementRow).values(**entry["statement"]))
    statements.note_materials(connection, [entry["statement"]])
    for table, name in ((ModelRow, "model"), (ModelVersionRow, "version")):
        row = entry.get(name)
        if row is not None and _one(connection, table, table.__table__.c.id == row["id"]) is None:
            connection.execute(insert(table).values(**row))
    version = entry.get("version")
    if version is not None:
        state = {"state": version["state"], "why": version["why"]}
        connection.execute(update(ModelVersionRow).where(ModelVersionRow.id == version["id"]).values(**state))
    if entry.get("move") is not None:
        connection.execute(insert(AliasMoveRow).values(**entry["move"]))
    for key in entry.get("keys", ()):
        if connection.execute(update(SigningKeyRow).where(SigningKeyRow.id == key["id"]).values(**key)).rowcount == 0:
            connection.execute(insert(SigningKeyRow).values(**key))
