"""Connections end, and half a request of a stranger's keeps nobody else out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from aifactory_hub.service import executors
from aifactory_hub.service.api import connections, limits, public
from aifactory_hub.service.api.connections import Phase
from aifactory_hub.service.api.limits import Kind, Limits

from ..support.fake_hub import FakeHub
from ..support.hub_proxy import hub_proxy
from ..support.job_service import PREFIX, RunningService, running_service
from .test_events import JOB, listening, submitted

HALF_HEADERS = f"GET {PREFIX}api/v1/limits HTTP/1.1\r\nHost: x\r\n".encode()
HALF_BODY = f"POST {PREFIX}api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Time-outs that a test can wait for."""
    monkeypatch.setattr(connections, "IDLE_TIMEOUT", 0.5)
    monkeypatch.setattr(connections, "BODY_IDLE_TIMEOUT", 0.5)
    monkeypatch.setattr(connections, "_SWEEP_EVERY", 0.05)
    yield


@pytest.fixture
async def quick(hurried: None, tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    async with running_service(tmp_path, hub=hub, reconciling=False) as service:
        yield service


@contextlib.asynccontextmanager
async def connected(
    service: RunningService, sent: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    where = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(sent)
    await writer.drain()
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("sent", [b"", b"GE", HALF_HEADERS], ids=["nothing", "half a line", "half the headers"])
async def test_a_connection_without_a_whole_request_ends(quick: RunningService, sent: bytes) -> None:
    async with asyncio.timeout(5), connected(quick, sent) as (reader, _):
        assert await reader.read() == b""


async def test_a_body_that_stands_still_ends_with_words(quick: RunningService) -> None:
    async with asyncio.timeout(5), connected(quick, HALF_BODY) as (reader, _):
        answer = await reader.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["reason"] == "too-slow"


async def test_a_body_that_drips_ends_and_one_that_comes_slowly_does_not(
    quick: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BODY_GRACE", 0.2)
    monkeypatch.setattr(connections, "SLOWEST_BODY", 100)

    async def send(pause: float, size: int) -> int:
        head = f"POST {PREFIX}api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n".encode()
        async with asyncio.timeout(20), connected(quick, head) as (reader, writer):
            sent = 0
            answer = asyncio.create_task(reader.readline())
            while sent < 500 and not answer.done():
                writer.write(b" " * size)
                sent += size
                await asyncio.wait([answer], timeout=pause)
            return int((await answer).split()[1])

    dripping, slow = await asyncio.gather(send(0.1, 1), send(0.1, 50))
    assert (dripping, slow) == (408, 401)


async def test_half_requests_make_room_for_whole_ones(service: RunningService) -> None:
    service.server.most = 20
    async with contextlib.AsyncExitStack() as slow, asyncio.timeout(20):
        opened = [await slow.enter_async_context(connected(service, half)) for half in (HALF_HEADERS, HALF_BODY) * 30]
        async with service.http("ada", timeout=5) as http:
            for _ in range(5):
                assert (await http.get("/jobs")).status_code == 200
        assert len(service.server.open) <= 20
        ended = [reader for reader, _ in opened if reader.at_eof() or await _ended(reader)]
        assert len(ended) >= 40
        assert not await _ended(opened[-1][0]), "the newest were closed before the oldest"


async def _ended(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(0.05):
            await reader.read()
            return True
    except TimeoutError:
        return False
    except ConnectionError:
        return True


async def test_what_is_being_answered_is_never_closed_for_another_one(service: RunningService) -> None:
    async with service.http("ada") as http:
        job_id = await submitted(http)
        async with contextlib.AsyncExitStack() as held:
            heard = await held.enter_async_context(listening(http, f"/jobs/{job_id}/events"))
            await heard.next()
            service.server.most = len([each for each in service.server.open.values() if each.phase is Phase.WORKING])
            async with connected(service, HALF_HEADERS) as (reader, _):
                assert await reader.read() == b""
            service.server.most = 100
            service.context.jobs.ask_cancel(job_id, by="ada", now=1.0)
            assert (await heard.next())[1]["cancel_asked"] is True


async def test_an_answer_that_nobody_takes_ends(quick: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_TIMEOUT", 0.3)
    async with quick.http("ada") as http:
        job_id = await submitted(http)
    job = quick.context.jobs.get(job_id)
    assert job is not None
    await asyncio.to_thread(quick.context.spool.append, job.run_id, 0, b"x" * 9 * 2**20)
    asks = f"GET {PREFIX}api/v1/jobs/{job_id}/logs HTTP/1.1\r\nHost: x\r\nAuthorization: token ada\r\n\r\n".encode()
    async with asyncio.timeout(10), connected(quick, asks) as (reader, _):
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        while not any(each.phase is Phase.SENT for each in quick.server.open.values()):
            await asyncio.sleep(0.02)
        while quick.server.open:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("path", ["/jobs", "/nowhere", "/jobs/dry-run"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused_in_words(service: RunningService, path: str, chunked: bool) -> None:
    body = b" " * (3 * 2**20)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 2**16):
            yield body[start : start + 2**16]

    async with service.http("ada") as http:
        answer = await http.post(path, content=pieces() if chunked else body)
        assert answer.status_code == 413, answer.text
        assert (answer.json()["reason"], answer.json()["limit"]) == ("too-large", 2**20)
        assert (await http.get("/jobs")).status_code == 200


async def test_no_token_is_logged(
    service: RunningService, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    token = "secret-token-0123456789"
    service.hub.add(token, "ada2", [*service.hub.models["ada"]["scopes"]])
    async with service.http(token) as http:
        for method, path in (
            ("GET", "/jobs"),
            ("GET", "/nowhere"),
            ("PUT", "/jobs"),
            ("PROPFIND", "/jobs"),
            ("GET", "/jobs/jnone"),
            ("POST", "/jobs"),
        ):
            await http.request(method, f"{path}?token={token}&access_token={token}")
        monkeypatch.setattr(service.context.jobs, "newest", lambda *_, **__: 1 / 0)
        failed = await http.get("/jobs", headers={"X-Token": token, "Referer": f"http://x/?token={token}"})
        assert failed.status_code == 500
    assert "ZeroDivisionError" in caplog.text, "what nobody expected is logged"
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert len(ours) > 6
    assert not any(token in logging.Formatter().format(record) for record in ours)


async def test_one_person_may_hold_so_many_streams_and_no_more(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits.MOST_OPEN, Kind.STREAMS, 3)
    async with service.http("ada") as ada, service.http("bob") as bob:
        job_id = await submitted(ada)
        path = f"/jobs/{job_id}/events"
        async with contextlib.AsyncExitStack() as held:
            followers = [await held.enter_async_context(listening(ada, path)) for _ in range(3)]
            for heard in followers:
                await heard.next()
            refused = await ada.get(path)
            assert (refused.status_code, refused.json()["reason"]) == (429, "too-many-open")
            assert refused.json()["detail"].startswith("You have 3 streams open at once, which is the limit.")
            assert int(refused.headers["Retry-After"]) > 0
            assert (await ada.get("/jobs")).status_code == 200
            other = await held.enter_async_context(listening(bob, path))
            await other.next()
        async with asyncio.timeout(10):
            while service.context.limits.open(Kind.STREAMS, "person ada"):
                await asyncio.sleep(0.02)
        async with listening(ada, path) as heard:
            await heard.next()


@pytest.mark.parametrize("kind", [Kind.REQUESTS, Kind.UPLOADS])
async def test_one_person_may_have_so_many_requests_open(
    service: RunningService, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    monkeypatch.setitem(limits.MOST_OPEN, kind, 2)
    go_on = threading.Event()
    newest = service.context.jobs.newest

    def waits(*args: object, **named: object) -> object:
        go_on.wait(10)
        return newest(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(service.context.jobs, "newest", waits)
    holds = service.context.limits
    ends: list[asyncio.Task[httpx.Response]] = []
    verb, path = ("GET", "/quota") if kind is Kind.REQUESTS else ("PUT", f"/uploads/packs/{'0' * 64}")
    async with service.http("ada") as ada, service.http("eve") as eve:
        if kind is Kind.REQUESTS:
            ends += [asyncio.create_task(ada.get("/jobs")) for _ in range(2)]
        else:
            held = [holds.take(kind, "person ada") for _ in range(2)]
        async with asyncio.timeout(10):
            while holds.open(kind, "person ada") < 2:
                await asyncio.sleep(0.01)
        refused = await ada.request(verb, path)
        assert (refused.status_code, refused.json()["reason"]) == (429, "too-many-open")
        assert (await eve.get("/quota")).status_code == 200
        go_on.set()
        for task in ends:
            assert (await task).status_code == 200
        if kind is Kind.UPLOADS:
            for release in held:
                release()
        assert (await ada.request(verb, path)).status_code in (200, 422)
        assert holds.open(kind, "person ada") == 0


async def test_what_is_broken_off_is_not_counted_for_ever(service: RunningService) -> None:
    digest = "0" * 64
    head = (
        f"PUT {PREFIX}api/v1/uploads/packs/{digest} HTTP/1.1\r\nHost: x\r\nAuthorization: token ada\r\n"
        "Content-Length: 1000\r\n\r\nx"
    ).encode()
    holds = service.context.limits
    async with asyncio.timeout(10):
        async with connected(service, head):
            while not holds.open(Kind.UPLOADS, "person ada"):
                await asyncio.sleep(0.01)
        while holds.open(Kind.UPLOADS, "person ada"):
            await asyncio.sleep(0.01)
    assert not holds._open


def test_counting_off_twice_counts_once() -> None:
    holds = Limits()
    first, _ = holds.take(Kind.UPLOADS, "a"), holds.take(Kind.UPLOADS, "a")
    first()
    assert holds.open(Kind.UPLOADS, "a") == 1


@pytest.mark.parametrize(("soft", "hard", "most"), [(256, 1024, 768), (64, 200, 16), (1024, 8192, 4096)])
def test_the_file_limit_is_raised_and_connections_fit_below_it(soft: int, hard: int, most: int) -> None:
    program = (
        "import resource, logging; logging.basicConfig();"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
        "from aifactory_hub.service.api.connections import most_connections;"
        "print(most_connections(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(most), str(hard)]
    assert ("limit of open files is low" in done.stderr) == (most < connections.MOST_CONNECTIONS)


async def test_health_tells_stuck_threads_and_a_database_that_does_not_answer(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public, "HEALTH_TIMEOUT", 0.3)
    go_on = threading.Event()
    async with service.http(timeout=5) as http:
        monkeypatch.setattr(service.context.jobs, "answers", lambda: go_on.wait(30))
        away, alive = await http.get("/health"), await http.get("/health?database=false")
        assert (away.status_code, away.json()["status"]) == (503, "database-unavailable")
        assert (alive.status_code, alive.json()["status"], alive.json()["database"]) == (200, "ok", None)
        waits = [asyncio.create_task(executors.reads.run(go_on.wait, 30)) for _ in range(100)]
        await asyncio.sleep(0)
        for path in ("/health", "/health?database=false"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["status"]) == (503, "stuck")
        go_on.set()
        await asyncio.gather(*waits)
        monkeypatch.undo()
        assert (await http.get("/health")).status_code == 200


async def test_a_refusal_leaves_the_connection_as_it_says(service: RunningService) -> None:
    """A client that reuses its connection, or is told not to, never meets a closed one."""
    async with service.http("ada") as http:
        for number in range(3):
            assert (await http.post("/jobs", content=b"x" * 2**21)).status_code == 413
            assert (await http.get("/jobs/%ff%fe")).status_code == 400
            assert (await http.request("PROPFIND", "/jobs")).status_code == 405
            assert (await http.put("/uploads/packs/x", content=b"x")).status_code == 400
            assert (await http.post("/jobs", json={**JOB, "key": f"k{number}"})).status_code == 201


async def test_half_a_body_ends_through_the_hub_s_proxy_too(quick: RunningService) -> None:
    proxy = hub_proxy(quick.url, silence=300.0)
    url = (await asyncio.to_thread(proxy.__enter__)).url
    try:
        where = urlsplit(url)
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            writer.write(HALF_BODY)
            answer = await reader.readuntil(b"\r\n")
            writer.close()
        assert int(answer.split()[1]) in (408, 503), answer
        async with asyncio.timeout(20):
            while quick.server.open:
                await asyncio.sleep(0.05)
    finally:
        await asyncio.to_thread(proxy.__exit__, None, None, None)
