"""The server: health, metadata and inference over HTTP. It listens at once, and is ready once its model was checked."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import nullcontext
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from .loaders import Loaded
from .protocol import MOST_BYTES, BadRequest, answer, read_request

# Seconds that a connection may say nothing.
_SILENCE = 60.0
_MOST_AT_ONCE = 64
_SERVER = {"name": "aifactory-hub", "version": "2", "extensions": []}


class Behind(Protocol):
    """What answers in place of a model that was read: a program that listens on this machine."""

    def ready(self) -> bool:
        """Whether it takes connections."""

    def forward(self, method: str, path: str, body: bytes, content_type: str) -> tuple[int, bytes, str]:
        """Its answer: status, body and media type. Raises OSError."""


@dataclass
class Served:
    """What is served, once it is there. ``model`` and ``version`` name it."""

    model: str
    version: str
    loaded: Loaded | None = None
    behind: Behind | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    places: threading.Semaphore = field(default_factory=lambda: threading.BoundedSemaphore(_MOST_AT_ONCE))

    @property
    def ready(self) -> bool:
        """Whether it answers."""
        return self.loaded is not None if self.behind is None else self.behind.ready()

    def infer(self, body: bytes) -> dict[str, Any]:
        """The answer to a request. Raises BadRequest, and whatever the model raises."""
        assert self.loaded is not None  # asked for when it is ready alone
        request = read_request(body)
        with nullcontext() if self.loaded.parallel else self.lock:
            outputs = self.loaded.predict(request)
        return answer(self.model, self.version, request, outputs)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _SILENCE
    # Head and body in one packet, at once: sent apart, the second waits 40 ms for the first to be acknowledged.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: InferenceServer

    def do_GET(self) -> None:
        served = self.server.served
        own = f"/v2/models/{served.model}"
        match self.path:
            case "/v2/health/live":
                self._say(HTTPStatus.OK, {"live": True})
            case "/v2/health/ready" | "/v2/models":
                ready = served.ready
                self._say(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, {"ready": ready})
            case "/v2":
                self._say(HTTPStatus.OK, _SERVER)
            case path if path in (own, f"{own}/versions/{served.version}"):
                framework = "" if served.loaded is None else served.loaded.framework
                told = {"name": served.model, "versions": [served.version], "platform": framework}
                self._say(HTTPStatus.OK, {**told, "inputs": [], "outputs": []})
            case path if path == f"{own}/ready":
                ready = served.ready
                self._say(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, {"ready": ready})
            case _:
                self._forward_or_unknown(b"")

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            return
        served = self.server.served
        own = f"/v2/models/{served.model}"
        if served.behind is not None or self.path not in (f"{own}/infer", f"{own}/versions/{served.version}/infer"):
            self._forward_or_unknown(body)
        elif not served.ready:
            self._problem(HTTPStatus.SERVICE_UNAVAILABLE, "the model is not ready yet")
        elif not served.places.acquire(blocking=False):
            self._problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{_MOST_AT_ONCE} requests are being answered: try again")
        else:
            try:
                self._infer(body)
            finally:
                served.places.release()

    def _infer(self, body: bytes) -> None:
        try:
            found = self.server.served.infer(body)
        except BadRequest as error:
            return self._problem(HTTPStatus.BAD_REQUEST, str(error))
        except Exception as error:  # the model's own code
            self.log_error("predict failed: %s: %s", type(error).__name__, error)
            return self._problem(HTTPStatus.INTERNAL_SERVER_ERROR, f"the model failed: {type(error).__name__}: {error}")
        return self._say(HTTPStatus.OK, found)

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            self._refuse_body(HTTPStatus.LENGTH_REQUIRED, "say the body's length as Content-Length")
            return None
        if int(length) > MOST_BYTES:
            self._refuse_body(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request may have {MOST_BYTES} bytes at most")
            return None
        return self.rfile.read(int(length))

    def _refuse_body(self, status: HTTPStatus, message: str) -> None:
        self.close_connection = True
        self._problem(status, message)

    def _forward_or_unknown(self, body: bytes) -> None:
        behind = self.server.served.behind
        if behind is None:
            return self._problem(HTTPStatus.NOT_FOUND, f"there is nothing at {self.path[:200]}")
        if not behind.ready():
            return self._problem(HTTPStatus.SERVICE_UNAVAILABLE, "the command does not listen yet")
        kind = self.headers.get("Content-Type", "application/json")
        try:
            status, answer, media_type = behind.forward(str(self.command), self.path, body, kind)
        except OSError as error:
            return self._problem(HTTPStatus.BAD_GATEWAY, f"the command did not answer: {error}")
        return self._send(status, answer, media_type)

    def _problem(self, status: HTTPStatus, message: str) -> None:
        self._say(status, {"error": message[:2000]})

    def _say(self, status: HTTPStatus, told: dict[str, Any]) -> None:
        self._send(status, json.dumps(told).encode(), "application/json")

    def _send(self, status: int, body: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: probes come each second, and the hub counts what people ask."""


class InferenceServer(ThreadingHTTPServer):
    """Listens; ``address`` is where."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, served: Served) -> None:
        self.served = served
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    @property
    def port(self) -> int:
        """The port that it listens on, also where any was asked for."""
        return int(self.server_address[1])
