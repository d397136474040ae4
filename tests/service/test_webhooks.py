"""Messages to webhooks: signed, sent until they arrive, never to where they may not go."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import update
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from aifactory_hub.service import webhooks
from aifactory_hub.service.webhooks import (
    Forbidden,
    NotPublic,
    check_address,
    guarded_socket,
    signature,
    tenant_secret,
)
from aifactory_hub.store import Delivery
from aifactory_hub.store.database import writing
from aifactory_hub.store.deliveries import file_messages
from aifactory_hub.store.models import DeliveryRow

from .world import World


@dataclass
class Receiver:
    """Answers ``status`` and keeps what came."""

    url: str
    status: int = 204
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    listening, port = bind_unused_port()
    receiver = Receiver(f"http://localhost:{port}/hook")

    class Hook(RequestHandler):
        def post(self) -> None:
            receiver.got.append(({k.lower(): v for k, v in self.request.headers.get_all()}, self.request.body))
            self.set_status(receiver.status)
            if receiver.status == 302:
                self.set_header("Location", "/elsewhere")

    server = HTTPServer(Application([("/hook", Hook), ("/elsewhere", Hook)]))
    server.add_socket(listening)
    yield receiver
    server.stop()
    await server.close_all_connections()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    limits = replace(world.registry.jobs, webhook_hosts=("localhost",))
    world.registry = replace(world.registry, jobs=limits)
    world.restart()
    yield world
    world.close()


async def ended(world: World, receiver: Receiver) -> Delivery:
    """A job that names the receiver and fails; what is to be told of it."""
    job_id = await world.submit(notify=[receiver.url], environment={"PASSWORD": "hunter2"})
    await world.settle()
    world.engine.end("nlp", job_id, 3)
    await world.settle()
    deliveries = world.service.messenger.deliveries
    deliveries.file()
    (delivery,) = deliveries.of_job(job_id)
    return delivery


async def test_the_end_of_a_job_is_told_once_and_signed(world: World, receiver: Receiver) -> None:
    delivery = await ended(world, receiver)
    messenger = world.service.messenger
    await messenger.tick()
    await messenger.tick()
    ((headers, body),) = receiver.got
    told = json.loads(body)
    assert told["event"] == "job.failed"
    assert (told["job"]["id"], told["job"]["state"], told["job"]["exit_code"]) == (delivery.job_id, "FAILED", 3)
    assert b"hunter2" not in body
    key = base64.b64decode(tenant_secret(messenger.key, "nlp").removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    (after,) = messenger.deliveries.of_job(delivery.job_id or "")
    assert (after.delivered_at, after.next_at, after.tries) == (world.clock.now, None, 1)


@pytest.mark.parametrize("about", ["job", "server", "approval", "budget", "whatever comes"])
async def test_a_message_about_anything_of_a_team_is_signed_with_its_secret(
    world: World, receiver: Receiver, about: str
) -> None:
    file_now(world, receiver, {"event": "e", "at": "now", about: {"tenant": "nlp"}})
    messenger = world.service.messenger
    await messenger.tick()
    ((headers, body),) = receiver.got
    key = base64.b64decode(tenant_secret(messenger.key, "nlp").removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


async def test_a_message_without_a_team_is_not_filed_and_one_that_fails_holds_up_no_other(
    world: World, receiver: Receiver
) -> None:
    with pytest.raises(ValueError, match="names no team"):
        file_now(world, receiver, {"event": "e", "thing": {}})
    delivery = await ended(world, receiver)
    file_now(world, receiver, {"event": "first", "thing": {"tenant": "nlp"}})
    with world.service.jobs.db.begin() as connection:  # as a version before this one could have filed it
        broken = update(DeliveryRow).where(DeliveryRow.id != delivery.id)
        connection.execute(broken.values(body={"event": "first"}, next_at=0.0))
    await world.service.messenger.tick()
    assert [json.loads(body)["event"] for _, body in receiver.got] == ["job.failed"]


def file_now(world: World, receiver: Receiver, body: dict[str, Any]) -> None:
    with writing(world.service.jobs.db) as connection:
        file_messages(connection, [receiver.url], str(body["event"]), body, now=world.clock.now)


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_it_is_sent_again_until_it_arrives(world: World, receiver: Receiver, status: int) -> None:
    delivery = await ended(world, receiver)
    messenger = world.service.messenger
    receiver.status = status
    waits = []
    for _ in range(3):
        await messenger.tick()
        (now,) = messenger.deliveries.of_job(delivery.job_id or "")
        assert now.problem == f"the receiver answered {status}"
        assert now.next_at is not None
        waits.append(now.next_at - world.clock.now)
        await messenger.tick()  # not before its time
        world.clock.now = now.next_at
    assert waits == [5.0, 10.0, 20.0]
    assert len(receiver.got) == 3
    receiver.status = 200
    await messenger.tick()
    (now,) = messenger.deliveries.of_job(delivery.job_id or "")
    assert (now.problem, now.next_at, now.tries) == (None, None, 4)


async def test_it_is_given_up_after_hours_and_forgotten_after_a_month(world: World, receiver: Receiver) -> None:
    delivery = await ended(world, receiver)
    messenger = world.service.messenger
    receiver.status = 500
    began = world.clock.now
    while (now := messenger.deliveries.of_job(delivery.job_id or "")[0]).next_at is not None:
        world.clock.now = now.next_at
        await messenger.tick()
    assert 6 * 3600 < world.clock.now - began < 24 * 3600
    world.clock.pass_by(31 * 86400)
    await world.service.periodic_tasks.calls["retention"][1]()
    assert messenger.deliveries.of_job(delivery.job_id or "") == []


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://user:password@hooks.example.org/",
        "file:///etc/passwd",
        "https://",
        "https://host:99999/",
        "hooks.example.org",
    ],
)
def test_an_address_that_is_no_public_https_host_is_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        check_address(url, [])


def test_a_public_host_and_a_named_internal_one_are_taken() -> None:
    check_address("https://hooks.example.org/x?y=1", [])
    check_address("http://chat.internal:8080/x", ["chat.internal"])


@pytest.mark.parametrize(
    "host",
    ["①②⑦.0.0.1", "１２７.0.0.1", "127。0。0。1", "127.0.0.1.", "127.1.", "①②⑦.1", "[::ffff:7f00:1]", "⑯⑨.254.169.254"],  # noqa: RUF001
)
def test_no_spelling_of_a_number_is_taken(host: str) -> None:
    with pytest.raises(Forbidden):
        check_address(f"https://{host}:8443/x", [])


def test_what_is_judged_is_what_the_connector_is_given() -> None:
    assert str(check_address("https://BÜCHER.example./x?y=%20z#f", [])) == "https://xn--bcher-kva.example./x?y=%20z#f"


def info(address: str) -> tuple[int, int, int, str, tuple[str, int]]:
    return (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "::ffff:10.0.0.1",
        "fd00::1",
        "fe80::1%eth0",
        "224.0.0.1",
    ],
)
def test_no_socket_is_made_for_an_address_that_is_not_public(address: str) -> None:
    with pytest.raises(NotPublic):
        guarded_socket(info(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_a_socket_is_made_for_a_public_address(address: str) -> None:
    guarded_socket(info(address)).close()


@dataclass
class Listener:
    """Counts connections at 127.0.0.1."""

    port: int = 0
    connections: int = 0


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    found = Listener()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.connections += 1
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "inner.example"])
async def test_the_connector_itself_refuses_internal_addresses(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """Also those that the form of the address did not give away."""
    found = (*info("127.0.0.1")[:4], ("127.0.0.1", listener.port))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [found])
    async with aiohttp.ClientSession(connector=webhooks._connector(guarded=True)) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.post(f"http://{host}:{listener.port}/x")
    assert listener.connections == 0


async def failed(world: World, key: str, url: str) -> tuple[str | None, float]:
    """The text of a message that can't arrive, and how long its try took in seconds."""
    job_id = await world.submit(key, notify=[url])
    await world.settle()
    world.engine.end("nlp", job_id, 3)
    await world.settle()
    began = time.monotonic()
    await world.service.messenger.tick()
    deliveries = world.service.messenger.deliveries
    deliveries.file()
    (delivery,) = deliveries.of_job(job_id)
    return delivery.problem, time.monotonic() - began


async def test_an_open_port_a_closed_one_and_no_name_at_all_look_alike(
    world: World, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, port: int, *_: object, **__: object) -> list[object]:
        if host == "nowhere.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(*info("127.0.0.1")[:4], ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    world.service.messenger.timeout = 0.5
    tried = [
        await failed(world, f"k{number}", url)
        for number, url in enumerate(
            (
                f"https://open.example:{listener.port}/",
                "https://closed.example:9/",
                "https://nowhere.example/",
                "http://localhost:9/",
            )
        )
    ]
    assert {text for text, _ in tried} == {webhooks.UNREACHABLE}
    assert all(0.45 < seconds < 1.5 for _, seconds in tried), tried
    assert listener.connections == 0


async def test_the_body_of_an_answer_is_not_read(world: World) -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
                await writer.drain()
                sent += 0x10000
        writer.close()

    server = await asyncio.start_server(endless, "localhost", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        text, seconds = await failed(world, "k", f"http://localhost:{port}/")
    assert text is None
    assert seconds < 5
    assert sent < 32 * 2**20


def test_the_signature_is_as_the_specification_s_example_has_it() -> None:
    # https://www.standardwebhooks.com: secret, id, timestamp and body of its reference implementations' tests.
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
