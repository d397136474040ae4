"""Takes new jobs in: those that come at the same time share one transaction, so one flush to disk."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from .database import writing
from .models import JobRow


@dataclass
class _Waiting:
    row: Mapping[str, Any]
    done: bool = False
    new: bool = False
    error: Exception | None = None


class Intake:
    """Whoever comes first stores what all have brought meanwhile; ``add`` returns once the database has it on disk."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
        self._insert: Any = insert(JobRow).on_conflict_do_nothing().returning(JobRow.id)
        self._waiting: list[_Waiting] = []
        self._list = threading.Lock()
        self._turn = threading.Lock()

    def add(self, row: Mapping[str, Any]) -> bool:
        """Store a row; False when there is one with its id or key. Raises SQLAlchemyError."""
        mine = _Waiting(row)
        with self._list:
            self._waiting.append(mine)
        with self._turn:
            if not mine.done:
                with self._list:
                    batch, self._waiting = self._waiting, []
                self._store(batch)
        if mine.error is not None:
            raise mine.error
        return mine.new

    def _store(self, batch: Sequence[_Waiting]) -> None:
        try:
            with writing(self._engine) as connection:
                for one in batch:
                    one.new = connection.execute(self._insert, one.row).first() is not None
        except SQLAlchemyError as error:
            if len(batch) == 1:
                batch[0].error = error
            else:
                # One that can't be stored must not keep the others out.
                for one in batch:
                    self._store([one])
        except BaseException as error:
            for one in batch:
                one.error = error if isinstance(error, Exception) else RuntimeError(f"given up: {error!r}")
            raise
        finally:
            for one in batch:
                one.done = True
