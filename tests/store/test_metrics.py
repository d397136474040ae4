"""Metrics in a real SQLite file and a real PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from alembic import command
from sqlalchemy import Engine, func, select

from aifactory_hub.domain.metrics import MOST_ATTEMPTS, MOST_IN_ALL, MOST_NAMES, MOST_POINTS, Point
from aifactory_hub.store import FileStore, Jobs, Journal, StoredSeries, migrate
from aifactory_hub.store.database import altering, migrations
from aifactory_hub.store.models import MetricPointRow, MetricRow

from .test_jobs import make_job

ALL = MOST_POINTS


def report(jobs: Jobs, values: dict[str, list[float]], *, start: int = 0, attempt: int = 1) -> None:
    points = {
        name: [Point(start + n, 10 * (start + n), 100.0 + start + n, value) for n, value in enumerate(told)]
        for name, told in values.items()
    }
    last = {name: told[-1] for name, told in values.items()}
    jobs.attempts.record_progress("j1", attempt, percent=None, eta=None, metrics=last, points=points, now=500.0)


def read(jobs: Jobs, name: str = "loss", since: int = 0) -> StoredSeries:
    (series,) = jobs.metrics.read("j1", name=name, since=since, most=ALL).series
    return series


def test_what_was_reported_is_read_back(jobs: Jobs) -> None:
    jobs.add(make_job())
    report(jobs, {"loss": [0.5, math.nan, math.inf, -math.inf, 0.25], "lr": [1.0]})
    found = jobs.metrics.read("j1", most=ALL)
    assert found.cursor == 1
    assert [(s.attempt, s.name, s.count, s.thinned, s.whole) for s in found.series] == [
        (1, "loss", 5, False, True),
        (1, "lr", 1, False, True),
    ]
    points = found.series[0].points
    assert str([p.value for p in points]) == "[0.5, nan, inf, -inf, 0.25]"
    assert [(p.number, p.step, p.at) for p in points[:2]] == [(0, 0, 100.0), (1, 10, 101.0)]
    assert jobs.metrics.read("j2", most=ALL).series == ()


def test_a_view_that_is_open_asks_for_what_is_new(jobs: Jobs) -> None:
    jobs.add(make_job())
    report(jobs, {"loss": [3.0, 2.0], "lr": [1.0]})
    cursor = jobs.metrics.read("j1", most=ALL).cursor
    assert jobs.metrics.read("j1", since=cursor, most=ALL).series == ()
    report(jobs, {"loss": [3.0, 2.0, 1.0]})  # the first two come again
    found = jobs.metrics.read("j1", since=cursor, most=ALL)
    assert [(s.name, s.count, s.whole, [p.value for p in s.points]) for s in found.series] == [
        ("loss", 3, False, [1.0])
    ]
    assert jobs.metrics.read("j1", since=found.cursor, most=ALL).series == ()


def test_a_long_series_is_thinned_and_says_so(db: Engine, jobs: Jobs) -> None:
    jobs.add(make_job())
    told = [float((n * 7919) % 5000) for n in range(5000)]
    for start in range(0, 5000, 123):
        report(jobs, {"loss": told[start : start + 123]}, start=start)
    series = read(jobs)
    assert (series.count, series.thinned, series.whole) == (5000, True, True)
    assert len(series.points) == 5000 // 8 + 2  # the highest and the last come on top; the lowest is the first
    values = [p.value for p in series.points]
    assert (values[0], values[-1], min(values), max(values)) == (told[0], told[-1], 0.0, 4999.0)
    with db.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(MetricPointRow)) == len(series.points)


def test_a_view_gets_a_series_whole_again_when_it_became_thinner(jobs: Jobs) -> None:
    jobs.add(make_job())
    report(jobs, {"loss": [float(n) for n in range(1000)]})
    cursor = jobs.metrics.read("j1", most=ALL).cursor
    report(jobs, {"loss": [1000.0]}, start=1000)
    series = read(jobs, since=cursor)
    assert (series.whole, series.thinned, len(series.points)) == (True, True, 501)
    report(jobs, {"loss": [1001.0]}, start=1001)
    later = read(jobs, since=cursor + 1)
    assert (later.whole, [p.number for p in later.points]) == (False, [1001])
    assert [p.number for p in read(jobs).points][-2:] == [1000, 1001]


def test_fewer_points_are_told_if_asked(jobs: Jobs) -> None:
    jobs.add(make_job())
    report(jobs, {"loss": [float(n) for n in range(900)]})
    (series,) = jobs.metrics.read("j1", most=20).series
    assert len(series.points) <= 20
    assert (series.count, series.thinned) == (900, True)


def test_many_names_share_the_room_and_more_are_left_out(db: Engine, jobs: Jobs) -> None:
    jobs.add(make_job())
    told = [float(n) for n in range(600)]
    report(jobs, {f"m{n:03}": told for n in range(MOST_NAMES + 5)})
    report(jobs, {"late": [1.0]})
    found = jobs.metrics.read("j1", most=ALL)
    assert len(found.series) == MOST_NAMES
    assert {s.count for s in found.series} == {600}
    with db.connect() as connection:
        stored = connection.scalar(select(func.count()).select_from(MetricPointRow)) or 0
    assert stored <= MOST_IN_ALL + 5 * MOST_NAMES
    assert sum(len(s.points) for s in found.series) <= MOST_IN_ALL + 5 * MOST_NAMES


def test_each_attempt_has_series_of_its_own_and_old_attempts_go(jobs: Jobs) -> None:
    jobs.add(make_job())
    for attempt in range(1, MOST_ATTEMPTS + 3):
        report(jobs, {"loss": [float(attempt)]}, attempt=attempt)
    found = jobs.metrics.read("j1", most=ALL)
    assert [s.attempt for s in found.series] == list(range(3, MOST_ATTEMPTS + 3))
    (one,) = jobs.metrics.read("j1", attempt=5, most=ALL).series
    assert [p.value for p in one.points] == [5.0]


def test_they_go_when_they_are_to_be_forgotten(db: Engine, jobs: Jobs) -> None:
    jobs.add(make_job())
    report(jobs, {"loss": [1.0]})
    jobs.metrics.forget("j1")
    with db.connect() as connection:
        assert [connection.scalar(select(func.count()).select_from(t)) for t in (MetricRow, MetricPointRow)] == [0, 0]
    job = jobs.get("j1")
    assert job is not None
    assert job.current.metrics == {"loss": 1.0}


def test_a_journal_that_is_read_back_leaves_them(db: Engine, jobs: Jobs, tmp_path: Path) -> None:
    jobs.add(make_job())
    report(jobs, {"loss": [1.0]})
    files = FileStore(tmp_path / "files")
    journal = Journal(db, files)
    journal.recover()
    journal.flush()
    jobs.attempts.record_progress("j1", 1, percent=5.0, eta=None, metrics=None, now=600.0)
    Journal(db, files).recover()
    assert read(jobs).count == 1


def test_the_tables_come_and_go(open_it: Callable[[], Engine]) -> None:
    db = open_it()
    migrate(db)
    jobs = Jobs(db)
    jobs.add(make_job(sweep_parameters={"lr": 0.1}))
    report(jobs, {"loss": [1.0]})
    with altering(db) as connection:
        command.downgrade(migrations(connection), "0010")
    migrate(db)
    job = jobs.get("j1")
    assert job is not None
    assert (job.spec.sweep_parameters, job.current.metrics) == ({}, {"loss": 1.0})
    assert jobs.metrics.read("j1", most=ALL).series == ()
