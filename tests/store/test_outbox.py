"""Events of jobs and their consumers, on both databases."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy import Connection, Engine

from aifactory_hub.domain.jobs import EndKind, JobState, Onward
from aifactory_hub.store import Deliveries, FileStore, JobEvent, Jobs, Journal, Outbox, migrate, open_db
from aifactory_hub.store.changes import move_job
from aifactory_hub.store.database import altering, migrations, writing
from aifactory_hub.store.models import Base, ConsumerRow, JobEventRow

from ..support.postgres import Postgres
from .test_flat_jobs import ASKED
from .test_jobs import make_job

S = JobState


def taken(db: Engine, name: str = "test", **limit: int) -> list[JobEvent]:
    """What a consumer that does nothing is given next."""
    found: list[JobEvent] = []
    Outbox(db).consume(name, lambda _, events: found.extend(events), **limit)
    return found


def moves(events: Sequence[JobEvent]) -> list[tuple[str, int, JobState | None, JobState]]:
    return [(event.job_id, event.attempt, event.from_state, event.to_state) for event in events]


def test_each_change_of_state_is_one_event_with_when_and_why(db: Engine, jobs: Jobs) -> None:
    job = jobs.add(make_job("j1", submitted_at=1.0))
    jobs.set_state("j1", S.QUEUED, "waits", now=2.0)
    jobs.set_state("j1", S.QUEUED, "waits for another reason", now=3.0)
    jobs.set_state("j1", S.RUNNING, None, now=4.0)
    jobs.begin_ending("j1", EndKind.RETRY, reason="oom", exit_code=1, shown="ending", now=5.0)
    jobs.next_attempt(job, Onward(S.PENDING, "failed: oom", None), now=6.0)
    jobs.next_attempt(job, Onward(S.PENDING, "failed: oom", None), now=6.5)
    jobs.ask_cancel("j1", by="ada", now=7.0)
    jobs.finish("j1", S.CANCELLED, reason="cancelled by ada", exit_code=None, now=8.0)
    jobs.finish("j1", S.FAILED, reason="too late", exit_code=1, now=9.0)
    jobs.mark_cleaned("j1", now=10.0)
    events = taken(db)
    assert moves(events) == [
        ("j1", 1, None, S.PENDING),
        ("j1", 1, S.PENDING, S.QUEUED),
        ("j1", 1, S.QUEUED, S.RUNNING),
        ("j1", 2, S.RUNNING, S.PENDING),
        ("j1", 2, S.PENDING, S.CANCELLED),
    ]
    assert [event.at for event in events] == [1.0, 2.0, 4.0, 6.0, 8.0]
    assert [event.reason for event in events] == [None, "waits", None, "failed: oom", "cancelled by ada"]
    numbers = [event.number for event in events]
    assert numbers == sorted(set(numbers))


def test_a_next_attempt_in_the_same_state_is_an_event_too(db: Engine, jobs: Jobs) -> None:
    job = jobs.add(make_job("j1"))
    jobs.next_attempt(job, Onward(S.PENDING, "failed", None), now=6.0)
    assert moves(taken(db))[1:] == [("j1", 2, S.PENDING, S.PENDING)]


async def test_jobs_that_are_taken_in_together_have_an_event_each_and_one_that_was_there_has_none(
    db: Engine, jobs: Jobs
) -> None:
    jobs.add(make_job("j0", key="key"))
    records = [make_job(f"j{n}") for n in range(1, 5)]
    await asyncio.gather(*map(jobs.take, records), jobs.take(make_job("other", key="key")))
    await jobs.take(make_job("another", key="key"))
    assert sorted(event.job_id for event in taken(db)) == ["j0", "j1", "j2", "j3", "j4"]


def test_a_change_that_is_not_stored_is_no_event(db: Engine, jobs: Jobs) -> None:
    jobs.add(make_job("j1"))
    with pytest.raises(ZeroDivisionError), writing(db) as connection:
        assert move_job(connection, "j1", S.RUNNING, {}, now=2.0) == 1
        raise ZeroDivisionError
    assert len(taken(db)) == 1


def test_every_consumer_is_given_every_event_once_and_in_parts(db: Engine, jobs: Jobs) -> None:
    for number in range(5):
        jobs.add(make_job(f"j{number}"))
    assert [event.job_id for event in taken(db, "one", limit=3)] == ["j0", "j1", "j2"]
    assert [event.job_id for event in taken(db, "one", limit=3)] == ["j3", "j4"]
    assert taken(db, "one") == []
    assert len(taken(db, "two")) == 5
    jobs.finish("j0", S.FAILED, reason=None, exit_code=1, now=9.0)
    assert [[event.job_id for event in taken(db, name)] for name in ("one", "two")] == [["j0"], ["j0"]]


def test_what_a_consumer_does_and_its_position_are_stored_together_or_not_at_all(db: Engine, jobs: Jobs) -> None:
    jobs.add(make_job("j1"))
    taken(db)
    jobs.add(make_job("j2"))

    def fails(connection: Connection, events: Sequence[JobEvent]) -> None:
        connection.execute(sa.insert(ConsumerRow).values(name="its work", position=events[0].number))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Outbox(db).consume("test", fails)
    with db.connect() as connection:
        assert connection.scalars(sa.select(ConsumerRow.name).where(ConsumerRow.name == "its work")).all() == []
    assert [event.job_id for event in taken(db)] == ["j2"], "it comes again"


def test_events_go_once_every_consumer_has_passed_them_and_their_time_is_over(db: Engine, jobs: Jobs) -> None:
    outbox = Outbox(db)
    jobs.add(make_job("j1", submitted_at=1.0))
    taken(db, "quick")
    assert outbox.forget(before=100.0) == 0, "webhooks and slow have not"
    Deliveries(db).file()
    taken(db, "slow")
    jobs.add(make_job("j2", submitted_at=2.0))
    jobs.add(make_job("j3", submitted_at=200.0))
    taken(db, "quick")
    Deliveries(db).file()
    assert outbox.forget(before=100.0) == 1, "slow has passed j1 and no more"
    outbox.dismiss("slow")
    assert outbox.forget(before=100.0) == 1, "j3 is kept for its time"
    jobs.add(make_job("j4", submitted_at=300.0))
    assert [event.job_id for event in taken(db, "quick")] == ["j4"]
    assert [event.job_id for event in taken(db, "new")] == ["j3", "j4"]


def test_an_event_of_a_transaction_that_ends_later_is_not_skipped(postgres: Postgres) -> None:
    """The second transaction gets the higher number of the sequence, and is seen and passed before the first one is."""
    db = open_db(postgres.new_database())
    migrate(db)
    jobs = Jobs(db)
    for name in ("first", "second"):
        jobs.add(make_job(name))
    taken(db)
    with db.connect() as first, db.connect() as second:
        move_job(first, "first", S.RUNNING, {}, now=2.0)
        move_job(second, "second", S.RUNNING, {}, now=3.0)
        second.commit()
        assert [event.job_id for event in taken(db)] == ["second"]
        first.commit()
    assert [event.job_id for event in taken(db)] == ["first"]
    with db.connect() as connection:
        ids = connection.scalars(sa.select(JobEventRow.id).order_by(JobEventRow.number)).all()
    assert ids[-2:] == sorted(ids[-2:], reverse=True), "the sequence's order is not the order of the ends"
    db.dispose()


def test_two_that_move_one_job_tell_of_it_as_if_one_came_after_the_other(postgres: Postgres) -> None:
    db = open_db(postgres.new_database())
    migrate(db)
    Jobs(db).add(make_job("j1"))
    moved: list[int | None] = []

    def end() -> None:
        with db.begin() as connection:
            moved.append(move_job(connection, "j1", S.FAILED, {}, now=3.0))

    with db.connect() as first:
        move_job(first, "j1", S.RUNNING, {}, now=2.0)
        thread = threading.Thread(target=end)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive(), "it waits for the first"
        first.commit()
        thread.join(10)
    assert moved == [1]
    assert moves(taken(db))[1:] == [("j1", 1, S.PENDING, S.RUNNING), ("j1", 1, S.RUNNING, S.FAILED)]
    db.dispose()


def test_two_first_calls_of_one_consumer_give_each_event_once(postgres: Postgres) -> None:
    db = open_db(postgres.new_database())
    migrate(db)
    Jobs(db).add(make_job("j1"))
    found: list[JobEvent] = []
    other = threading.Thread(target=lambda: found.extend(taken(db)))

    def slow(_: Connection, events: Sequence[JobEvent]) -> None:
        other.start()
        other.join(0.5)
        assert other.is_alive(), "it waits for the first"
        found.extend(events)

    Outbox(db).consume("test", slow)
    other.join(10)
    assert [event.job_id for event in found] == ["j1"]
    db.dispose()


def test_many_writers_and_consumers_at_once_lose_and_repeat_nothing(db: Engine, jobs: Jobs) -> None:
    found: list[str] = []
    done = threading.Event()

    def consume() -> None:
        while not done.is_set() or taken_one():
            taken_one()

    def taken_one() -> int:
        # One name from two threads: one waits for the other.
        return Outbox(db).consume("test", lambda _, events: found.extend(e.job_id for e in events), limit=7)

    def write(number: int) -> None:
        jobs.add(make_job(f"j{number}"))
        jobs.finish(f"j{number}", S.FAILED, reason=None, exit_code=1, now=2.0)

    with ThreadPoolExecutor(6) as pool:
        consumers = [pool.submit(consume) for _ in range(2)]
        list(pool.map(write, range(40)))
        done.set()
        for consumer in consumers:
            consumer.result(30)
    assert sorted(found) == sorted(f"j{number}" for number in range(40) for _ in range(2))


def test_messages_are_filed_once_for_each_end_with_the_time_of_the_end(db: Engine, jobs: Jobs) -> None:
    deliveries = Deliveries(db)
    jobs.add(make_job("j1", notify=("https://a.example.org/", "https://b.example.org/")))
    jobs.add(make_job("j2"))
    for job_id in ("j1", "j2"):
        jobs.finish(job_id, S.SUCCEEDED, reason=None, exit_code=0, now=5.0)
    assert deliveries.of_job("j1") == []
    deliveries.file()
    deliveries.file()
    messages = deliveries.of_job("j1")
    assert sorted(m.url for m in messages) == ["https://a.example.org/", "https://b.example.org/"]
    assert {(m.event, m.created_at, m.next_at) for m in messages} == {("job.succeeded", 5.0, 5.0)}
    assert deliveries.of_job("j2") == []


def test_what_is_read_back_from_the_journal_is_one_event_a_job(db: Engine, jobs: Jobs, tmp_path: Path) -> None:
    files = FileStore(tmp_path / "files")
    jobs.add(make_job("known", submitted_at=1.0))
    jobs.add(make_job("same", submitted_at=1.0))
    Journal(db, files).flush()
    backup = copied(db)
    jobs.set_state("known", S.RUNNING, None, now=2.0)
    jobs.finish("known", S.FAILED, reason="bad", exit_code=1, now=3.0)
    jobs.add(make_job("new", submitted_at=4.0))
    jobs.set_state("new", S.QUEUED, None, now=5.0)
    Journal(db, files).flush()
    taken(db)
    restore(db, backup)
    taken(db)
    Journal(db, files).recover()
    events = taken(db)
    assert sorted(moves(events), key=str) == [("known", 1, S.PENDING, S.FAILED), ("new", 1, None, S.QUEUED)]
    assert {event.job_id: event.at for event in events} == {"known": 3.0, "new": 5.0}


Rows = dict[str, list[dict[str, Any]]]


def copied(db: Engine) -> Rows:
    """A backup: the rows of every table, in an order in which they can be put back."""
    tables = Base.metadata.sorted_tables
    with db.connect() as connection:
        return {table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()] for table in tables}


def restore(db: Engine, backup: Rows) -> None:
    with db.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(sa.delete(table))
        for table in Base.metadata.sorted_tables:
            if backup[table.name]:
                connection.execute(sa.insert(table), backup[table.name])


@pytest.fixture
def old(open_it: Callable[[], Engine]) -> Engine:
    """A database of the version before, with jobs, a message that waits and a mark."""
    db = open_it()
    with altering(db) as connection:
        command.upgrade(migrations(connection), "0009")
    table = sa.Table("jobs", sa.MetaData(), autoload_with=db)
    columns = {column.name for column in table.c}
    ended = {"state": "FAILED", "finished_at": 5.0, "revision": 3, "journaled": 3, "attempt": 1}
    values: dict[str, Any] = {name: value for name, value in {**ASKED, **ended}.items() if name in columns}
    with db.begin() as connection:
        connection.execute(sa.insert(table).values(**values, id="over", key="over"))
        connection.execute(sa.insert(table).values({**values, "state": "RUNNING", "id": "runs", "key": "runs"}))
        connection.exec_driver_sql(
            "INSERT INTO deliveries (id, job_id, event, url, body, created_at, tries, next_at) "
            "VALUES ('d1', 'over', 'job.failed', 'https://x', '{}', 1.0, 0, 6.0)"
        )
        connection.exec_driver_sql("INSERT INTO marks VALUES ('journal', '7')")
    return db


def test_an_old_database_keeps_all_and_tells_of_what_comes(old: Engine) -> None:
    migrate(old)
    assert [message.id for message in Deliveries(old).of_job("over")] == ["d1"]
    assert taken(old) == [], "what was before is no event"
    jobs = Jobs(old)
    jobs.finish("runs", S.FAILED, reason=None, exit_code=1, now=9.0)
    assert moves(taken(old)) == [("runs", 1, S.RUNNING, S.FAILED)]
    with old.connect() as connection:
        marks = connection.exec_driver_sql("SELECT name, value FROM marks ORDER BY name").all()
    assert [tuple(mark) for mark in marks] == [("job-events", "1"), ("journal", "7")]


def test_the_way_back_leaves_the_old_form_and_the_way_forth_works_again(old: Engine) -> None:
    before = {name: sa.inspect(old).get_columns(name) for name in sa.inspect(old).get_table_names()}
    migrate(old)
    Jobs(old).finish("runs", S.FAILED, reason=None, exit_code=1, now=9.0)
    with altering(old) as connection:
        command.downgrade(migrations(connection), "0009")
    assert {*sa.inspect(old).get_table_names()} == {*before}
    with old.connect() as connection:
        assert connection.exec_driver_sql("SELECT name FROM marks").scalars().all() == ["journal"]
    migrate(old)
    assert taken(old) == []
