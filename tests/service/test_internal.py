"""What a runner may do with its job's token: report on its own job while it goes on, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from ..support.job_service import RunningService
from ..support.uploads import manifest_of, pack_of, send_files, sha256

MIG = "mig-1g.10gb"
FILES = {"train.py": b"print(1)", "copy.py": b"print(1)"}


@dataclass
class Run:
    """A job whose run was created, and its runner's client."""

    job_id: str
    http: httpx.AsyncClient

    def path(self, rest: str) -> str:
        return f"/internal/jobs/{self.job_id}/{rest}"


async def started(service: RunningService, owner: str = "ada", files: dict[str, bytes] | None = FILES) -> Run:
    async with service.http(owner) as http:
        body = {"command": "true", "profile": MIG, "key": "k"}
        if files is not None:
            body["files"] = await send_files(http, files)
        job_id = (await http.post("/jobs", json=body)).json()["id"]
    await service.reconciler.settle()
    spec = next(s for s in service.engine.created if s.run_id == job_id)
    return Run(job_id, service.http(spec.secret_files["token"]))


def digest(content: bytes) -> dict[str, str]:
    return {"X-Content-SHA256": hashlib.sha256(content).hexdigest()}


async def test_a_runner_gets_its_files_and_brings_home_what_it_made(service: RunningService) -> None:
    run = await started(service)
    async with run.http as http:
        sent = (await http.get(run.path("files"))).json()
        assert (sent["manifest"], sent["packs"]) == (manifest_of(FILES).decode(), [sha256(pack_of(FILES))])
        assert (await http.get(run.path(f"files/{sent['packs'][0]}"))).content == pack_of(FILES)
        assert (await http.get(run.path(f"files/{'0' * 64}"))).status_code == 404
        assert (await http.put(run.path("log"), content=b"out\n", headers=digest(b"out\n"))).status_code == 201
        name = "models%2Ffinal%20one.bin"
        answer = await http.put(run.path(f"artifacts/{name}"), content=b"w", headers=digest(b"w"))
        assert (answer.status_code, answer.json()["name"]) == (201, "models/final one.bin")
        result = {"exit_code": 0, "left": {"huge": "too big"}, "from_the_future": 1}
        assert (await http.post(run.path("result"), json=result)).status_code == 200
    async with service.http("ada") as http:
        assert (await http.get(f"/jobs/{run.job_id}/logs")).text == "out\n"
        assert (await http.get(f"/jobs/{run.job_id}/artifacts/{name}")).content == b"w"
        assert (await http.get(f"/jobs/{run.job_id}")).json()["left"] == {"huge": "too big"}


async def test_a_runners_word_does_not_make_a_job_succeed(service: RunningService) -> None:
    run = await started(service)
    async with run.http as http:
        await http.post(run.path("result"), json={"exit_code": 0})
    await service.reconciler.settle()
    async with service.http("ada") as http:
        assert (await http.get(f"/jobs/{run.job_id}")).json()["state"] == "STARTING"


async def test_a_token_is_good_for_its_own_job_only(service: RunningService) -> None:
    mine, other = await started(service), await started(service, "bob")
    async with mine.http as http, other.http:
        for job_id in (other.job_id, "j000000000000"):
            for method, rest in (
                ("GET", "files"),
                ("GET", f"files/{'0' * 64}"),
                ("PUT", "log"),
                ("PUT", "artifacts/x"),
                ("POST", "result"),
            ):
                answer = await http.request(
                    method, f"/internal/jobs/{job_id}/{rest}", content=b"{}", headers=digest(b"{}")
                )
                assert (answer.status_code, answer.json()["reason"]) == (403, "forbidden"), (rest, answer.text)
        assert (await http.get("/jobs")).status_code == 401
        assert (await http.post("/jobs", json={"command": "true", "key": "x"})).status_code == 401


async def test_a_persons_token_is_no_runners(service: RunningService) -> None:
    run = await started(service)
    async with service.http("ada") as http, run.http:
        assert (await http.get(run.path("files"))).status_code == 403
        assert (await http.get(f"/internal/jobs/{run.job_id}/files", headers={"Authorization": ""})).status_code == 401


async def test_a_token_ends_with_its_job(service: RunningService) -> None:
    run = await started(service)
    service.engine.end("nlp", run.job_id, 0)
    await service.reconciler.settle()
    async with run.http as http:
        answer = await http.put(run.path("log"), content=b"late", headers=digest(b"late"))
    assert (answer.status_code, answer.json()["reason"]) == (410, "job-over")


async def test_a_stopped_runs_last_words_are_still_taken(service: RunningService) -> None:
    run = await started(service)
    service.engine.slow_to_go.add(run.job_id)
    async with service.http("ada") as http:
        await http.delete(f"/jobs/{run.job_id}")
    await service.reconciler.settle()
    async with run.http as http:
        answer = await http.put(run.path("log"), content=b"last words\n", headers=digest(b"last words\n"))
    assert answer.status_code == 201
    service.engine.slow_to_go.clear()
    await service.reconciler.settle()
    async with service.http("ada") as http:
        assert (await http.get(f"/jobs/{run.job_id}/logs")).text == "last words\n"
        assert (await http.get(f"/jobs/{run.job_id}")).json()["state"] == "CANCELLED"


async def test_damaged_and_too_large_files_are_refused(service: RunningService) -> None:
    run = await started(service)
    limit = service.context.registry.jobs.max_log
    async with run.http as http:
        damaged = await http.put(run.path("log"), content=b"out", headers=digest(b"other"))
        missing = await http.put(run.path("log"), content=b"out")
        large = b"x" * (limit + 1)
        too_large = await http.put(run.path("log"), content=large, headers=digest(large))
    assert (damaged.status_code, damaged.json()["reason"]) == (422, "digest-mismatch")
    assert (missing.status_code, missing.json()["field"]) == (400, "X-Content-SHA256")
    assert (too_large.status_code, too_large.json()["limit"]) == (413, limit)


@pytest.mark.parametrize(
    "name", ["%2e%2e%2fx", "a%2f%2e%2e%2fb", "%2fetc%2fpasswd", "a%00b", "a//b", "x" * 501, "a%0ab"]
)
async def test_a_name_that_leads_outside_is_refused(service: RunningService, name: str) -> None:
    run = await started(service)
    async with run.http as http:
        answer = await http.put(run.path(f"artifacts/{name}"), content=b"w", headers=digest(b"w"))
    assert answer.status_code == 400, answer.text
    assert service.context.jobs.artifacts(run.job_id) == []


@pytest.mark.parametrize("body", ["{}", '{"exit_code": 256}', '{"exit_code": -1}', '{"exit_code": "x"}', "[]", ""])
async def test_a_bad_result_is_refused(service: RunningService, body: str) -> None:
    run = await started(service)
    async with run.http as http:
        answer = await http.post(run.path("result"), content=body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "bad-field")


async def test_a_job_without_files_has_none_to_fetch(service: RunningService) -> None:
    run = await started(service, files=None)
    async with run.http as http:
        assert (await http.get(run.path("files"))).json()["reason"] == "no-files"


async def test_a_run_says_how_far_it_is_and_people_see_it(service: RunningService) -> None:
    run = await started(service, files=None)
    async with run.http as http:
        said = {"progress": 40, "eta": 90.5, "metrics": {"loss": 0.25}, "from_the_future": 1}
        assert (await http.post(run.path("progress"), json=said)).status_code == 200
        assert (await http.post(run.path("progress"), json={"progress": 45})).status_code == 200
        bad = await http.post(run.path("progress"), json={"progress": 400})
        infinite = await http.post(run.path("progress"), content=b'{"metrics": {"loss": Infinity}}')
    assert (bad.status_code, bad.json()["field"], infinite.status_code) == (400, "progress", 400)
    async with service.http("ada") as http:
        seen = (await http.get(f"/jobs/{run.job_id}")).json()["progress"]
    assert (seen["percent"], seen["eta_seconds"], seen["metrics"]) == (45, 90.5, {"loss": 0.25})


async def test_an_upload_that_began_before_the_end_changes_nothing_after_it(service: RunningService) -> None:
    """A version of a model may refer to the file that is there."""
    async with service.http("ada") as http:
        body = {"command": "true", "profile": "mig-1g.10gb", "key": "late"}
        job = (await http.post("/jobs", json=body)).json()["id"]
    await service.reconciler.settle()
    token = next(spec for spec in service.engine.created if spec.run_id.startswith(job)).secret_files["token"]

    async def late() -> AsyncIterator[bytes]:
        yield b"new "
        async with asyncio.timeout(10):
            while not service.context.room.reserved_for(job):  # it has been let in
                await asyncio.sleep(0.01)
        service.engine.end("nlp", job, 0)
        await service.reconciler.settle()
        yield b"bytes"

    async with service.http(token) as runner:
        path, content = f"/internal/jobs/{job}/artifacts/w.bin", b"old bytes"
        assert (await runner.put(path, content=content, headers=digested(content))).status_code == 201
        headers = {**digested(b"new bytes"), "Content-Length": "9"}
        answer = await runner.put(path, content=late(), headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (410, "job-over")
    assert service.context.files.read(service.context.files.artifact(job, "w.bin")) == b"old bytes"


def digested(content: bytes) -> dict[str, str]:
    return {"X-Content-SHA256": hashlib.sha256(content).hexdigest()}
