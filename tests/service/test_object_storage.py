"""The whole service on a real S3 server: what is sent, what comes back, and what goes when its time is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from aifactory_hub.client import Job, submit
from aifactory_hub.client.session import Account, Session
from aifactory_hub.registry.model import Registry
from aifactory_hub.store import FileStore, S3Blobs
from aifactory_hub.store import blobs as blobs_module

from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService, make_registry, running_service
from ..support.local_runs import LocalRuns
from ..support.s3 import S3Server
from ..support.uploads import manifest_of, pack_of, send_files, sha256

MIG = "mig-1g.10gb"
DAY = 86400.0


@dataclass
class Later:
    """This machine's clock, put forward by ``by`` seconds."""

    by: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.by


@dataclass
class OnS3:
    """A service whose files are in ``bucket``."""

    service: RunningService
    bucket: Path
    clock: Later

    def kept(self, prefix: str = "") -> set[str]:
        """The keys that are there."""
        root = self.bucket / "hub"
        return {str(path.relative_to(root)) for path in (root / prefix).rglob("*") if path.is_file()}


def registry(url: str) -> Registry:
    made = make_registry(service=url)
    jobs = replace(made.jobs, keep_inputs=1 * 86400, keep_logs=2 * 86400, keep_artifacts=3 * 86400)
    return replace(made, jobs=jobs)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[LocalRuns]:
    runs = LocalRuns(tmp_path / "node")
    yield runs
    runs.close()


@pytest.fixture
async def there(tmp_path: Path, hub: FakeHub, runs: LocalRuns, s3: S3Server) -> AsyncIterator[OnS3]:
    bucket, clock = s3.new_bucket(), Later()
    blobs = S3Blobs(s3.store(bucket, prefix="hub"))
    serving = running_service(
        tmp_path / "service",
        hub=hub,
        engine=runs.engine,
        registry=registry,
        files=lambda own: FileStore(own, blobs),
        clock=clock,
    )
    async with serving as service:
        yield OnS3(service, s3.folder / "data" / bucket, clock)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "notebook"
    folder.mkdir()
    (folder / "train.py").write_text(
        "import pathlib\nprint('trained')\npathlib.Path('model.bin').write_bytes(b'w' * 9)\n"
    )
    (folder / "data.csv").write_bytes(b"1,2\n" * 1000)
    return folder


@pytest.fixture
def session(there: OnS3) -> Iterator[Session]:
    session = Session(Account(there.service.url.rstrip("/"), "ada", tenant="nlp"))
    yield session
    session.close()


def run_job(session: Session, work: Path) -> Job:
    job: Job = submit("python3 train.py", profile=MIG, files=work, session=session)
    assert job.wait(60, progress=False, poll=0.05) == "SUCCEEDED", job.data
    return job


async def test_a_job_travels_through_the_bucket_and_back(
    there: OnS3, session: Session, work: Path, tmp_path: Path
) -> None:
    job = await asyncio.to_thread(run_job, session, work)
    assert await asyncio.to_thread(job.logs) == "trained\n"
    assert await asyncio.to_thread(lambda: "".join(job.follow())) == "trained\n"
    artifacts = await asyncio.to_thread(lambda: job.artifacts)
    assert {name: await asyncio.to_thread(one.read) for name, one in artifacts.items()} == {"model.bin": b"w" * 9}
    await there.service.context.periodic_tasks.calls["journal"][1]()
    kinds = {key.split("/")[0] for key in there.kept()}
    assert {"jobs", "packs", "snapshots", "journal"} <= kinds
    own = {path.name for path in (tmp_path / "service" / "files").rglob("*") if path.is_file()}
    keys = {f"{name}.secret" for name in ("job-tokens", "webhooks", "sessions", "session-proofs", "person-secrets")}
    assert own <= keys, "what is kept is in the bucket alone"
    before = there.kept("packs")
    await asyncio.to_thread(run_job, session, work)
    assert there.kept("packs") == before, "the same files are not sent again"


async def test_over_rest_alone_a_file_is_sent_used_and_asked_for(there: OnS3) -> None:
    files = {"main.sh": b"cat input.txt | tee result.txt\n", "input.txt": b"hello\n"}
    async with there.service.http("ada", timeout=30) as http:
        digest = await send_files(http, files)
        body = {"command": "sh main.sh", "profile": MIG, "key": "k", "files": digest, "outputs": ["*.txt"]}
        job_id = (await http.post("/jobs", json=body)).json()["id"]
        job = await ended(http, job_id)
        assert (job["state"], job["exit_code"]) == ("SUCCEEDED", 0)
        log = await http.get(f"/jobs/{job_id}/logs")
        assert (log.text, log.headers["X-AIFactory-Log"]) == ("hello\n", "stored")
        found = await http.get(f"/jobs/{job_id}/artifacts/result.txt")
        assert (found.content, found.headers["X-Content-SHA256"]) == (b"hello\n", sha256(b"hello\n"))
        damaged = await http.put(f"/uploads/packs/{'0' * 64}", content=pack_of(files))
        assert (damaged.status_code, damaged.json()["reason"]) == (422, "digest-mismatch")
    async with there.service.http("bob", timeout=30) as other:
        # Of the same team, but what one sent is no one else's to use.
        manifest = manifest_of(files)
        refused = await other.put(f"/uploads/manifests/{sha256(manifest)}", content=manifest)
        assert refused.status_code == 409, refused.text


async def test_each_kind_goes_from_the_bucket_in_its_time(there: OnS3, session: Session, work: Path) -> None:
    job = await asyncio.to_thread(run_job, session, work)
    context = there.service.context
    async with asyncio.timeout(30):
        while any(live.id == job.id for live in context.jobs.live_runs()):
            await asyncio.sleep(0.05)

    async def left(days: float) -> tuple[bool, bool, bool]:
        there.clock.by = days * DAY
        await context.periodic_tasks.calls["retention"][1]()
        await context.reconciler.sweep()
        await context.reconciler.sweep()  # packs go once their snapshots have
        mine = there.kept(f"jobs/{job.id}")
        return bool(there.kept("packs")), any("log" in key for key in mine), any("artifact" in key for key in mine)

    assert await left(0.5) == (True, True, True)
    assert await left(1.5) == (False, True, True)
    assert await left(2.5) == (False, False, True)
    assert await left(3.5) == (False, False, False)
    async with there.service.http("ada", timeout=30) as http:
        answers = [await http.get(f"/jobs/{job.id}/{rest}") for rest in ("logs", "artifacts/model.bin")]
        assert [answer.status_code for answer in answers] == [410, 410]
        assert (await http.get(f"/jobs/{job.id}")).json()["state"] == "SUCCEEDED"


async def test_a_bucket_that_does_not_answer_is_said_and_no_job_is_lost(
    there: OnS3, session: Session, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await asyncio.to_thread(run_job, session, work)
    monkeypatch.setattr(blobs_module, "_RETRIES", 0)
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    files = there.service.context.files
    monkeypatch.setattr(files, "_blobs", S3Blobs.at("s3://bucket"))
    async with there.service.http("ada", timeout=60) as http:
        for path in (f"/jobs/{job.id}/logs", f"/jobs/{job.id}/artifacts/model.bin"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["reason"]) == (503, "files-unavailable"), answer.text
            assert "very-secret" not in answer.text
        pack = pack_of({"a": b"a"})
        sent = await http.put(f"/uploads/packs/{sha256(pack)}", content=pack)
        assert (sent.status_code, sent.json()["reason"]) == (503, "files-unavailable")
        assert (await http.get(f"/jobs/{job.id}")).json()["state"] == "SUCCEEDED"
        without = {"command": "echo no files", "profile": MIG, "key": "k2"}
        assert (await http.post("/jobs", json=without)).status_code == 201
        monkeypatch.undo()
        assert (await http.get(f"/jobs/{job.id}/logs")).text == "trained\n"
        newest = (await http.get("/jobs")).json()["jobs"][0]["id"]
        assert (await ended(http, newest))["state"] == "SUCCEEDED"
        assert (await http.get(f"/jobs/{newest}/logs")).text == "no files\n"


def fetched(node: Path) -> bool:
    """Whether the run has its files: what it does before it starts its command."""
    return bool(list(node.glob("pod-*/work/files/train.py")))


async def test_a_job_that_ends_while_the_storage_is_away_brings_its_files_home_afterwards(
    there: OnS3, session: Session, work: Path, s3: S3Server, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    command = f"until [ -e {go} ]; do sleep 0.05; done; python3 train.py"
    job = await asyncio.to_thread(submit, command, profile=MIG, files=work, session=session)
    async with asyncio.timeout(60):
        while not fetched(tmp_path / "node"):
            await asyncio.sleep(0.05)
    s3.stop()
    try:
        go.touch()
        async with there.service.http("ada", timeout=60) as http:
            pack = pack_of({"a": b"a"})
            refused = await http.put(f"/uploads/packs/{sha256(pack)}", content=pack)
            assert (refused.status_code, refused.json()["reason"]) == (503, "files-unavailable")
            assert (await http.get(f"/jobs/{job.id}")).json()["final"] is False
    finally:
        s3.start()
    assert await asyncio.to_thread(job.wait, 60, progress=False, poll=0.1) == "SUCCEEDED"
    artifacts = await asyncio.to_thread(lambda: job.artifacts)
    assert await asyncio.to_thread(artifacts["model.bin"].read) == b"w" * 9
    assert await asyncio.to_thread(job.logs) == "trained\n"


async def ended(http: httpx.AsyncClient, job_id: str) -> dict[str, object]:
    async with asyncio.timeout(60):
        while not (job := (await http.get(f"/jobs/{job_id}")).json())["final"]:
            await asyncio.sleep(0.05)
    return dict(job)


async def test_a_byte_flipped_in_the_bucket_is_named_and_a_silent_store_is_no_no(there: OnS3, s3: S3Server) -> None:
    async with there.service.http("ada") as http:
        body = {"command": "mkdir model && printf weights > model/w.bin", "profile": MIG, "key": "m"}
        job = (await http.post("/jobs", json=body)).json()["id"]
        async with asyncio.timeout(60):
            while (made := await http.post("/models/fraud/versions", json={"job": job})).status_code != 201:
                assert made.json()["reason"] in ("not-registrable", "job-not-settled"), made.text
                await asyncio.sleep(0.2)
        promote = {"version": "1", "reason": ""}
        assert (await http.post("/models/fraud/aliases/prod/promote", json=promote)).status_code == 200
        (path,) = [file for file in there.bucket.rglob(f"jobs/{job}/artifacts/*") if file.is_file()]
        path.write_bytes(b"Weights")
        refused = await http.post("/models/fraud/aliases/dev/promote", json=promote)
        assert (refused.status_code, refused.json()["field"]) == (409, "files.model/w.bin")
        assert (await http.get("/models/fraud/versions/prod/files/model/w.bin")).status_code == 409
