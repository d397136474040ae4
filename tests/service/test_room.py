"""Room on the service's disk: reserved before anything comes, given back however it ends, passed by no race."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from aifactory_hub.domain.room import Disk, RoomLimits, decide_room, log_limit
from aifactory_hub.registry.model import JobsConfig
from aifactory_hub.service.room import LEAST_LOG

from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService, make_registry, running_service
from ..support.uploads import pack_of, sha256
from .test_internal import started

MIB = 2**20
LARGE = JobsConfig("job:test", max_artifacts=10 * MIB, room_per_person=10 * MIB, room_per_team=25 * MIB, keep_free=0)


@asynccontextmanager
async def with_limits(path: Path, hub: FakeHub, limits: JobsConfig) -> AsyncIterator[RunningService]:
    async with running_service(
        path, hub=hub, registry=lambda url: make_registry(service=url, jobs=limits), reconciling=False
    ) as service:
        yield service


def big_pack(size: int) -> bytes:
    """A pack of about so many bytes: what is in it can't be compressed."""
    return pack_of({"a": os.urandom(size)})


async def send(http: httpx.AsyncClient, pack: bytes) -> httpx.Response:
    return await http.put(f"/uploads/packs/{sha256(pack)}", content=pack)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


async def test_packs_at_the_same_time_do_not_pass_a_persons_limit(tmp_path: Path, hub: FakeHub) -> None:
    async with with_limits(tmp_path, hub, LARGE) as service, service.http("ada", timeout=60) as http:
        packs = [big_pack(3 * MIB) for _ in range(6)]
        answers = await asyncio.gather(*(send(http, pack) for pack in packs))
        assert sorted(answer.status_code for answer in answers) == [201] * 3 + [413] * 3
        refused = next(answer.json() for answer in answers if answer.status_code == 413)
        assert (refused["reason"], refused["limit"]) == ("no-room", 10 * MIB)
        assert refused["asked"] > 3 * MIB
        assert refused["used"] > 9 * MIB
        assert sum(refused["holds"].values()) == refused["used"]
        assert "10.0 MiB" in refused["detail"]
        kept = sum(len(pack) for pack, answer in zip(packs, answers, strict=True) if answer.status_code == 201)
        await service.context.room.recount()
        assert service.context.room.holders() == {("nlp", "ada"): {"packs": kept}}
        # Another person of the team is not in the way, and another team is not either.
        async with service.http("bob") as bob, service.http("eve") as eve:
            assert (await send(bob, big_pack(3 * MIB))).status_code == 201
            assert (await send(eve, big_pack(3 * MIB))).status_code == 201


async def test_a_team_has_a_limit_of_its_own(tmp_path: Path, hub: FakeHub) -> None:
    async with with_limits(tmp_path, hub, LARGE) as service:
        for name, statuses in (("ada", [201, 201]), ("bob", [201, 201]), ("grace", [201, 413])):
            async with service.http(name, timeout=60) as http:
                answers = [await send(http, big_pack(4 * MIB + MIB // 2)) for _ in range(2)]
            assert [answer.status_code for answer in answers] == statuses
        assert answers[-1].json()["detail"].startswith("Team nlp holds")
        assert answers[-1].json()["limit"] == 25 * MIB


async def test_result_files_at_the_same_time_do_not_pass_a_jobs_limit(tmp_path: Path, hub: FakeHub) -> None:
    # The person has room; the job has not.
    limits = JobsConfig("job:test", max_artifacts=10 * MIB, keep_free=0)
    async with with_limits(tmp_path, hub, limits) as service:
        run = await started(service)
        body = bytes(8 * MIB)
        headers = {"X-Content-SHA256": sha256(body)}
        run.http.timeout = httpx.Timeout(60)
        async with run.http as http:
            puts = (http.put(run.path(f"artifacts/f{n}"), content=body, headers=headers) for n in range(6))
            answers = await asyncio.gather(*puts)
            assert sorted(answer.status_code for answer in answers) == [201] + [413] * 5
            kept = next(n for n, answer in enumerate(answers) if answer.status_code == 201)
            # The same one again replaces it and is not counted twice, also not in the next moment.
            for _ in range(5):
                again = await http.put(run.path(f"artifacts/f{kept}"), content=body, headers=headers)
                assert again.status_code == 201, again.text
            small = await http.put(run.path("artifacts/s"), content=b"s", headers={"X-Content-SHA256": sha256(b"s")})
            assert small.status_code == 201
        assert sum(a.size for a in service.context.jobs.artifacts(run.job_id)) == 8 * MIB + 1


async def test_many_result_files_one_after_the_other_use_the_limit_to_its_last_byte(
    tmp_path: Path, hub: FakeHub
) -> None:
    limits = JobsConfig("job:test", max_artifacts=40_000, keep_free=0)
    async with with_limits(tmp_path, hub, limits) as service:
        run = await started(service)
        body, headers = bytes(1000), {"X-Content-SHA256": sha256(bytes(1000))}
        async with run.http as http:
            puts = (http.put(run.path(f"artifacts/f{n}"), content=body, headers=headers) for n in range(40))
            assert {(await put).status_code for put in puts} == {201}
            more = await http.put(run.path("artifacts/more"), content=b"x", headers={"X-Content-SHA256": sha256(b"x")})
            assert (more.status_code, more.json()["limit"]) == (413, 0)


async def test_a_full_disk_refuses_uploads_and_jobs_go_on(service: RunningService) -> None:
    files: Any = service.context.files
    run = await started(service)
    files.disk = lambda: (1000 * MIB, 101 * MIB)
    service.context.room._looked_at = float("-inf")
    pack = big_pack(2 * MIB)
    async with service.http("ada") as http, run.http as runner:
        refused = await send(http, pack)
        assert (refused.status_code, refused.json()["reason"], refused.json()["limit"]) == (507, "disk-full", 100 * MIB)
        assert refused.json()["asked"] == len(pack)
        submitted = await http.post("/jobs", json={"command": "true", "profile": "mig-1g.10gb", "key": "new"})
        assert submitted.status_code == 201
        said = await runner.post(run.path("log/pieces"), params={"offset": 0}, content=b"on it goes\n")
        assert said.status_code == 200
        assert (await runner.post(run.path("result"), json={"exit_code": 0})).status_code == 200
        small = await send(http, big_pack(1000))
        assert small.status_code == 201, small.text


async def test_a_disk_that_is_full_in_the_middle_is_said(service: RunningService, monkeypatch: Any) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(service.context.files._blobs, "put", full)
    async with service.http("ada") as http:
        answer = await send(http, big_pack(1000))
    assert (answer.status_code, answer.json()["reason"]) == (507, "disk-full")
    assert service.context.room.holders() == {}


@asynccontextmanager
async def half_an_upload(service: RunningService, pack: bytes, part: int) -> AsyncIterator[asyncio.StreamWriter]:
    """A PUT whose body stops after ``part`` bytes; its connection is closed at the end."""
    where = urlsplit(service.url)
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    head = (
        f"PUT {where.path}api/v1/uploads/packs/{sha256(pack)} HTTP/1.1\r\nHost: x\r\nAuthorization: token ada\r\n"
        f"Content-Length: {len(pack)}\r\n\r\n"
    )
    writer.write(head.encode() + pack[:part])
    await writer.drain()
    try:
        yield writer
    finally:
        writer.close()
        await writer.wait_closed()


def held(service: RunningService) -> dict[str, int]:
    return dict(service.context.room.holders().get(("nlp", "ada"), {}))


async def test_what_is_reserved_is_given_back_when_the_sender_goes(service: RunningService) -> None:
    pack = big_pack(MIB)
    async with half_an_upload(service, pack, 1000):
        await until(lambda: held(service) == {"uploads": len(pack)})
    await until(lambda: held(service).get("uploads", 0) == 0)


async def test_a_sender_who_goes_before_anything_was_asked_leaves_nothing(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack, room, go_on, asked = big_pack(MIB), service.context.room, asyncio.Event(), asyncio.Event()
    reserve = room.reserve

    async def slow(*args: Any, **kwargs: Any) -> Any:
        asked.set()
        await go_on.wait()
        return await reserve(*args, **kwargs)

    monkeypatch.setattr(room, "reserve", slow)
    async with half_an_upload(service, pack, 1000):
        await asked.wait()
    await asyncio.sleep(0.1)  # the connection's end has been seen by now, or comes later: both must do
    go_on.set()
    await until(lambda: not room._open and not list((service.context.files._root / "incoming").glob("*")))


@pytest.mark.parametrize("kind", ["damaged", "no pack", "wrong name", "taken"])
async def test_what_is_reserved_is_given_back_when_the_upload_is_answered(service: RunningService, kind: str) -> None:
    pack = big_pack(MIB) if kind in ("damaged", "taken") else b"x" * 1000
    name = {"damaged": "0" * 64, "wrong name": "x"}.get(kind, sha256(pack))
    async with service.http("ada") as http:
        answer = await http.put(f"/uploads/packs/{name}", content=pack)
    expected = {"damaged": 422, "no pack": 400, "wrong name": 400, "taken": 201}[kind]
    assert answer.status_code == expected
    assert not service.context.room._open
    assert held(service) == ({"packs": len(pack)} if kind == "taken" else {})


async def test_a_crash_leaves_no_reservation_and_a_start_counts_what_there_is(tmp_path: Path, hub: FakeHub) -> None:
    pack = big_pack(MIB)
    async with with_limits(tmp_path, hub, LARGE) as service:
        async with service.http("ada") as http:
            assert (await send(http, pack)).status_code == 201
        await service.context.room.reserve("nlp", "ada", "packs", 8 * MIB)
    async with with_limits(tmp_path, hub, LARGE) as again:
        assert held(again) == {"packs": len(pack)}


async def test_who_removes_files_has_room_again_at_once(tmp_path: Path, hub: FakeHub) -> None:
    async with with_limits(tmp_path, hub, LARGE) as service:
        run = await started(service, files=None)
        body = bytes(9 * MIB)
        async with run.http as http:
            headers = {"X-Content-SHA256": sha256(body)}
            assert (await http.put(run.path("artifacts/a"), content=body, headers=headers)).status_code == 201
        async with service.http("ada", timeout=60) as http, service.http("bob") as bob:
            refused = (await send(http, big_pack(2 * MIB))).json()
            assert refused["largest"] == [{"job": run.job_id, "bytes": 9 * MIB}]
            where = f"/jobs/{run.job_id}/artifacts"
            assert (await http.delete(where)).json()["reason"] == "job-goes-on"
            service.engine.end("nlp", run.job_id, 0)
            await service.reconciler.settle()
            assert (await bob.delete(where)).status_code == 403
            assert (await http.delete(where)).status_code == 200
            assert (await http.get(f"{where}/a")).status_code == 410
            assert (await send(http, big_pack(2 * MIB))).status_code == 201
            assert (await http.delete(where)).status_code == 200


async def test_of_a_log_without_room_the_end_is_kept(tmp_path: Path, hub: FakeHub) -> None:
    limits = JobsConfig("job:test", room_per_person=MIB, room_per_team=MIB, keep_free=0)
    async with with_limits(tmp_path, hub, limits) as service:
        run = await started(service, files=None)
        text = b"".join(b"%07d\n" % n for n in range(100_000))
        async with run.http as http:
            late = await http.put(run.path("log"), content=text + bytes(MIB), headers={"X-Content-SHA256": "0" * 64})
            assert (late.status_code, late.json()["reason"]) == (413, "no-room")
            for begin in range(0, len(text), 400_000):
                piece = text[begin : begin + 400_000]
                assert (
                    await http.post(run.path("log/pieces"), params={"offset": begin}, content=piece)
                ).status_code == 200
        service.context.room.changed()
        service.engine.end("nlp", run.job_id, 0)
        await service.context.room.recount()
        assert held(service) == {"live_logs": len(text)}
        await service.reconciler.settle()
        async with service.http("ada") as http:
            log = (await http.get(f"/jobs/{run.job_id}/logs")).text
        assert log.endswith("0099999\n")
        assert len(log) <= LEAST_LOG


async def test_the_site_sees_who_holds_what(tmp_path: Path, hub: FakeHub) -> None:
    pack = big_pack(MIB)
    async with with_limits(tmp_path, hub, LARGE) as service:
        http, site = service.http("ada"), service.http("site-secret")
        assert (await send(http, pack)).status_code == 201
        assert (await site.get("/site/room")).status_code == 403
        object.__setattr__(service.context, "site_token_hash", hashlib.sha256(b"site-secret").hexdigest())
        assert (await http.get("/site/room")).status_code == 403
        answer = (await site.get("/site/room")).json()
        await asyncio.gather(http.aclose(), site.aclose())
    holder = {"tenant": "nlp", "owner": "ada", "total": len(pack), "kinds": {"packs": len(pack)}}
    assert answer["holders"] == [holder]
    assert (answer["room_per_person"], answer["keep_free"]) == (10 * MIB, 0)
    assert 0 < answer["disk_free"] < answer["disk_total"]


@pytest.mark.parametrize(
    ("asked", "person", "team", "free", "said"),
    [
        (10, {}, {}, 1000, None),
        (10, {"packs": 90}, {"packs": 190}, 110, None),
        (11, {"packs": 60, "logs": 30}, {"packs": 90}, 1000, "You hold"),
        (11, {}, {"packs": 190}, 1000, "Team nlp holds"),
        (10, {}, {}, 109, "The service's disk"),
        (10, {"packs": 100}, {"packs": 100}, 0, "The service's disk"),
    ],
)
def test_room_is_decided_with_numbers(
    asked: int, person: dict[str, int], team: dict[str, int], free: int, said: str | None
) -> None:
    refusal = decide_room(
        asked,
        tenant="nlp",
        person=person,
        team=team,
        limits=RoomLimits(person=100, team=200, free_percent=10),
        disk=Disk(1000, free),
    )
    assert (refusal is None) == (said is None)
    if refusal is not None and said is not None:
        assert refusal.message.startswith(said)
        assert refusal.asked == asked
    assert log_limit(1000, 64, refusal) == (1000 if refusal is None else 64)
