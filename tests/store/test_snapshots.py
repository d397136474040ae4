"""Files by digest: none is asked for twice, none is lost while something needs it."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from aifactory_hub.store import FileStore, Jobs, Schedule, Schedules, Snapshots
from aifactory_hub.store import snapshots as module
from aifactory_hub.store.database import writing

from ..support.uploads import keep_files, sha256
from .test_jobs import make_job

NOW = 1000.0
WHO = ("nlp", "ada")


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "files")


@pytest.fixture
def snapshots(db: Engine, files: FileStore) -> Snapshots:
    return Snapshots(db, files)


def keep(snapshots: Snapshots, files: FileStore, sent: dict[str, bytes], now: float = NOW, owner: str = "ada") -> str:
    return keep_files(snapshots, files, sent, owner, "nlp", now)


def kept(files: FileStore, tmp_path: Path) -> list[str]:
    found = [p.relative_to(tmp_path / "files").parts for p in (tmp_path / "files").rglob("*") if p.is_file()]
    return sorted(parts[0] for parts in found)


def test_only_what_nobody_sent_is_missing(snapshots: Snapshots, files: FileStore) -> None:
    keep(snapshots, files, {"a": b"1", "b": b"2", "c": b"2"})
    asked = [sha256(content) for content in (b"3", b"1", b"2", b"3")]
    assert snapshots.missing(*WHO, asked, now=NOW) == [asked[0]]
    assert snapshots.missing("nlp", "bob", asked, now=NOW) == asked[:3]
    assert snapshots.missing("vision", "ada", asked, now=NOW) == asked[:3]


def test_a_snapshot_names_the_packs_that_have_its_files(snapshots: Snapshots, files: FileStore) -> None:
    first = keep(snapshots, files, {"a": b"1"})
    second = keep(snapshots, files, {"b": b"2"})
    found = [snapshots.use(*WHO, digest, now=NOW) for digest in (first, second)]
    assert [(s.size, len(s.packs)) for s in found if s is not None] == [(1, 1), (1, 1)]
    assert snapshots.use("nlp", "bob", first, now=NOW) is None
    text, packs = snapshots.manifest(*WHO, first)
    assert (sha256(text.encode()), packs) == (first, found[0].packs if found[0] else ())


def test_ten_thousand_files_are_looked_up_and_kept(snapshots: Snapshots, files: FileStore) -> None:
    sent = {f"f{n}": f"{n}".encode() for n in range(10_000)}
    keep(snapshots, files, sent)
    asked = [sha256(content) for content in sent.values()]
    assert snapshots.missing(*WHO, asked, now=NOW) == []


def test_a_large_pack_that_is_hardly_used_is_not_used_at_all(
    snapshots: Snapshots, files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SMALL", 1000)
    large = {str(n): os.urandom(400) for n in range(10)}
    keep(snapshots, files, large)
    asked = [sha256(content) for content in large.values()]
    assert snapshots.missing(*WHO, asked[:3], now=NOW) == []
    assert snapshots.missing(*WHO, asked[:2], now=NOW) == asked[:2]


def test_a_pack_that_is_gone_is_sent_again(snapshots: Snapshots, files: FileStore) -> None:
    digest = keep(snapshots, files, {"a": b"1"})
    found = snapshots.use(*WHO, digest, now=NOW)
    assert found is not None
    files.delete([files.pack(*WHO, found.packs[0])])
    assert snapshots.missing(*WHO, [sha256(b"1")], now=NOW) == [sha256(b"1")]
    keep(snapshots, files, {"a": b"1"})
    assert snapshots.missing(*WHO, [sha256(b"1")], now=NOW) == []


def test_what_a_job_or_a_schedule_needs_stays_and_the_rest_goes(
    snapshots: Snapshots, files: FileStore, jobs: Jobs, tmp_path: Path
) -> None:
    shared = {"shared": b"s"}
    keep(snapshots, files, shared)
    of_job, of_schedule, of_nobody = (
        keep(snapshots, files, {**shared, name: name.encode()}) for name in ("job", "schedule", "nobody")
    )
    jobs.add(make_job("j1", input_sha256=of_job))
    # Another person's of the same content says nothing about hers.
    keep(snapshots, files, {**shared, "nobody": b"nobody"}, owner="bob")
    jobs.add(make_job("j2", key="other", owner="bob", input_sha256=of_nobody))
    planned = Schedule("s1", *WHO, "k", "d", {"files": of_schedule}, "* * * * *", "UTC", NOW)
    Schedules(jobs.db).add(planned)
    assert snapshots.collect(before=NOW) == 0
    assert snapshots.collect(before=NOW + 1) > 0
    assert snapshots.collect(before=NOW + 1) == 0
    assert [snapshots.use(*WHO, d, now=NOW) is not None for d in (of_job, of_schedule, of_nobody)] == [
        True,
        True,
        False,
    ]
    assert kept(files, tmp_path) == ["packs"] * 3 + ["snapshots"] * 3
    jobs.mark_dropped("j1", "inputs", now=NOW)
    jobs.mark_dropped("j2", "inputs", now=NOW)
    Schedules(jobs.db).remove("s1")
    snapshots.collect(before=NOW + 1)
    assert kept(files, tmp_path) == []


def test_files_that_a_job_takes_while_old_ones_are_collected_stay(
    snapshots: Snapshots, files: FileStore, db: Engine
) -> None:
    digest = keep(snapshots, files, {"a": b"1"})
    with ThreadPoolExecutor(1) as other:
        with writing(db) as connection:
            assert module.use_snapshot(connection, *WHO, digest, now=NOW + 10) is not None
            collecting = other.submit(snapshots.collect, before=NOW + 1)
            time.sleep(0.3)  # until it has chosen what goes, and waits for this transaction
        assert collecting.result() == 0
    assert snapshots.use(*WHO, digest, now=NOW) is not None
    assert snapshots.manifest(*WHO, digest)


def test_a_database_from_a_backup_learns_again_what_its_jobs_need(
    snapshots: Snapshots, files: FileStore, jobs: Jobs, db: Engine, tmp_path: Path
) -> None:
    digest = keep(snapshots, files, {"a": b"1"})
    before = kept(files, tmp_path)
    jobs.add(make_job("j1", input_sha256=digest))
    with db.begin() as connection:
        connection.execute(text("DELETE FROM snapshots"))
    assert snapshots.adopt(now=NOW) == 1
    assert snapshots.adopt(now=NOW) == 0
    snapshots.collect(before=NOW + 1)
    assert kept(files, tmp_path) == before
