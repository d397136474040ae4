"""The whole service on a real S3 server, by its REST API: files in, a real run, log and artifacts out, retention."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from aifactory_hub.registry.model import Registry
from aifactory_hub.store import FileStore, S3Blobs

from ..support.fake_hub import FakeHub
from ..support.job_service import Clock, RunningService, make_registry, running_service
from ..support.local_runs import LocalRuns
from ..support.s3 import NoS3, S3Server, running_s3
from ..support.uploads import pack_of, send_files, sha256

DAY = 86400.0
TRAIN = b"""\
import pathlib
print("data", pathlib.Path("in.txt").read_text())
pathlib.Path("model.bin").write_bytes(bytes(range(256)) * 4096)
"""
MODEL = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    try:
        with running_s3() as server:
            yield server
    except NoS3 as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[LocalRuns]:
    runs = LocalRuns(tmp_path / "node")
    yield runs
    runs.close()


@pytest.fixture
def bucket(s3: S3Server) -> Path:
    """Where the server keeps the bucket, to see what is in it."""
    return s3.folder / "data" / s3.new_bucket()


@pytest.fixture
def clock() -> Clock:
    return Clock(1_800_000_000.0)


@pytest.fixture
async def service(
    s3: S3Server, bucket: Path, clock: Clock, runs: LocalRuns, hub: FakeHub, tmp_path: Path
) -> AsyncIterator[RunningService]:
    def registry(url: str) -> Registry:
        known = make_registry(service=url)
        kept = replace(known.jobs, keep_inputs=1 * 86400, keep_logs=2 * 86400, keep_artifacts=3 * 86400)
        return replace(known, jobs=kept)

    def files(root: Path) -> FileStore:
        return FileStore(root, S3Blobs(s3.store(bucket.name, prefix="hub")))

    async with running_service(
        tmp_path / "service", hub=hub, registry=registry, pipeline=runs.pipeline, files=files, clock=clock
    ) as service:
        yield service


async def ended(http: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            job: dict[str, Any] = (await http.get(f"/jobs/{job_id}")).json()
            if job["final"] and job["log_size"] is not None:
                return job
            await asyncio.sleep(0.1)


def kept_in(bucket: Path) -> set[str]:
    """The first folder of each object below the prefix."""
    return {path.relative_to(bucket / "hub").parts[0] for path in bucket.glob("hub/**/*") if path.is_file()}


def fetched(node: Path) -> bool:
    """Whether the run has its files: what it does before it starts its command."""
    return bool(list(node.glob("pod-*/work/files/train.py")))


async def test_a_job_with_files_runs_and_is_forgotten_piece_by_piece(
    service: RunningService, clock: Clock, bucket: Path, tmp_path: Path
) -> None:
    async with service.http("ada", timeout=60) as http:
        digest = await send_files(http, {"train.py": TRAIN, "in.txt": b"42"})
        body = {"command": "python3 train.py", "profile": "mig-1g.10gb", "key": "k", "files": digest}
        job_id = (await http.post("/jobs", json=body)).json()["id"]
        job = await ended(http, job_id)
        assert (job["state"], job["left"]) == ("SUCCEEDED", {})
        log = await http.get(f"/jobs/{job_id}/logs")
        assert (log.text, log.headers["X-AIFactory-Log"]) == ("data 42\n", "stored")
        (model,) = (await http.get(f"/jobs/{job_id}/artifacts")).json()["artifacts"]
        assert (model["name"], model["size"]) == ("model.bin", len(MODEL))
        assert model["sha256"] == hashlib.sha256(MODEL).hexdigest()
        assert (await http.get(f"/jobs/{job_id}/artifacts/model.bin")).content == MODEL
        # The same files again: nothing has to be sent, whoever kept them.
        asked = {"sha256": [hashlib.sha256(TRAIN).hexdigest()]}
        assert (await http.post("/uploads/missing", json=asked)).json() == {"missing": []}
        await service.context.chores.calls["journal"][1]()
        assert {"jobs", "packs", "snapshots", "journal"} <= kept_in(bucket)
        # Nothing of it is in the service's own folder: that may be lost with its machine.
        own = [path for path in (tmp_path / "service" / "files").rglob("*") if path.is_file()]
        assert not [path for path in own if path.read_bytes() in (MODEL, b"data 42\n")]

        async def after(days: float) -> list[int]:
            clock.pass_by(days * DAY)
            await service.context.chores.calls["retention"][1]()
            await service.reconciler.sweep()
            paths = (f"/jobs/{job_id}/logs", f"/jobs/{job_id}/artifacts/model.bin")
            return [(await http.get(path)).status_code for path in paths]

        assert await after(0.9) == [200, 200]
        assert await after(1.2) == [410, 200]
        body["key"] = "again"
        gone = await http.post("/jobs", json=body)
        assert (gone.status_code, gone.json()["field"]) == (400, "files")
        assert await after(1.0) == [410, 410]
        assert (await http.get(f"/jobs/{job_id}")).json()["state"] == "SUCCEEDED"
    assert "jobs" not in kept_in(bucket)


async def test_a_job_that_ends_while_the_storage_is_away_brings_its_files_home_afterwards(
    service: RunningService, s3: S3Server, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    command = f"while [ ! -e {go} ]; do sleep 0.1; done; python3 train.py"
    async with service.http("ada", timeout=120) as http:
        digest = await send_files(http, {"train.py": TRAIN, "in.txt": b"42"})
        body = {"command": command, "profile": "mig-1g.10gb", "files": digest}
        job_id = (await http.post("/jobs", json={**body, "key": "k"})).json()["id"]
        async with asyncio.timeout(60):
            while (await http.get(f"/jobs/{job_id}")).json()["state"] != "RUNNING":
                await asyncio.sleep(0.1)
            while not fetched(tmp_path / "node"):
                await asyncio.sleep(0.05)
        s3.stop()
        try:
            go.touch()
            pack = pack_of({"other": b"other"})
            refused = await http.put(f"/uploads/packs/{sha256(pack)}", content=pack)
            assert (refused.status_code, refused.json()["reason"]) == (503, "files-unavailable")
            assert refused.headers["Retry-After"]
            assert (await http.get("/jobs")).json()["jobs"][0]["state"] == "RUNNING"
            # A job without files needs no storage to be taken in.
            plain = await http.post("/jobs", json={"command": "true", "profile": "cpu-small", "key": "plain"})
            assert plain.status_code == 201
        finally:
            s3.start()
        job = await ended(http, job_id)
        assert (job["state"], job["left"]) == ("SUCCEEDED", {})
        assert (await http.get(f"/jobs/{job_id}/artifacts/model.bin")).content == MODEL
        assert (await http.get(f"/jobs/{job_id}/logs")).text.endswith("data 42\n")
