"""Jobs that come at the same time, taken in together: on both kinds of database."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Engine, delete, event, insert, select
from sqlalchemy.exc import SQLAlchemyError

from aifactory_hub.store import JobRecord, Jobs, SnapshotMissing
from aifactory_hub.store.models import SnapshotRow

from .test_jobs import make_job

FILES, OTHER = "a" * 64, "b" * 64


def keep(db: Engine, sha256: str, size: int) -> None:
    """A snapshot of ada's."""
    values = {"tenant": "nlp", "owner": "ada", "sha256": sha256, "size": size, "packs": [], "used_at": 0.0}
    with db.begin() as connection:
        connection.execute(insert(SnapshotRow).values(**values))


def used(db: Engine) -> dict[str, float]:
    """When which was used last."""
    with db.connect() as connection:
        rows = connection.execute(select(SnapshotRow.sha256, SnapshotRow.used_at))
        return {row.sha256: row.used_at for row in rows}


async def test_a_hundred_at_once_are_flushed_a_few_times_and_stored_in_their_order(db: Engine, jobs: Jobs) -> None:
    flushed = []
    event.listen(db, "commit", lambda _: flushed.append(1))
    records = [make_job(f"j{n:03}", submitted_at=float(n)) for n in range(100)]
    assert await asyncio.gather(*(jobs.take(record) for record in records)) == records
    assert len(flushed) <= 3  # the first by itself at most, the rest meanwhile
    assert jobs.live() == records


async def test_the_same_key_many_times_at_once_is_one_job(jobs: Jobs) -> None:
    taken = await asyncio.gather(*(jobs.take(make_job(f"j{n}", key="k")) for n in range(24)))
    assert len({job.id for job in taken}) == 1
    assert [job.id for job in jobs.live()] == [taken[0].id]
    assert (await jobs.take(make_job("j99", key="k"))).id == taken[0].id


async def test_one_that_the_database_refuses_keeps_no_other_out(jobs: Jobs) -> None:
    good = [make_job(f"j{n}") for n in range(5)]
    bad: JobRecord = make_job("bad", name=None)
    answers = await asyncio.gather(*(jobs.take(job) for job in [*good[:2], bad, *good[2:]]), return_exceptions=True)
    refused = answers.pop(2)
    assert isinstance(refused, SQLAlchemyError)
    assert answers == good
    assert len(jobs.live()) == 5


async def test_who_stops_waiting_changes_nothing_for_the_others(jobs: Jobs) -> None:
    waiting = [asyncio.create_task(jobs.take(make_job(f"j{n}"))) for n in range(5)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[1], asyncio.CancelledError)
    assert [answer.id for answer in answers if isinstance(answer, JobRecord)] == ["j0", "j2", "j3", "j4"]
    assert (await jobs.take(make_job("other", key="key-j1"))).id == "j1"


async def test_nobody_is_told_that_it_is_stored_before_the_flush(db: Engine, jobs: Jobs) -> None:
    told: list[str] = []
    jobs.listen(told.append)

    def refuse(_: object) -> None:
        raise OSError("the disk is full")

    event.listen(db, "commit", refuse)
    with pytest.raises(OSError, match="the disk is full"):
        await jobs.take(make_job("j1"))
    assert told == []
    event.remove(db, "commit", refuse)
    assert (await jobs.take(make_job("j1"))).id == "j1"
    assert told == ["j1"]


async def test_files_are_noted_as_used_in_the_transaction_that_stores_their_jobs(db: Engine, jobs: Jobs) -> None:
    keep(db, FILES, 5)
    keep(db, OTHER, 7)
    flushed: list[dict[str, float]] = []
    event.listen(db, "commit", lambda _: flushed.append({}))
    assert (await jobs.take(make_job("j0", submitted_at=3.0, input_sha256=OTHER))).spec.input_size == 7
    assert len(flushed) == 1
    digests = [None, FILES, FILES, OTHER]
    records = [make_job(f"j{n}", submitted_at=3.0 + n, input_sha256=digest) for n, digest in enumerate(digests, 1)]
    stored = await asyncio.gather(*map(jobs.take, records))
    assert [job.spec.input_size for job in stored] == [0, 5, 5, 7]
    assert [jobs.get(job.id) for job in stored] == stored
    assert used(db) == {FILES: 6.0, OTHER: 7.0}
    assert len(flushed) <= 3


async def test_who_names_files_that_are_not_there_keeps_no_other_out(db: Engine, jobs: Jobs) -> None:
    keep(db, FILES, 5)
    wanted = [FILES, OTHER, None]
    taken = [jobs.take(make_job(f"j{n}", input_sha256=digest)) for n, digest in enumerate(wanted)]
    of_bob = jobs.take(make_job("j3", owner="bob", input_sha256=FILES))
    answers = await asyncio.gather(*taken, of_bob, return_exceptions=True)
    assert [type(answer) for answer in answers] == [JobRecord, SnapshotMissing, JobRecord, SnapshotMissing]
    assert sorted(job.id for job in jobs.live()) == ["j0", "j2"]


async def test_a_job_of_the_same_key_is_the_answer_though_its_files_are_gone(db: Engine, jobs: Jobs) -> None:
    keep(db, FILES, 5)
    first = await jobs.take(make_job("j1", key="k", input_sha256=FILES))
    assert await jobs.take(make_job("j2", key="k", input_sha256=FILES)) == first
    with db.begin() as connection:
        connection.execute(delete(SnapshotRow))
    assert await jobs.take(make_job("j3", key="k", input_sha256=FILES)) == first
    assert jobs.add(make_job("j4", key="k", input_sha256=FILES)) == first


def test_an_id_that_is_there_is_never_another_job(jobs: Jobs) -> None:
    jobs.add(make_job("j1", key="k"))
    with pytest.raises(RuntimeError, match="another job j1"):
        jobs.add(make_job("j1", key="other"))
