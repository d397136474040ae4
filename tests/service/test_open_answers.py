"""An answer that stays open ends when its reader may not read it any more, whichever route gives it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from aifactory_hub.domain.models import ModelVersion
from aifactory_hub.engines.serving.memory import MemoryServing
from aifactory_hub.service.api import base, events, internal, reader_access
from aifactory_hub.service.api.app import ROUTES, describe
from aifactory_hub.service.api.base import Handler
from aifactory_hub.service.api.reader_access import Reader
from aifactory_hub.service.auth import hub_auth
from aifactory_hub.service.errors import ServiceError, forbidden, unavailable
from aifactory_hub.store import Artifact

from ..support.fake_hub import FakeHub
from ..support.job_service import PREFIX, RunningService, running_service
from ..support.models import plant
from .test_events import listening, piece, submitted

MARK = b"MARKER "
# More than the buffers between the service and a reader who does not read.
LARGE = MARK * (4 * 2**20)
DIGEST = hashlib.sha256(LARGE).hexdigest()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The hub is asked before each piece."""
    monkeypatch.setattr(reader_access, "CHECK_EVERY", 0.0)
    monkeypatch.setattr(reader_access, "CHECK_GRACE", 0.0)
    monkeypatch.setattr(hub_auth, "SHARED", -1.0)
    monkeypatch.setattr(internal, "_sent", files_sent)
    monkeypatch.setattr(events, "_LOOK_AGAIN", 0.02)
    yield


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    """As the others have it, and it deploys models."""
    async with running_service(tmp_path, hub=hub, reconciling=False, serving=MemoryServing()) as running:
        yield running


def leaves(hub: FakeHub, name: str, *left: str) -> None:
    """The provider says that the person is only in these teams now."""
    hub.memberships[name] = {"standing": "known", "tenants": dict.fromkeys(left, "member"), "resolved_at": 0}


@dataclass
class Open:
    """An open answer: who asks for it, where, and what makes more of it."""

    token: str
    path: str
    more: Callable[[], Awaitable[None]] | None = None


async def all_events(service: RunningService, job_id: str) -> Open:
    async def more() -> None:
        async with service.http("bob") as bob:
            await submitted(bob, "a key with MARKER".replace(" ", "-"))

    return Open("ada", "/events", more)


async def job_events(service: RunningService, job_id: str) -> Open:
    return Open("ada", f"/jobs/{job_id}/events?log=true", lambda: piece(service, job_id, 0, MARK))


async def stored_log(service: RunningService, job_id: str) -> Open:
    store(service, service.context.files.log(job_id, 1))
    service.context.jobs.attempts.record_log(job_id, 1, size=len(LARGE), sha256="0" * 64)
    return Open("ada", f"/jobs/{job_id}/logs")


async def artifact(service: RunningService, job_id: str) -> Open:
    store(service, service.context.files.artifact(job_id, "a.bin"))
    service.context.jobs.put_artifact(job_id, Artifact("a.bin", len(LARGE), "0" * 64, 1.0))
    return Open("ada", f"/jobs/{job_id}/artifacts/a.bin")


async def own_artifact(service: RunningService, job_id: str) -> Open:
    await artifact(service, job_id)
    return Open(runner_token(service, job_id), f"/internal/jobs/{job_id}/artifacts/a.bin")


async def pack(service: RunningService, job_id: str) -> Open:
    store(service, service.context.files.pack("nlp", "ada", DIGEST))
    return Open(runner_token(service, job_id), f"/internal/jobs/{job_id}/files/{DIGEST}")


async def model_file(service: RunningService, job_id: str) -> Open:
    version = planted(service, job_id)
    return Open("ada", f"/models/fraud/versions/{version.number}/files/weights.bin?tenant=nlp")


async def runner_s_model_file(service: RunningService, job_id: str) -> Open:
    version = planted(service, job_id)
    service.context.models.registry.note_use(version.id, "ada", job_id, 1.0)
    return Open(runner_token(service, job_id), f"/internal/jobs/{job_id}/models/{version.id}/files/weights.bin")


async def release_file(service: RunningService, job_id: str) -> Open:
    version = planted(service, job_id)
    wish = {"model": f"fraud@{version.number}", "profile": "mig-1g.10gb"}
    async with service.http("ada") as ada:
        made = await ada.put("/tenants/nlp/deployments/fraud", json=wish)
        assert made.status_code == 201, made.text
    controller = service.context.deployments.controller
    assert controller is not None and isinstance(controller.parts.engine, MemoryServing)
    while not controller.parts.engine.made:
        await controller.tick()
    run = controller.parts.engine.made[0].run
    return Open(run.secret_files["token"], f"/internal/releases/{run.run_id}/models/{version.id}/files/weights.bin")


def planted(service: RunningService, job_id: str) -> ModelVersion:
    """A version of a model with a large file."""
    version = plant(service.context, job_id, "fraud", {"weights.bin": LARGE})
    store(service, service.context.files.artifact(job_id, "weights.bin"))
    return version


async def files_sent(*_: object) -> tuple[str, tuple[str, ...]]:
    """The job's manifest, and its packs."""
    return "{}", (DIGEST,)


def store(service: RunningService, key: str) -> None:
    with service.context.files.incoming(len(LARGE)) as incoming:
        incoming.write(LARGE)
        incoming.keep(key)


def runner_token(service: RunningService, job_id: str) -> str:
    return next(spec for spec in service.engine.created if spec.run_id == job_id).secret_files["token"]


# By operationId: how an answer is opened that stays open. A new route of that kind has to be added here.
OPENED: dict[str, Callable[[RunningService, str], Awaitable[Open]]] = {
    "watchJobs": all_events,
    "watchJob": job_events,
    "getJobLog": stored_log,
    "getArtifact": artifact,
    "getOwnArtifact": own_artifact,
    "fetchPack": pack,
    "getModelFile": model_file,
    "fetchModelFile": runner_s_model_file,
    "fetchReleaseFile": release_file,
}
# No JSON, and one small piece: it does not stay open.
AT_ONCE = {"getModelEvidence", "getDeploymentLogs"}


def test_the_table_has_every_route_that_answers_in_pieces() -> None:
    said = {
        operation["operationId"]
        for item in describe(PREFIX)["paths"].values()
        for operation in item.values()
        for answer in operation["responses"].values()
        for media in answer["content"]
        if media not in ("application/json", "application/problem+json")
    }
    assert set(OPENED) | AT_ONCE == said


async def end_of(service: RunningService, hub: FakeHub, job_id: str, opened: Open) -> None:
    """What makes the reader one who may not read any more."""
    if opened.path.startswith("/internal/releases/"):
        async with service.http("ada") as ada:
            assert (await ada.delete("/tenants/nlp/deployments/fraud")).status_code == 200
        await service.context.deployments.tick()
    elif opened.path.startswith("/internal/"):
        service.engine.end("nlp", job_id, 0)
        await service.reconciler.settle()
    else:
        leaves(hub, "ada")


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", OPENED)
async def test_it_ends_when_its_reader_has_left(service: RunningService, hub: FakeHub, name: str) -> None:
    async with service.http("ada") as ada:
        job_id = await submitted(ada)
    await service.reconciler.settle()
    opened = await OPENED[name](service, job_id)
    got = b""
    async with (
        asyncio.timeout(30),
        service.http(opened.token, timeout=30) as http,
        http.stream("GET", opened.path) as response,
    ):
        assert response.status_code == 200, await response.aread()
        chunks = response.aiter_raw()
        got += await anext(chunks)
        await end_of(service, hub, job_id, opened)
        if opened.more is not None:
            await opened.more()
        try:
            async for chunk in chunks:
                got += chunk
        except httpx.RemoteProtocolError:
            assert opened.more is None, "an event stream ends in good order"
    if opened.more is None:
        assert MARK in got
        assert len(got) < len(LARGE), "all of it was sent to somebody who had left"
    else:
        assert MARK.strip() not in got
        last = got.decode().strip().split("\n\n")[-1]
        assert last.startswith("event: problem\ndata: ")
        problem = json.loads(last.partition("data: ")[2])
        assert problem["status"] == 403
        assert "team nlp" in problem["detail"]


@pytest.mark.usefixtures("at_once")
async def test_a_reader_in_two_teams_keeps_the_one_that_they_are_still_in(
    service: RunningService, hub: FakeHub
) -> None:
    async with (
        service.http("both") as both,
        service.http("ada") as ada,
        service.http("eve") as eve,
        listening(both, "/events") as heard,
    ):
        await heard.next()
        await submitted(ada, "before")
        assert (await heard.next())[1]["tenant"] == "nlp"
        leaves(hub, "both", "vision")
        await submitted(ada, "after")
        await submitted(eve, "of-vision")
        assert (await heard.next())[1]["tenant"] == "vision"
        # A team that is joined meanwhile is not added: the answer is opened again for it.
        leaves(hub, "both", "vision", "nlp")
        await submitted(ada, "later")
        await submitted(eve, "of-vision-too")
        assert (await heard.next())[1]["tenant"] == "vision"


@pytest.mark.usefixtures("at_once")
async def test_a_hub_that_does_not_answer_ends_no_stream(service: RunningService, hub: FakeHub) -> None:
    async with service.http("ada") as ada, service.http("bob") as bob:
        job_id = await submitted(bob)
        await service.reconciler.settle()
        async with listening(ada, f"/jobs/{job_id}/events?log=true") as heard:
            await heard.next()
            hub.memberships_status = 500
            await piece(service, job_id, 0, b"printed meanwhile\n")
            while (event := await heard.next())[0] == "job":
                pass
            assert event[1]["text"] == "printed meanwhile\n"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_pieces_go_on_while_the_hub_is_asked_and_wait_at_the_deadline() -> None:
    clock, answer = Clock(), asyncio.Event()

    async def ask() -> list[str]:
        await answer.wait()
        raise forbidden("left")

    reader = Reader(ask, ["nlp"], clock=clock)
    for clock.now in (0.0, 19.9, 20.0, 24.9):
        async with asyncio.timeout(1):
            await reader.check()
    clock.now = 25.0
    waiting = asyncio.create_task(reader.check())
    await asyncio.sleep(0.05)
    assert not waiting.done(), "a piece was let through after the deadline"
    answer.set()
    with pytest.raises(ServiceError):
        await waiting


async def test_an_unknown_answer_is_asked_for_again_after_a_while() -> None:
    clock, asked = Clock(), 0

    async def ask() -> list[str]:
        nonlocal asked
        asked += 1
        raise unavailable("hub-unavailable", "away")

    reader = Reader(ask, ["nlp"], clock=clock)
    for clock.now in (25.0, 26.0, 44.0, 50.0, 60.0):
        await reader.check()
    assert (asked, set(reader.tenants)) == (2, {"nlp"})


def test_no_handler_sends_pieces_in_another_way() -> None:
    handlers = {handler for _, handler in ROUTES}
    assert all(issubclass(handler, Handler) for handler in handlers)
    assert all(handler.flush is Handler.flush for handler in handlers)


async def test_a_handler_that_names_no_reader_can_send_no_piece(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def flushes(self: Handler) -> None:
        self.write("x")
        await self.flush()

    async def sends(self: Handler) -> None:
        await self.send_piece("x")

    handler = dict(ROUTES)["/limits"]
    for method in (flushes, sends):
        monkeypatch.setattr(handler, "get", method)
        async with service.http() as http:
            answer = await http.get("/limits")
        assert answer.status_code == 500
        assert answer.json()["reason"] == "internal-error"


async def test_a_reader_who_does_not_read_is_let_go(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "WRITE_TIMEOUT", 0.2)
    async with service.http("ada") as ada:
        job_id = await submitted(ada)
    opened = await artifact(service, job_id)
    async with service.http("ada", timeout=30) as http, http.stream("GET", opened.path) as response:
        await asyncio.sleep(1.0)
        with pytest.raises(httpx.RemoteProtocolError):
            assert len(await response.aread()) < len(LARGE)
