"""What each person holds, counted from the database; and what is on its way while it is counted."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aifactory_hub.domain.room import RoomLimits
from aifactory_hub.service.room import Room
from aifactory_hub.store import Artifact, FileStore, Jobs, LogSpool, Snapshots
from aifactory_hub.store.room import held_bytes, largest_jobs

from ..support.uploads import keep_files
from .test_jobs import make_job


def test_everything_that_is_kept_is_counted(jobs: Jobs, tmp_path: Path) -> None:
    files = FileStore(tmp_path / "files")
    digest = keep_files(Snapshots(jobs.db, files), files, {"a": b"1", "b": b"2"}, "ada", "nlp", 1.0)
    packs = sum(path.stat().st_size for path in (tmp_path / "files/packs").rglob("*.tar.gz"))
    manifests = sum(path.stat().st_size for path in (tmp_path / "files/snapshots").rglob("*.json"))
    jobs.add(make_job("j1", input_sha256=digest, attempt=3))
    jobs.add(make_job("j2", key="2", owner="bob"))
    for number, size in ((1, 7), (3, 100)):
        jobs.attempts.record_log("j1", number, size=size, sha256="0" * 64)
    for name, job, size in (("a", "j1", 10), ("b", "j1", 20), ("a", "j2", 5)):
        jobs.put_artifact(job, Artifact(name, size, "0" * 64, 1.0))
    assert held_bytes(jobs.db) == {
        ("nlp", "ada"): {"packs": packs, "manifests": manifests, "artifacts": 30, "logs": 107},
        ("nlp", "bob"): {"artifacts": 5},
    }
    assert largest_jobs(jobs.db, "nlp", "ada", limit=5) == [("j1", 30)]
    for kind in ("artifacts", "log"):
        jobs.mark_dropped("j1", kind, now=1.0)
    assert held_bytes(jobs.db)["nlp", "ada"] == {"packs": packs, "manifests": manifests}


async def test_nothing_is_forgotten_while_it_is_counted(jobs: Jobs, tmp_path: Path) -> None:
    limits = RoomLimits(person=100, team=1000, free_percent=0)
    room = Room(jobs.db, FileStore(tmp_path / "files"), LogSpool(tmp_path / "spool", limit=10), limits)
    first = await room.reserve("nlp", "ada", "packs", 40)
    counting = asyncio.create_task(room.recount())
    await asyncio.sleep(0)  # it has begun
    room.release(first, kept=True)
    second = await room.reserve("nlp", "ada", "packs", 40)
    await counting
    # The row of the first was not there when it was counted. It may count twice for a moment, never not at all.
    assert room.holders()["nlp", "ada"] == {"packs": 40, "uploads": 40}
    room.release(second, kept=False)
    room.release(second, kept=False)
    assert room.holders()["nlp", "ada"] == {"packs": 40}
    await room.recount()
    assert room.holders().get(("nlp", "ada"), {}) == {}


def test_the_spool_knows_what_it_holds(tmp_path: Path) -> None:
    spool = LogSpool(tmp_path / "spool", limit=1000)
    spool.append("j1", 0, bytes(700))
    assert spool.held() == {"j1": 700}
    spool.append("j1", 700, bytes(300_000))
    spool.append("j1", 300_700, bytes(600))
    spool.append("j2", 0, bytes(5))
    on_disk = {p.name: sum(f.stat().st_size for f in p.iterdir()) for p in (tmp_path / "spool").iterdir()}
    assert spool.held() == on_disk
    assert LogSpool(tmp_path / "spool", limit=1000).held() == on_disk
    spool.drop("j1")
    assert spool.held() == {"j2": 5}
