"""Odd bodies, addresses and texts, on SQLite and PostgreSQL: a clear 400 that names the field, and nothing is kept."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.service import executors
from aifactory_hub.service.api import uploads
from aifactory_hub.untrusted.readers import read_manifest_file

from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService, running_service
from ..support.uploads import pack_of, send_files, sha256
from .test_internal import started

JOB = {"command": "true", "profile": "mig-1g.10gb", "key": "k"}


@pytest.fixture
async def either(tmp_path: Path, hub: FakeHub, database_url: str) -> AsyncIterator[RunningService]:
    async with running_service(tmp_path / "s", hub=hub, reconciling=False, database=database_url) as service:
        yield service


def job(**changes: Any) -> bytes:
    return json.dumps({**JOB, **changes}).encode()


def raw(text: str) -> bytes:
    """A job with this text in it."""
    return json.dumps(JOB)[:-1].encode() + b", " + text.encode("utf-8", "surrogatepass") + b"}"


CASES = [
    (b"[" * 500_000 + b"]" * 500_000, "body"),
    (raw('"provenance": ' + '{"a":' * 65 + "1" + "}" * 65), "body"),
    (raw('"provenance": {"n": NaN}'), "provenance.n"),
    (raw('"provenance": {"n": [1, -Infinity]}'), "provenance.n.1"),
    (raw('"provenance": {"n": 1e400}'), "provenance.n"),
    (raw('"provenance": {"n": ' + "9" * 5000 + "}"), "provenance.n"),
    (raw('"provenance": {"n": 9223372036854775808}'), "provenance.n"),
    (raw('"provenance": {"a": "\\u0000"}'), "provenance.a"),
    (raw('"provenance": {"\\u0000": 1}'), "provenance.\\x00"),
    (raw('"provenance": {"a": "\\ud800"}'), "provenance.a"),
    (raw('"provenance": {"\\udfff": 1}'), "provenance.\\udfff"),
    (raw('"provenance": {"a": 1, "a": 2}'), "provenance.a"),
    (raw('"retry_backoff": NaN'), "retry_backoff"),
    (raw('"retries": ' + "9" * 900_000), "retries"),
    (raw('"tenant": "nlp", "tenant": "vision"'), "tenant"),
    (raw('"name": "\\ud800"'), "name"),
    (raw('"name": "\ud800"'), "body"),
    (b"\xff" + job(), "body"),
    (job(name="a\0b"), "name"),
    (job(environment={"A": "a\0b"}), "environment.A"),
    (job(name="a\x9b31mred"), "name"),
    (job(name="a\x1b[31mred"), "name"),
    (job(name="a\u202egnp.exe"), "name"),
    (job(name="a\u2066b"), "name"),
    (job(name="a\u2028b"), "name"),
    (job(name="a\x85b"), "name"),
    (job(outputs=["a\u202eb"]), "outputs.0"),
    (job(sweep="a\x9bb"), "sweep"),
    (job(key="a\u202eb"), "key"),
    (job(parameters={"a\x9bb": "1"}), "parameters.a\x9bb.[key]"),
]


@pytest.mark.parametrize("header", [False, True])
async def test_a_body_that_no_database_should_see_is_refused_by_field(either: RunningService, header: bool) -> None:
    headers = {"Idempotency-Key": "k"} if header else {}
    async with either.http("ada", timeout=60) as http:
        for body, field in CASES:
            answer = await http.post("/jobs", content=body, headers=headers)
            said = (answer.status_code, answer.json()["reason"], answer.json()["field"])
            assert said == (400, "bad-field", field), (body[:100], answer.text[:300])
        listed = await http.get("/jobs")
    assert (listed.status_code, listed.json()["jobs"]) == (200, [])


async def test_what_may_be_kept_is_given_back_as_it_was(either: RunningService) -> None:
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    told = {"n": 2**63 - 1, "f": 1e308, "t": "ö💥\u202e\n\x9b", "deep": deep, "big": ["x" * 100] * 3000}
    async with either.http("ada") as http:
        answer = await http.post("/jobs", content=job(provenance=told, command="a\tb\nc\u2028", name="ö 💥 שלום"))
        assert answer.status_code == 201, answer.text
        found = await http.get(f"/jobs/{answer.json()['id']}/provenance")

    def refuse(name: str) -> Any:
        raise ValueError(name)

    assert json.loads(found.text, parse_constant=refuse)["provenance"] == told
    assert answer.json()["name"] == "ö 💥 שלום"


async def test_a_name_made_of_a_command_is_printable(service: RunningService) -> None:
    async with service.http("ada") as http:
        answer = await http.post("/jobs", content=job(command="echo '\x1b[31m\u202e\x9b' \t!\nmore"))
    assert (answer.status_code, answer.json()["name"]) == (201, "echo '\\x1b[31m\\u202e\\x9b' \\t!")


@pytest.mark.parametrize(
    "path",
    [
        *("/jobs/%00", "/jobs/%ff%fe", "/jobs/j1%0a", "/jobs/%e2%80%ae", "/jobs/%ed%a0%80", "/jobs/%c2%9b/logs"),
        *("/jobs?text=%00", "/jobs?text=%ff", "/jobs?tenant=nlp%00", "/jobs?before=%00", "/jobs?state=%ff"),
        *("/quota?tenant=%00", "/schedules/%00", "/schedules?before=%00", "/jobs/j1/artifacts/a%00b"),
        *("/jobs?%00=1", "/jobs?%ff=1", "/jobs/%00/provenance", "/tenants/%00/profiles", "/jobs/%00/messages"),
    ],
)
async def test_odd_bytes_in_an_address_are_refused(either: RunningService, path: str) -> None:
    async with either.http("ada") as http:
        answer = await http.get(path)
        assert answer.status_code in (400, 404), answer.text
        assert answer.json()["detail"]
        for method in ("DELETE", "PATCH", "POST", "PUT"):
            assert (await http.request(method, path, content=b"{}")).status_code < 500


async def test_names_that_a_run_reports_are_printable(service: RunningService) -> None:
    run = await started(service)
    async with run.http as http:
        for name in ("a\x1b[31m", "a\nb", "a\x9b", "a\u202e"):
            answer = await http.post(run.path("progress"), json={"metrics": {name: 1.0}})
            assert (answer.status_code, answer.json()["field"].startswith("metrics")) == (400, True)
        for number in (b"NaN", b"1e400", b"9" * 5000):
            answer = await http.post(run.path("progress"), content=b'{"metrics":{"a":' + number + b"}}")
            assert (answer.status_code, answer.json()["field"]) == (400, "metrics.a")
        # The report of a job's end is never lost for a text in it.
        said = {"exit_code": 1, "problem": "\x1b]0;pwn\x07", "left": {"a\u202eb": "too\x9blarge"}}
        assert (await http.post(run.path("result"), json=said)).status_code == 200
    report = service.context.jobs.get(run.job_id).current.report  # type: ignore[union-attr]
    assert report == {"exit_code": 1, "problem": "\\x1b]0;pwn\\x07", "left": {"a\\u202eb": "too\\x9blarge"}}


async def test_a_large_body_waits_for_its_persons_turn_and_others_do_not(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One person's bodies are read one after the other; another person's is read between them."""
    reading: list[str] = []
    most = {"ada": 0}
    run = executors.PersonalPool.run

    async def watched(self: Any, person: str, call: Any, *args: Any, **kwargs: Any) -> Any:
        def slow(*args: Any, **kwargs: Any) -> Any:
            reading.append(person)
            most[person] = max(most.get(person, 0), reading.count(person))
            time.sleep(0.1)
            try:
                return call(*args, **kwargs)
            finally:
                reading.remove(person)

        return await run(self, person, slow, *args, **kwargs)

    monkeypatch.setattr(executors.PersonalPool, "run", watched)
    body = job(provenance={"text": "x" * 20_000})
    async with service.http("ada", timeout=60) as ada, service.http("eve", timeout=60) as eve:
        slow = [
            asyncio.create_task(ada.post("/jobs", content=body, headers={"Idempotency-Key": "k"})) for _ in range(20)
        ]
        await asyncio.sleep(0.2)
        answer = await eve.post("/jobs", content=body.replace(b'"k"', b'"e"'))
        assert answer.status_code == 201
        assert sum(task.done() for task in slow) < 15
        await asyncio.gather(*slow)
    assert most["ada"] == 1


async def test_a_manifest_may_not_lie_about_sizes(service: RunningService) -> None:
    async with service.http("ada") as http:
        await send_files(http, {"a": b"content"})
        for size in (0, 6, 8):
            named = [{"name": "a", "sha256": sha256(b"content"), "size": size}]
            body = json.dumps({"files": named}).encode()
            answer = await http.put(f"/uploads/manifests/{sha256(body)}", content=body)
            assert (answer.status_code, answer.json()["field"]) == (400, "files"), answer.text
            assert "has 7 bytes" in answer.json()["detail"]


async def test_others_are_answered_while_a_large_manifest_is_read(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest is read whole only after another person had ten answers meanwhile."""
    reading, answered = threading.Event(), threading.Event()
    read = read_manifest_file

    def held(path: Path) -> Any:
        reading.set()
        assert answered.wait(60), "others are not answered while a manifest is read"
        return read(path)

    monkeypatch.setattr(uploads, "read_manifest_file", held)
    files = [{"name": f"{'/'.join('a' * 60)}/{n:05d}", "sha256": sha256(b""), "size": 0} for n in range(20_000)]
    body = json.dumps({"files": files}).encode()
    async with service.http("ada", timeout=90) as ada, service.http("eve") as eve:
        pack = pack_of({"a": b""})
        assert (await ada.put(f"/uploads/packs/{sha256(pack)}", content=pack)).status_code == 201
        sending = asyncio.create_task(ada.put(f"/uploads/manifests/{sha256(body)}", content=body))
        while not reading.is_set():
            await asyncio.sleep(0.01)
        for _ in range(10):
            assert (await eve.get("/jobs")).status_code == 200
        assert not sending.done()
        answered.set()
        assert (await sending).status_code == 201, (await sending).text


async def test_an_entry_that_tarfile_reads_for_ever_is_refused_at_once(service: RunningService) -> None:
    from ..support.tar_blocks import base256, entry, header, packed

    async with service.http("ada") as http, service.http("eve") as eve:
        for number in range(10):
            body = packed([entry(b""), header(sha256(b"").encode(), base256(-512)), bytes(512 * (4 + number))])
            answer = await http.put(f"/uploads/packs/{sha256(body)}", content=body)
            assert (answer.status_code, answer.json()["field"]) == (400, "body")
        assert (await eve.get("/health")).status_code == 200


async def test_all_limits_are_told(service: RunningService) -> None:
    async with service.http() as http:
        said = (await http.get("/limits")).json()
    assert said["max_pack_entries"] == said["max_manifest_files"] == 100_000
    assert said["max_body_depth"] == said["max_depth"] == 64
