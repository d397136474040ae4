"""Messages to webhooks: signed, sent until they arrive, never to where they may not go."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from aifactory_hub.service.messages import Forbidden, _Guarded, check_address, signature, tenant_secret
from aifactory_hub.store import Delivery

from .world import World


@dataclass
class Receiver:
    """Answers ``status`` and keeps what came."""

    url: str
    status: int = 204
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    socket, port = bind_unused_port()
    receiver = Receiver(f"http://localhost:{port}/hook")

    class Hook(RequestHandler):
        def post(self) -> None:
            receiver.got.append(({k.lower(): v for k, v in self.request.headers.get_all()}, self.request.body))
            self.set_status(receiver.status)
            if receiver.status == 302:
                self.set_header("Location", "/elsewhere")

    server = HTTPServer(Application([("/hook", Hook), ("/elsewhere", Hook)]))
    server.add_socket(socket)
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
    world.pipeline.end("nlp", job_id, 3)
    await world.settle()
    (delivery,) = world.service.messenger.deliveries.of_job(job_id)
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
    (after,) = messenger.deliveries.of_job(delivery.job_id)
    assert (after.delivered_at, after.next_at, after.tries) == (world.clock.now, None, 1)


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_it_is_sent_again_until_it_arrives(world: World, receiver: Receiver, status: int) -> None:
    delivery = await ended(world, receiver)
    messenger = world.service.messenger
    receiver.status = status
    waits = []
    for _ in range(3):
        await messenger.tick()
        (now,) = messenger.deliveries.of_job(delivery.job_id)
        assert now.problem == f"the receiver answered {status}"
        assert now.next_at is not None
        waits.append(now.next_at - world.clock.now)
        await messenger.tick()  # not before its time
        world.clock.now = now.next_at
    assert waits == [5.0, 10.0, 20.0]
    assert len(receiver.got) == 3
    receiver.status = 200
    await messenger.tick()
    (now,) = messenger.deliveries.of_job(delivery.job_id)
    assert (now.problem, now.next_at, now.tries) == (None, None, 4)


async def test_it_is_given_up_after_hours_and_forgotten_after_a_month(world: World, receiver: Receiver) -> None:
    delivery = await ended(world, receiver)
    messenger = world.service.messenger
    receiver.status = 500
    began = world.clock.now
    while (now := messenger.deliveries.of_job(delivery.job_id)[0]).next_at is not None:
        world.clock.now = now.next_at
        await messenger.tick()
    assert 6 * 3600 < world.clock.now - began < 24 * 3600
    world.clock.pass_by(31 * 86400)
    await world.service.chores.calls["retention"][1]()
    assert messenger.deliveries.of_job(delivery.job_id) == []


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


class Names:
    """Resolves every name to the same addresses."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.hosts = hosts

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        return [
            {"hostname": host, "host": each, "port": port, "family": 2, "proto": 0, "flags": 0} for each in self.hosts
        ]


@pytest.mark.parametrize(
    ("addresses", "taken"),
    [
        (["93.184.216.34"], True),
        (["10.1.2.3"], False),
        (["93.184.216.34", "192.168.0.1"], False),
        (["169.254.169.254"], False),
        (["100.64.0.1"], False),
        (["::ffff:10.0.0.1"], False),
        (["fd00::1"], False),
        (["2606:2800:220:1:248:1893:25c8:1946"], True),
    ],
)
async def test_a_name_that_leads_into_the_cluster_is_refused(addresses: list[str], taken: bool) -> None:
    guarded = _Guarded(["chat.internal"])
    guarded._resolver = Names(addresses)  # type: ignore[assignment]
    assert len(await guarded.resolve("chat.internal", 80)) == len(addresses)
    if taken:
        assert len(await guarded.resolve("hooks.example.org", 443)) == len(addresses)
    else:
        with pytest.raises(OSError, match="not public"):
            await guarded.resolve("hooks.example.org", 443)


def test_the_signature_is_as_the_specification_s_example_has_it() -> None:
    # https://www.standardwebhooks.com: secret, id, timestamp and body of its reference implementations' tests.
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
