"""An API server that answers whatever it likes, and without end where it likes.

A socket and a thread for each connection, not an HTTP library: it can send what no library would, and what it sends
does not depend on the client's event loop.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import itertools
import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from aifactory_hub.constants import PREFIX

MIB = 2**20
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
    """The object of tests/engines/runs.py's run, of any engine."""
    labels = {f"{PREFIX}/hub": "main", f"{PREFIX}/owner-kind": "job", f"{PREFIX}/owner": "j0123456789ab"}
    return {"metadata": {"name": "job-j0123456789ab", "uid": "u", "labels": labels}, "status": status}


def packed(data: bytes) -> str:
    """As Argo keeps the steps of a large workflow."""
    return base64.b64encode(gzip.compress(data)).decode()


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
    "steps that grow": of(run(phase="Running", compressedNodes=packed(b"{" + b" " * (64 * MIB) + b"}"))),
    "steps that are no gzip": of(run(phase="Running", compressedNodes="eHh4")),
    "steps that are deep": of(run(phase="Running", compressedNodes=packed(b"[" * 200_000))),
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
