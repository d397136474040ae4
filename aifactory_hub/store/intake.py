"""Takes new jobs in: those that come at the same time share one transaction, so one flush to disk.

What a job needs besides its row is noted in the same transaction: that its files are used, so that they stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from .budgets import Asked, BudgetBook
from .changes import tell_of_new
from .database import writing
from .models import JobRow
from .snapshots import use_snapshot
from .verdict_tables import VerdictRow

Row = Mapping[str, Any]
P = ParamSpec("P")
T = TypeVar("T")

# One stores; the other looks up what was stored before under the same key.
_THREADS = ThreadPoolExecutor(2, thread_name_prefix="intake")


class NotStored(Enum):
    """Why a row was not stored."""

    THERE_IS_ONE = "there is one with its id or key"
    NO_SNAPSHOT = "its files were not sent, or are not kept any more"


@dataclass(frozen=True, slots=True)
class _Waiting:
    row: Row
    verdict: Row | None
    asked: Asked | None
    stored: asyncio.Future[Row | NotStored]


class Intake:
    """Rows are stored in the order in which they came; all that come during one flush are stored by the next."""

    def __init__(self, db: Engine, budgets: BudgetBook) -> None:
        self._db = db
        self._budgets = budgets
        insert = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
        # Without RETURNING, so that the driver is given all rows at once: twice as fast.
        self._insert: Any = insert(JobRow).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
        self._waiting: list[_Waiting] = []
        self._storing: asyncio.Task[None] | None = None

    def add(self, row: Row, verdict: Row | None = None, asked: Asked | None = None) -> Row | NotStored:
        """Store a row by itself, with the size of its files; or why not. Blocks; raises SQLAlchemyError.

        ``verdict`` is the row of what the site's rules said: it goes in with the job's, or neither does. ``asked`` is
        what it asks of budgets: the row comes back held where one holds it, else its cost is reserved with it.
        """
        return self._insert_all([row], [verdict], [asked])[0]

    async def take(self, row: Row, verdict: Row | None = None, asked: Asked | None = None) -> Row | NotStored:
        """As ``add``, together with whoever else waits; answers once the database has it on disk.

        To be called in one event loop. Whoever stops waiting changes nothing: the row is stored.
        """
        stored: asyncio.Future[Row | NotStored] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(row, verdict, asked, stored))
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_all(), name="intake")
        return await stored

    async def in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a blocking call, made in a thread that nothing but the intake of jobs uses."""
        bound = partial(call, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(_THREADS, bound)

    async def _store_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                answers = await self.in_thread(self._store, batch)
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

    def _store(self, batch: Sequence[_Waiting]) -> Sequence[Row | NotStored | Exception]:
        try:
            return self._insert_all([a.row for a in batch], [a.verdict for a in batch], [a.asked for a in batch])
        except Exception as error:
            self._budgets.refresh()  # it may have counted what was not stored
            if len(batch) == 1:
                return [error]
            # One that can't be stored must not keep the others out.
            return [answer for one in batch for answer in self._store([one])]

    def _insert_all(
        self, rows: Sequence[Row], verdicts: Sequence[Row | None], asks: Sequence[Asked | None]
    ) -> Sequence[Row | NotStored]:
        asked = {row["id"]: each for row, each in zip(rows, asks, strict=True) if each is not None}
        with writing(self._db) as connection:
            answers = _with_files(connection, rows)
            through: set[str] = set()
            if asked:
                answers, through = self._decided(connection, answers, asked)
            whole = [row for row in answers if not isinstance(row, NotStored)]
            if not whole:  # and so none was let through
                return answers
            # The job's first event and the job go in together, or neither does.
            if connection.execute(self._insert, whole).rowcount == len(whole):
                stored = None
            else:
                mine = select(*_MINE).where(JobRow.id.in_([row["id"] for row in whole]))
                stored = {tuple(found) for found in connection.execute(mine)}
                whole = [row for row in whole if _answers(row, stored)]
            tell_of_new(connection, whole)
            new = {row["id"] for row in whole}
            _keep_verdicts(connection, verdicts, new)
            self._budgets.reserve_new(connection, through & new, asked)
        if stored is None:
            return answers
        return [answer if _answers(answer, stored) else NotStored.THERE_IS_ONE for answer in answers]

    def _decided(
        self, connection: Connection, answers: Sequence[Row | NotStored], asked: Mapping[str, Asked]
    ) -> tuple[list[Row | NotStored], set[str]]:
        """The rows as budgets let them be stored, and for which of them to reserve."""
        whole = [row for row in answers if not isinstance(row, NotStored)]
        decided, through = self._budgets.decide(connection, whole, asked)
        by_place = iter(decided)
        return [each if isinstance(each, NotStored) else next(by_place) for each in answers], through


# By these a row that is there is known to be the one that was to be stored.
_MINE = (JobRow.id, JobRow.tenant, JobRow.owner, JobRow.key)


def _answers(answer: Row | NotStored, stored: set[tuple[Any, ...]]) -> bool:
    return isinstance(answer, NotStored) or tuple(answer[column.key] for column in _MINE) in stored


def _keep_verdicts(connection: Connection, verdicts: Sequence[Row | None], stored: Collection[str]) -> None:
    """What the rules said of the jobs that are stored."""
    kept = [dict(each) for each in verdicts if each is not None and each["subject"] in stored]
    if kept:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(insert(VerdictRow).on_conflict_do_nothing(), kept)


def _with_files(connection: Connection, rows: Sequence[Row]) -> list[Row | NotStored]:
    """The rows with the size of their files, which are thereby used."""
    places = {_place(row): row["submitted_at"] for row in rows if row["input_sha256"] is not None}
    # In one order, so that two who do this don't wait for each other.
    found = {place: use_snapshot(connection, *place, now=places[place]) for place in sorted(places)}
    answers: list[Row | NotStored] = []
    for row in rows:
        snapshot = found.get(_place(row))
        if row["input_sha256"] is None:
            answers.append(row)
        else:
            answers.append(NotStored.NO_SNAPSHOT if snapshot is None else {**row, "input_size": snapshot.size})
    return answers


def _place(row: Row) -> tuple[str, str, str]:
    return row["tenant"], row["owner"], row["input_sha256"]
