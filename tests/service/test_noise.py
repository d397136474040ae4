"""What one person sends much of costs them time, and others little. ``benchmarks.noisy`` measures the whole of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aifactory_hub.service import executors
from aifactory_hub.service.api import events, limits
from aifactory_hub.service.api.limits import Kind
from aifactory_hub.service.auth import hub_auth
from aifactory_hub.service.executors import PersonalPool, Pool, let_the_event_loop_go_first
from aifactory_hub.service.pace import Pace
from aifactory_hub.store import Incoming

from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService
from ..support.uploads import send_files, sha256
from .test_events import listening, submitted
from .test_room import big_pack, half_an_upload, until

MIB = 2**20


async def test_reading_at_once_with_one_token_shares_one_question(service: RunningService, hub: FakeHub) -> None:
    async with service.http("ada") as http:
        answers = await asyncio.gather(*(http.get("/quota") for _ in range(40)))
    assert [answer.status_code for answer in answers] == [200] * 40
    assert hub.asked == 1


async def test_a_hub_that_fails_for_a_change_takes_nothing_from_reading(service: RunningService, hub: FakeHub) -> None:
    async with service.http("ada") as http:
        assert (await http.get("/quota")).status_code == 200
        hub.memberships_status = 500
        await asyncio.sleep(hub_auth.SHARED)
        assert (await http.post("/jobs", json={"command": "true"})).status_code == 503
        assert (await http.get("/quota")).status_code == 200, "what was known ten seconds ago at most serves reading"
        hub.memberships_status = 200
        del hub.models["ada"]
        assert (await http.post("/jobs", json={"command": "true"})).status_code == 401
        assert (await http.get("/quota")).status_code == 401


@pytest.mark.parametrize("kind", [Kind.STREAMS, Kind.UPLOADS, Kind.REQUESTS])
async def test_a_request_that_is_one_too_many_is_refused_before_the_hub_is_asked(
    service: RunningService, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    monkeypatch.setattr(hub_auth, "SHARED", -1.0)
    monkeypatch.setattr(hub_auth, "CACHE_MAX_AGE", -1.0)  # each request that gets so far asks
    monkeypatch.setitem(limits.MOST_OPEN, kind, 1)
    verb, path = {
        Kind.STREAMS: ("GET", "/events"),
        Kind.UPLOADS: ("PUT", f"/uploads/packs/{'0' * 64}"),
        Kind.REQUESTS: ("GET", "/quota"),
    }[kind]
    async with service.http("ada") as ada, service.http("bob") as bob:
        assert (await ada.get("/jobs")).status_code == 200
        release = service.context.limits.take(kind, "person ada")
        asked = hub.asked
        for _ in range(5):
            refused = await ada.request(verb, path)
            assert (refused.status_code, refused.json()["reason"]) == (429, "too-many-open")
            assert int(refused.headers["Retry-After"]) > 0
        assert hub.asked == asked
        release()
        assert (await bob.get("/quota")).status_code == 200


@contextlib.asynccontextmanager
async def counting(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """The jobs that are read one by one."""
    read: list[str] = []
    get = service.context.jobs.get

    def counted(job_id: str) -> Any:
        read.append(job_id)
        return get(job_id)

    monkeypatch.setattr(service.context.jobs, "get", counted)
    yield read


async def test_who_follows_a_job_does_not_read_it_for_every_change_of_another(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service.http("ada") as ada, service.http("bob") as bob:
        job_id = await submitted(ada)
        async with listening(ada, f"/jobs/{job_id}/events") as heard, counting(service, monkeypatch) as read:
            await heard.next()
            for number in range(8):
                await submitted(bob, f"b{number}")
                await asyncio.sleep(0.05)
            assert read.count(job_id) == 0
            service.context.jobs.ask_cancel(job_id, by="ada", now=1.0)
            assert (await heard.next())[1]["cancel_asked"] is True
            assert read.count(job_id) == 1


async def test_changes_that_come_while_a_stream_waits_are_told_at_once_and_read_once(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[set[str]] = []
    some = service.context.jobs.some

    def counted(jobs: Any) -> Any:
        read.append(set(jobs))
        return some(jobs)

    monkeypatch.setattr(service.context.jobs, "some", counted)
    async with contextlib.AsyncExitStack() as stack, service.http("ada") as ada, service.http("bob") as bob:
        many = [await stack.enter_async_context(listening(ada, "/events")) for _ in range(20)]
        for heard in many:
            assert (await heard.next())[0] == "reload"
        told = [await submitted(bob, f"b{number}") for number in range(6)]
        for heard in many:
            found: list[str] = []
            while told[-1] not in found:
                found.append((await heard.next())[1]["id"])
            assert sorted(set(found)) == sorted(told)
    assert sum(map(len, read)) <= len(told) + 1, "each change was read once for all of them"


async def test_a_stream_of_which_others_teams_change_all_the_time_is_kept_alive(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE", 0.1)
    monkeypatch.setattr(events, "_LOOK_AGAIN", 0.02)
    async with service.http("ada") as ada, service.http("eve") as eve, listening(ada, "/events") as heard:
        await heard.next()

        async def busy() -> None:
            for number in range(20):
                await submitted(eve, f"e{number}")

        working = asyncio.create_task(busy())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await heard.next()
        await working
    assert heard.comments >= 2


async def test_bodies_are_written_in_threads_of_their_own(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    write = Incoming.write

    def watched(self: Incoming, chunk: bytes) -> None:
        names.append(threading.current_thread().name.split("_")[0])
        write(self, chunk)

    monkeypatch.setattr(Incoming, "write", watched)
    pack = big_pack(2 * MIB)
    async with service.http("ada") as http:
        answer = await http.put(f"/uploads/packs/{sha256(pack)}", content=pack)
    assert answer.status_code == 201, answer.text
    assert set(names) == {"receiving"}
    assert 2 <= len(names) <= len(pack) // (256 * 1024) + 1


async def test_a_disk_that_is_full_while_a_body_comes_is_said(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Incoming, "write", full)
    pack = big_pack(2 * MIB)
    async with service.http("ada") as http:
        answer = await http.put(f"/uploads/packs/{sha256(pack)}", content=pack)
    assert (answer.status_code, answer.json()["reason"]) == (507, "disk-full")
    assert not service.context.room._open


async def test_a_connection_that_ends_while_a_piece_is_written_leaves_nothing(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on = threading.Event(), threading.Event()
    write = Incoming.write

    def slow(self: Incoming, chunk: bytes) -> None:
        writing.set()
        go_on.wait(10)
        write(self, chunk)

    monkeypatch.setattr(Incoming, "write", slow)
    pack = big_pack(2 * MIB)
    with contextlib.suppress(ConnectionError):
        async with half_an_upload(service, pack, MIB):
            await until(writing.is_set)
            for connection in list(service.server.open.values()):
                connection.stream.close()  # as for a body that comes too slowly
            await asyncio.sleep(0.1)
            assert service.context.room._open, "a thread has the file"
            go_on.set()
    await until(lambda: not service.context.room._open and not list(service.context.files._incoming.glob("*")))


async def test_bodies_wait_only_beside_others_and_only_the_senders(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[tuple[str, float]] = []

    async def wait(self: Pace, holder: str, amount: float = 1.0) -> None:
        if self is service.context.body_pace:
            waited.append((holder, amount))

    monkeypatch.setattr(Pace, "wait", wait)
    pack = big_pack(MIB)
    async with service.http("ada") as ada, service.http("eve") as eve, service.http() as stranger:
        assert (await ada.put(f"/uploads/packs/{sha256(pack)}", content=pack)).status_code == 201
        assert waited == [], "ada was alone"
        assert (await eve.get("/quota")).status_code == 200
        assert (await ada.put(f"/uploads/packs/{sha256(pack)}", content=pack)).status_code == 201
        assert {holder for holder, _ in waited} == {"person ada"}
        assert sum(size for _, size in waited) >= len(pack) - 128 * 1024, "all but the first piece"
        waited.clear()
        # A body that is refused comes no faster, whether it is known whose it is or not.
        await ada.post("/jobs", content=b"x" * 2 * MIB)
        await stranger.post("/jobs", content=b"x" * 2 * MIB)
        assert {holder for holder, _ in waited} == {"person ada", "strangers"}
        waited.clear()
        assert (await ada.post("/jobs", json={"command": "true", "profile": "no"})).status_code == 400
        await send_files(ada, {"a": b"small"})
        assert waited == [], "small ones wait for nothing"


class Clock:
    """Time that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_pace_lets_much_through_at_once_and_then_so_much_a_second() -> None:
    clock = Clock()
    pace = Pace(10, 20, clock=clock)
    pace.charge("a", 20)
    assert pace.pause("a") == 0
    pace.charge("a", 5)
    assert pace.pause("a") == pytest.approx(0.5)
    assert pace.pause("b") == 0
    clock.now += 0.5
    assert pace.pause("a") == 0
    clock.now += 1000  # no more is saved up than at the beginning
    pace.charge("a", 30)
    assert pace.pause("a") == pytest.approx(1)


def test_nobody_owes_more_than_the_most_and_nobody_is_remembered_for_ever() -> None:
    clock = Clock()
    pace = Pace(10, 20, most_owed=30, clock=clock)
    pace.charge("a", 1e9)
    assert pace.pause("a") == pytest.approx(3)
    for number in range(5000):
        clock.now += 1
        pace.charge(f"p{number}", 1)
    assert len(pace._paid) <= 1001


async def test_who_uses_much_processor_time_waits_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "SAVED", 0.05)
    pool = PersonalPool(Pool("test", 1), 1)

    def burn(seconds: float) -> None:
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass

    order: list[str] = []

    async def run(person: str, seconds: float) -> None:
        await pool.run(person, burn, seconds)
        order.append(person)

    await run("noisy", 0.15)
    began = time.monotonic()
    noisy = [asyncio.create_task(run("noisy", 0.05)) for _ in range(2)]
    await asyncio.sleep(0)
    await run("quiet", 0)
    await asyncio.gather(*noisy)
    assert order == ["noisy", "quiet", "noisy", "noisy"]
    # More than was saved up is owed, 0.05 s at most, at a fifth of a second in each; then 0.05 s more.
    assert time.monotonic() - began >= 0.24 + 0.24


def test_a_process_that_reads_takes_what_others_leave_of_the_processors() -> None:
    code = (
        "import os; from aifactory_hub.untrusted import worker; worker._limit_ourselves(2**30, 20); print(os.nice(0))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(told) == min(19, os.nice(0) + 19)


def test_threads_give_the_interpreter_back_soon() -> None:
    before = sys.getswitchinterval()
    try:
        let_the_event_loop_go_first()
        assert sys.getswitchinterval() <= 0.001
    finally:
        sys.setswitchinterval(before)
