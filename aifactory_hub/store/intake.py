"""Takes new jobs in: those that come at the same time share one transaction, so one flush to disk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql, sqlite

from .database import writing
from .models import JobRow


@dataclass(frozen=True, slots=True)
class _Waiting:
    row: Mapping[str, Any]
    stored: asyncio.Future[bool]


class Intake:
    """Rows are stored in the order in which they came; all that come during one flush are stored by the next."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
        self._insert: Any = insert(JobRow).on_conflict_do_nothing().returning(JobRow.id)
        self._waiting: list[_Waiting] = []
        self._storing: asyncio.Task[None] | None = None

    def add(self, row: Mapping[str, Any]) -> bool:
        """Store a row by itself; False when there is one with its id or key. Blocks; raises SQLAlchemyError."""
        return self._insert_all([row])[0]

    async def take(self, row: Mapping[str, Any]) -> bool:
        """As ``add``, together with whoever else waits; answers once the database has it on disk.

        To be called in one event loop. Whoever stops waiting changes nothing: the row is stored.
        """
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(row, stored))
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_all(), name="intake")
        return await stored

    async def _store_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                answers = await asyncio.to_thread(self._store, [one.row for one in batch])
            except BaseException:
                # At the service's end: nobody was told that it is stored, so whoever asks again is safe.
                for one in batch:
                    one.stored.cancel()
                raise
            for one, answer in zip(batch, answers, strict=True):
                if one.stored.done():
                    continue
                if isinstance(answer, Exception):
                    one.stored.set_exception(answer)
                else:
                    one.stored.set_result(answer)

    def _store(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[bool | Exception]:
        try:
            return self._insert_all(rows)
        except Exception as error:
            if len(rows) == 1:
                return [error]
            # One that can't be stored must not keep the others out.
            return [answer for row in rows for answer in self._store([row])]

    def _insert_all(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[bool]:
        with writing(self._engine) as connection:
            new = set(connection.scalars(self._insert, rows))
        return [row["id"] in new for row in rows]
