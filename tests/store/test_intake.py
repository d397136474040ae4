"""Jobs that come at the same time, taken in together: on both kinds of database."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError

from aifactory_hub.store import JobRecord, Jobs

from .test_jobs import make_job


async def test_a_hundred_at_once_are_flushed_a_few_times_and_stored_in_their_order(engine: Engine, jobs: Jobs) -> None:
    flushed = []
    event.listen(engine, "commit", lambda _: flushed.append(1))
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
    bad: JobRecord = replace(make_job("bad"), name=None)  # type: ignore[arg-type]
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


async def test_nobody_is_told_that_it_is_stored_before_the_flush(engine: Engine, jobs: Jobs) -> None:
    told: list[str] = []
    jobs.listen(told.append)

    def refuse(_: object) -> None:
        raise OSError("the disk is full")

    event.listen(engine, "commit", refuse)
    with pytest.raises(OSError, match="the disk is full"):
        await jobs.take(make_job("j1"))
    assert told == []
    event.remove(engine, "commit", refuse)
    assert (await jobs.take(make_job("j1"))).id == "j1"
    assert told == ["j1"]
