"""The service's HTTP server: connections end, and no sender without a request that is whole keeps others out.

tornado closes a connection that is idle or whose headers do not come (``IDLE_TIMEOUT``). This adds what it has not:
bodies that come too slowly, answers that are not taken, and a limit of open connections.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Awaitable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any
from weakref import WeakKeyDictionary

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream

log = logging.getLogger(__name__)

# Seconds: how long a connection may wait for a request, or for the rest of a request's headers.
IDLE_TIMEOUT = 60.0
# Seconds: how long a body may stand still.
BODY_IDLE_TIMEOUT = 30.0
# A body may be slower than this many bytes a second, on average, only for the first seconds.
SLOWEST_BODY = 16 * 1024
BODY_GRACE = 60.0
# Seconds: how long an answer that is complete may wait in this process for its reader to take it.
ANSWER_TIMEOUT = 300.0
# Connections at once: fewer where the file limit is too low for them.
MOST_CONNECTIONS = 4096
# Files that are not connections of people: the database, clusters, files that are read and written.
_RESERVED_FILES = 256
_LARGEST_HEADERS = 32 * 1024
_SWEEP_EVERY = 1.0
_LOG_EVERY = 60.0

_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)
_TOO_SLOW_BODY = (
    b'{"type": "urn:aifactory-hub:problem:too-slow", "title": "Too slow", "status": 408, "detail": '
    b'"The rest of the request did not come in time. Send it again.", "reason": "too-slow", "field": null}'
)


class Phase(IntEnum):
    """What a connection does. The lower, the sooner it is closed to make room for another one."""

    WAITING = 0  # for a request, or for the rest of its headers
    BODY = 1  # a body is on its way in
    SENT = 2  # the answer is complete, and its reader has not taken all of it
    WORKING = 3  # the request is being answered


@dataclass(eq=False)
class Connection:
    """One open connection; times in seconds of the event loop's clock."""

    stream: IOStream
    phase: Phase = Phase.WAITING
    since: float = 0.0
    received: int = 0
    received_at: float = 0.0

    def enter(self, phase: Phase, now: float) -> None:
        """Begin a phase."""
        self.phase, self.since, self.received, self.received_at = phase, now, 0, now

    def overdue(self, now: float) -> bool:
        """Whether it has taken too long over what it does."""
        age = now - self.since
        if self.phase is Phase.BODY:
            return now - self.received_at > BODY_IDLE_TIMEOUT or self.received < SLOWEST_BODY * (age - BODY_GRACE)
        return self.phase is Phase.SENT and age > ANSWER_TIMEOUT


def most_connections() -> int:
    """How many connections this process may hold: raises its file limit to the most that it may, and checks it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else max(soft, MOST_CONNECTIONS + _RESERVED_FILES)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError) as error:
            log.warning("the limit of open files stays at %d: %s", soft, error)
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = max(16, min(MOST_CONNECTIONS, soft - _RESERVED_FILES))
    log.info("at most %d connections at once; %d files may be open", most, soft)
    if most < MOST_CONNECTIONS:
        wanted = MOST_CONNECTIONS + _RESERVED_FILES
        log.warning("the limit of open files is low: raise it to %d for this process", wanted)
    return most


class BoundedServer(HTTPServer):
    """tornado's server with limits. ``most`` connections are open at once; see ``make_room`` for what happens then."""

    def initialize(  # type: ignore[override]
        self, request_callback: Any, *, most: int = MOST_CONNECTIONS, **rest: Any
    ) -> None:
        """Called by tornado instead of ``__init__``."""
        rest = {"idle_connection_timeout": IDLE_TIMEOUT, "max_header_size": _LARGEST_HEADERS, **rest}
        super().initialize(request_callback, **rest)
        self.most = most
        self.open: dict[object, Connection] = {}
        self._by_request: WeakKeyDictionary[HTTPConnection, Connection] = WeakKeyDictionary()
        self._sweep: asyncio.TimerHandle | None = None
        self._logged_at = float("-inf")

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """A connection came; called by tornado."""
        if len(self.open) >= self.most and not self.make_room():
            stream.close()
            return
        super().handle_stream(stream, address)

    def make_room(self) -> bool:
        """Close the connection that has waited longest for a request or a body. False when all are being answered."""
        waiting = min(self.open.items(), key=lambda item: (item[1].phase, item[1].since), default=None)
        if self._now() - self._logged_at > _LOG_EVERY:
            self._logged_at = self._now()
            log.warning("%d connections are open, which is the limit: idle ones are closed for new ones", self.most)
        if waiting is None or waiting[1].phase is Phase.WORKING:
            return False
        self._end(*waiting)
        return True

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """A connection waits for a request; called by tornado."""
        delegate = super().start_request(server_conn, request_conn)
        connection = self.open.get(server_conn)
        if connection is None:
            stream: IOStream = server_conn.stream  # type: ignore[attr-defined]
            connection = self.open[server_conn] = Connection(stream)
        connection.enter(Phase.WAITING, self._now())
        self._by_request[request_conn] = connection
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(_SWEEP_EVERY, self._close_overdue)
        return _Watched(delegate, connection)

    def answered(self, request_conn: HTTPConnection) -> None:
        """The answer to a request is complete, and waits for its reader to take it."""
        connection = self._by_request.get(request_conn)
        if connection is not None and connection.phase is Phase.WORKING:
            connection.enter(Phase.SENT, self._now())

    def on_close(self, server_conn: object) -> None:
        """A connection ended; called by tornado."""
        self.open.pop(server_conn, None)
        super().on_close(server_conn)

    def _close_overdue(self) -> None:
        self._sweep = None
        now = self._now()
        for server_conn, connection in list(self.open.items()):
            if connection.overdue(now):
                log.info("a connection was closed: its %s took too long", connection.phase.name.lower())
                self._end(server_conn, connection)
        if self.open:
            self._sweep = asyncio.get_running_loop().call_later(_SWEEP_EVERY, self._close_overdue)

    def _end(self, server_conn: object, connection: Connection) -> None:
        # No longer counted, although tornado hears of it only in the loop's next round.
        self.open.pop(server_conn, None)
        if connection.phase is Phase.BODY and not connection.stream.closed():
            connection.stream.write(_TOO_SLOW % (len(_TOO_SLOW_BODY), _TOO_SLOW_BODY))
        connection.stream.close()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


@dataclass
class _Watched(HTTPMessageDelegate):
    """Notes how far a request has come."""

    inner: HTTPMessageDelegate
    connection: Connection
    _clock: Any = field(default_factory=lambda: asyncio.get_running_loop().time)

    async def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        self.connection.enter(Phase.WORKING, self._clock())
        waiting = self.inner.headers_received(start_line, headers)
        if waiting is not None:
            await waiting
        if "Content-Length" in headers or "Transfer-Encoding" in headers:
            self.connection.enter(Phase.BODY, self._clock())

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self.connection.received += len(chunk)
        self.connection.received_at = self._clock()
        return self.inner.data_received(chunk)

    def finish(self) -> None:
        self.connection.enter(Phase.WORKING, self._clock())
        self.inner.finish()

    def on_connection_close(self) -> None:
        self.inner.on_connection_close()
