"""A second memory of grants, in the file store: a database that is restored takes from here what it lacks.

What is reserved is not in it: a job that was read back reserves anew before its next ticket.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from sqlalchemy import Engine, func, insert, select

from .budget_tables import GrantRow
from .database import writing
from .files import BUDGETS_JOURNAL, FileStore

log = logging.getLogger(__name__)

_BATCH = 500


class BudgetJournal:
    """Each batch of grants is a file with the number of its last one. Methods block; one process at a time."""

    def __init__(self, db: Engine, files: FileStore) -> None:
        self._db = db
        self._files = files
        self._written: int | None = None

    def recover(self) -> int:
        """Add to the database the grants that it lacks; how many. To be called at the start."""
        with writing(self._db) as connection:
            last = int(connection.scalar(select(func.max(GrantRow.number))) or 0)
            rows = [row for row in self._rows(after=last) if row["number"] > last]
            if rows:
                connection.execute(insert(GrantRow), rows)
        if rows:
            log.warning("budgets were behind their journal: %d grants were read back", len(rows))
        return len(rows)

    def flush(self) -> int:
        """Write the grants since the last time; how many."""
        if self._written is None:
            self._written = max(self._files.journal_numbers(of=BUDGETS_JOURNAL), default=0)
        count = 0
        while rows := self._after(self._written):
            lines = "".join(f"{json.dumps(row)}\n" for row in rows)
            self._written = int(rows[-1]["number"])
            self._files.journal_write(self._written, lines.encode(), of=BUDGETS_JOURNAL)
            count += len(rows)
        return count

    def _after(self, number: int) -> list[dict[str, Any]]:
        query = select(GrantRow.__table__).where(GrantRow.number > number).order_by(GrantRow.number).limit(_BATCH)
        with self._db.connect() as connection:
            return [row._asdict() for row in connection.execute(query)]

    def _rows(self, *, after: int) -> list[dict[str, Any]]:
        numbers = [number for number in self._files.journal_numbers(of=BUDGETS_JOURNAL) if number > after]
        texts = (self._files.journal_read(number, of=BUDGETS_JOURNAL) for number in numbers)
        return [json.loads(text) for each in texts for text in each.splitlines()]
