"""A team's API server that answers whatever it likes: every call ends in time, in bounds, and in words.

The server is a socket, not an HTTP library, so that it can send what no library would. Each answer of the table meets
each call of KubeApi; what may come out is an object of the right types, ApiError or ApiUnreachable, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import resource
import socketserver
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from aifactory_hub.clusters import ApiError, ApiNonsense, ApiUnreachable, KubeApi
from aifactory_hub.clusters.answers import Limits
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.clusters.tenant_objects import EventObject, RunObject, Template, VirtualPod

from ..support.kube_server import kube_server

MIB = 2**20
PODS = "/api/v1/namespaces/jobs/pods"
# As in production in all but the size, so that a test that sends more takes a moment only.
LIMITS = Limits(answer=4 * MIB, together=8 * MIB, watch=8 * MIB)
# Seconds that a call may take here, and one turn of the event loop while it does.
TIMEOUT = 0.5
LONGEST_TURN = 1.0
# The client's share of memory: the server's own pieces are small.
MOST_MEMORY = 64 * MIB

# What the server sends, piece by piece, until the client hangs up.
Answer = Callable[[], Iterable[bytes]]


def whole(body: bytes, *headers: str, status: str = "200 OK") -> Answer:
    """One answer of this body."""
    lines = (f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers)
    return lambda: ["\r\n".join(lines).encode() + b"\r\n\r\n" + body]


def endless(head: bytes, pieces: Callable[[], Iterable[bytes]]) -> Answer:
    """A head, then pieces without end."""
    return lambda: itertools.chain([head], pieces())


def slowly(piece: bytes) -> Iterator[bytes]:
    """The piece again and again, twenty times a second."""
    while True:
        yield piece
        time.sleep(0.05)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


def of(obj: Any) -> Answer:
    return whole(json.dumps(obj).encode())


def run(**status: Any) -> Any:
    return {"metadata": {"name": "job-1", "uid": "u"}, "status": status}


ANSWERS: dict[str, Answer] = {
    "gzip that nobody asked for": whole(gzip.compress(b"{" + b" " * (64 * MIB)), "Content-Encoding: gzip"),
    "an encoding that does not exist": whole(b"{}", "Content-Encoding: \x1b[31mred"),
    "a body without end": endless(HEAD, lambda: itertools.repeat(b" " * MIB)),
    "a body that drips": endless(HEAD, lambda: slowly(b" ")),
    "a list without end": endless(
        HEAD,
        lambda: itertools.chain([b'{"metadata":{},"items":['], itertools.repeat(b'{"metadata":{"name":"a"}},' * 9999)),
    ),
    "a line without end": endless(HEAD, lambda: itertools.repeat(b"x" * 65536)),
    "lines without end": endless(
        HEAD, lambda: itertools.repeat(b'{"type":"BOOKMARK","object":{"metadata":{}}}\n' * 999)
    ),
    "headers without end": endless(b"HTTP/1.1 200 OK\r\n", lambda: (b"X-%d: y\r\n" % i for i in itertools.count())),
    "one header without end": endless(b"HTTP/1.1 200 OK\r\nX: ", lambda: itertools.repeat(b"y" * 4096)),
    "informational answers without end": endless(b"", lambda: itertools.repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    "nothing at all": endless(b"", lambda: slowly(b"")),
    "no HTTP": endless(b"", lambda: iter([b"SSH-2.0-OpenSSH_9.9\r\n"])),
    "deep arrays": whole(b"[" * 400_000 + b"]" * 400_000),
    "deep in a field that is read": whole(b'{"metadata":' * 100_000),
    "deep in a field that is not": whole(b'{"metadata":{"name":"a"},"spec":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "deep in an item": whole(b'{"metadata":{},"items":[' + b"[" * 200_000 + b"]" * 200_000 + b"]}"),
    "a million items": whole(b'{"metadata":{},"items":[' + b",".join([b"{}"] * 1_000_000) + b"]}"),
    "pages without end": of({"metadata": {"continue": "more"}, "items": []}),
    "a page that continues with a megabyte": of({"metadata": {"continue": "x" * MIB}, "items": []}),
    "no JSON": whole(b"<html>"),
    "no UTF-8": whole(b'{"metadata":{"name":"\xff"}}'),
    "an array": of([]),
    "a number": whole(b"1e999999"),
    "null": of(None),
    "an empty object": of({}),
    "null lists": of({"metadata": None, "items": None}),
    "items that are no list": of({"metadata": {}, "items": {"a": 1}}),
    "items of all kinds": of({"metadata": {}, "items": [None, 1, "x", [], {}, {"metadata": {"name": "a"}}]}),
    "a name with control characters": of({"metadata": {"name": "a\n\x1b[2J"}}),
    "a name that is a path": of({"metadata": {"name": "../../secrets/x"}}),
    "a name that is a number": of({"metadata": {"name": 7}}),
    "conditions that are no list": of(run(conditions="Complete")),
    "conditions of all kinds": of(run(conditions=[None, 1, {"type": "Complete"}])),
    "a huge number": whole(b'{"metadata":{"name":"a"},"status":{"ready":' + b"9" * 4000 + b"}}"),
    "a time that is none": of({"metadata": {"name": "a", "creationTimestamp": "yesterday"}}),
    "labels that are a list": of({"metadata": {"name": "a", "labels": []}}),
    "302 to somewhere": whole(b"", "Location: http://127.0.0.1:1/steal", status="302 Found"),
    "304": whole(b"", status="304 Not Modified"),
    "404 of a megabyte": whole(b"x" * MIB, status="404 Not Found"),
    "404 without end": endless(b"HTTP/1.1 404 No\r\n\r\n", lambda: itertools.repeat(b"x" * 65536)),
    "403 with an escape": whole(
        json.dumps({"reason": "\x1b[2J", "message": "\u202eno\n" * 9000}).encode(), status="403 \x1b"
    ),
    "400 that is deep": whole(b"[" * 60_000, status="400 Bad Request"),
    "422 of wrong types": whole(json.dumps({"reason": [], "message": {}}).encode(), status="422 No"),
    "500": whole(b"boom", status="500 Internal"),
    "999": whole(b"", status="999 What"),
    "cookies": whole(b"{}", *(f"Set-Cookie: c{i}={'x' * 4000}" for i in range(100))),
}

# Calls whose answers were decoded: those of the others are decoded by who asked.
TYPED = ("object", "list of pods", "list of events", "list of templates", "create_object")
Call = Callable[[KubeApi], Awaitable[Any]]


async def _watch(api: KubeApi) -> int:
    return sum([len(lines) async for lines in api.watch(PODS, seconds=0, silence=TIMEOUT)])


CALLS: dict[str, Call] = {
    "get": lambda api: api.get(PODS),
    "read": lambda api: api.read(PODS),
    "object": lambda api: api.object(f"{PODS}/a", RunObject),
    "list of pods": lambda api: api.list(PODS, VirtualPod),
    "list of events": lambda api: api.list(PODS, EventObject, {"fieldSelector": "involvedObject.name=a"}, most=200),
    "list of templates": lambda api: api.list(PODS, Template),
    "text": lambda api: api.text("/readyz"),
    "end of text": lambda api: api.end_of_text(f"{PODS}/a/log", keep=1000),
    "create": lambda api: api.create(PODS, {}),
    "create_object": lambda api: api.create_object(PODS, {}, RunObject),
    "merge_patch": lambda api: api.merge_patch(f"{PODS}/a", {}),
    "apply": lambda api: api.apply(f"{PODS}/a", {}, manager="m"),
    "delete": lambda api: api.delete(f"{PODS}/a"),
    "watch": _watch,
}


class Handler(socketserver.BaseRequestHandler):
    """Reads each request of a connection and answers it, until the client hangs up or the test ends."""

    server: Hostile

    def handle(self) -> None:
        self.request.settimeout(10)
        with contextlib.suppress(OSError), self.request.makefile("rb") as incoming:
            while self._read(incoming):
                for piece in self.server.answer():
                    if self.server.stopping.is_set():
                        return
                    self.request.sendall(piece)

    def _read(self, incoming: Any) -> bool:
        size = 0
        for line in iter(incoming.readline, b""):
            if line.lower().startswith(b"content-length:"):
                size = int(line.partition(b":")[2])
            if line == b"\r\n":
                incoming.read(size)
                return True
        return False


class Hostile(socketserver.ThreadingTCPServer):
    """A thread for each connection: what it sends must not depend on the client's event loop."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.stopping = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)


@contextmanager
def hostile(answer: Answer) -> Iterator[str]:
    """A server that answers every request so; its address."""
    with Hostile(answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.stopping.set()
            server.shutdown()


@asynccontextmanager
async def turns() -> AsyncIterator[list[float]]:
    """How long the turns of the event loop take meanwhile, in seconds."""
    seen: list[float] = [0.0]

    async def look() -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            seen.append(now - before - 0.01)
            before = now

    task = asyncio.create_task(look())
    try:
        yield seen
    finally:
        task.cancel()


def memory() -> int:
    """The most that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def text_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from text_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from text_in(each)


@pytest.mark.parametrize("answer", ANSWERS)
async def test_whatever_a_team_s_api_answers_each_call_ends_in_bounds_and_in_words(answer: str) -> None:
    before = memory()
    with hostile(ANSWERS[answer]) as url:
        apis = {name: KubeApi(Credential(url), timeout=TIMEOUT, limits=LIMITS) for name in CALLS}
        async with turns() as seen:
            await asyncio.gather(*(ends_in_words(name, api) for name, api in apis.items()))
    assert max(seen) < LONGEST_TURN
    assert memory() - before < MOST_MEMORY


async def ends_in_words(name: str, api: KubeApi) -> None:
    began = time.monotonic()
    try:
        result = await CALLS[name](api)
    except (ApiError, ApiUnreachable) as error:
        assert str(error).isprintable() and len(str(error)) < 1000, (name, error)
    else:
        if name in TYPED:
            assert all(text.isprintable() and len(text) < 5000 for text in text_in(result)), name
    finally:
        await api.close()
    # Calls run side by side here, and pages are calls of their own.
    assert time.monotonic() - began < 12 * TIMEOUT, name


@pytest.mark.parametrize(
    ("answer", "call", "words"),
    [
        ("gzip that nobody asked for", "get", "answered in the encoding 'gzip', which was not asked for"),
        ("a body without end", "object", "answered with more than 4194304 bytes"),
        ("a body that drips", "get", r"did not answer within 0\.5 s"),
        ("deep arrays", "get", "not JSON"),
        ("deep in a field that is not", "object", "nested too deep"),
        ("a name that is a path", "object", "metadata.name"),
        ("a huge number", "object", "status.ready"),
        ("302 to somewhere", "get", "answered 302"),
        ("a million items", "list of pods", "more than 400000 values"),
        ("a page that continues with a megabyte", "list of pods", "continues a list"),
    ],
)
async def test_it_is_said_what_was_wrong(answer: str, call: str, words: str) -> None:
    with hostile(ANSWERS[answer]) as url:
        api = KubeApi(Credential(url), timeout=TIMEOUT, limits=LIMITS)
        with pytest.raises(ApiUnreachable, match=words):
            await CALLS[call](api)
        await api.close()


async def test_many_calls_at_once_take_no_more_than_the_server_may_send_in_all() -> None:
    body = b'{"metadata":{},"items":[]' + b" " * (3 * MIB) + b"}"
    with hostile(whole(body)) as url:
        api = KubeApi(Credential(url), timeout=10, limits=LIMITS)
        before = memory()
        answers = await asyncio.gather(*(api.read(PODS) for _ in range(40)), return_exceptions=True)
        assert any(isinstance(each, ApiNonsense) for each in answers)
        assert all(isinstance(each, ApiNonsense | bytes) for each in answers)
        kept = sum(len(each) for each in answers if isinstance(each, bytes))
        assert memory() - before < kept + MOST_MEMORY
        assert json.loads(await api.read(PODS)), "afterwards there is room again"
        await api.close()


async def test_a_log_keeps_its_end_however_long_it_is() -> None:
    lines = b"".join(b"line %d\n" % i for i in range(200_000))
    with hostile(whole(lines)) as url:
        api = KubeApi(Credential(url), timeout=10, limits=LIMITS)
        assert (await api.end_of_text(f"{PODS}/a/log", keep=24)).endswith("line 199998\nline 199999\n")
        assert await api.end_of_text(f"{PODS}/a/log", keep=0) == ""
        await api.close()


async def test_large_objects_come_on_smaller_pages() -> None:
    """Fifty objects of 200 KB, of which a page of a hundred does not fit, are all read."""
    pad = "x" * 200_000
    async with kube_server() as server:
        for number in range(50):
            server.put(PODS, {"metadata": {"name": f"pod-{number}"}, "spec": {"pad": pad}})
        api = KubeApi(Credential(server.url), timeout=10, limits=LIMITS)
        assert len(await api.list(PODS, VirtualPod)) == 50
        assert len(await api.list(PODS, VirtualPod, most=7)) == 7
        asked = [int(query["limit"]) for _, _, query in server.requests]
        assert asked[0] == 100 and set(asked[1:-1]) == {12} and asked[-1] == 7
        await api.close()
