"""Reads answers of API servers within limits: a team's API may send anything, and without end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import msgspec

from .errors import ApiNonsense
from .text import LONGEST_ERROR, printable

Json = dict[str, Any]

_MIB = 2**20
# An error is a Status object of a few hundred bytes.
_LONGEST_STATUS = 64 * 1024
# A pod is a few KiB and etcd's limit for one object is 1.5 MiB, so a longer line is no object.
_LONGEST_LINE = 8 * _MIB

# Heads of responses to one request, and bytes that are looked through for them at once.
_MOST_HEADS = 10
_PIECE = 16 * 1024

# RecursionError: JSON that is nested deeper than any Kubernetes object.
UNPARSABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


# Of 4 MiB of pods as Kubernetes writes them.
MOST_VALUES = 400_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes that one API server may send: in one answer, in all answers that are read at the same time, in one watch.

    ``together`` bounds the memory that one server can take, however many calls wait for it. ``buffer`` is what one
    connection may hold that was not read yet. ``values`` are the values in one answer, counted by their commas:
    a short text can hold a million, each of which is an object in memory.
    """

    answer: int
    together: int
    watch: int
    buffer: int = 64 * 1024
    values: int = MOST_VALUES


# A page of a tenant's list or one object. An API server takes no object above 3 MiB.
TENANT_LIMITS = Limits(answer=4 * _MIB, together=64 * _MIB, watch=64 * _MIB)
# Tickets of a large team come in one list: 10,000 of them are about 60 MiB.
HOST_LIMITS = Limits(answer=256 * _MIB, together=1024 * _MIB, watch=1024 * _MIB, buffer=2 * _MIB, values=50_000_000)


class AnswerReader:
    """Reads bodies from ``server`` within ``limits``; shared by all calls of one client."""

    def __init__(self, server: str, limits: Limits) -> None:
        self._server = server
        self._limits = limits
        self._reading = 0

    async def whole(self, response: aiohttp.ClientResponse) -> bytes:
        """The body. Raises ApiNonsense when it is compressed or larger than the limits."""
        self._check_encoding(response)
        pieces: list[bytes] = []
        size = 0
        try:
            async for piece in response.content.iter_any():
                size += len(piece)
                self._reading += len(piece)
                if size > self._limits.answer:
                    raise AnswerTooLarge(self._server, self._limits.answer)
                if self._reading > self._limits.together:
                    raise ApiNonsense(f"{self._server} sends more than {self._limits.together} bytes at the same time")
                pieces.append(piece)
        finally:
            self._reading -= size
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def end(self, response: aiohttp.ClientResponse, keep: int) -> bytes:
        """The last ``keep`` bytes of the body. Of an endless body, the last of what came within the limits."""
        self._check_encoding(response)
        pieces: deque[bytes] = deque()
        held = total = 0
        async for piece in response.content.iter_any():
            pieces.append(piece)
            held += len(piece)
            total += len(piece)
            while pieces and held - len(pieces[0]) >= keep:
                held -= len(pieces.popleft())
            if total > self._limits.watch:
                break
        return b"".join(pieces)[-keep:] if keep > 0 else b""

    async def status(self, response: aiohttp.ClientResponse) -> tuple[str, str]:
        """Reason and message of an answer that is no success, as far as they can be read; both printable and short."""
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            return "", ""
        data = bytearray()
        async for piece in response.content.iter_any():
            data += piece
            if len(data) >= _LONGEST_STATUS:
                break
        return read_status(bytes(data[:_LONGEST_STATUS]))

    async def lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[memoryview]:
        """Whole lines; half a line at the end means that the stream broke off, and is dropped.

        Ends after ``limits.watch`` bytes: a watch is resumed where it was.
        """
        self._check_encoding(response)
        whole, size = WholeLines(), 0
        async for chunk in response.content.iter_any():
            if lines := whole.feed(chunk):
                yield lines
                # A server that never pauses must not keep the event loop.
                await asyncio.sleep(0)
            size += len(chunk)
            if size > self._limits.watch:
                return

    def parse(self, data: bytes) -> Json:
        """The JSON object in ``data``. Raises ApiNonsense."""
        check_values(data, self._server, self._limits.values)
        try:
            parsed = msgspec.json.decode(data)
        except UNPARSABLE as error:
            raise ApiNonsense(f"{self._server} answered with something that is not JSON") from error
        if not isinstance(parsed, dict):
            raise ApiNonsense(f"{self._server} answered with something that is not a JSON object")
        return cast(Json, parsed)

    def _check_encoding(self, response: aiohttp.ClientResponse) -> None:
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            raise ApiNonsense(
                f"{self._server} answered in the encoding {printable(encoding, 40)!r}, which was not asked for"
            )


def check_values(data: bytes, server: str, most: int = MOST_VALUES) -> None:
    """Raises ApiNonsense when a JSON text has more than ``most`` values."""
    if data.count(b",") > most:
        raise ApiNonsense(f"{server} answered with more than {most} values")


class GuardedResponse(aiohttp.ClientResponse):
    """A response on a connection that is broken off when the server sends more heads than any does for one request."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """See aiohttp."""
        protocol = connection.protocol
        guard = getattr(protocol, "heads_guard", None)
        if guard is None:
            guard = protocol.heads_guard = HeadsGuard(protocol)
        guard.heads = 0
        return await super().start(connection)


class HeadsGuard:
    """Counts the heads of responses on one connection: informational ones (1xx), and those that nobody asked for.

    aiohttp reads any number of them, thousands in one turn of the event loop. Data are handed on in small pieces, so
    that the connection is broken off after a few hundred.
    """

    def __init__(self, protocol: Any) -> None:
        self.heads = 0
        self._protocol = protocol
        self._feed, self._receive = protocol.feed_data, protocol.data_received
        protocol.feed_data, protocol.data_received = self.feed, self.receive

    def feed(self, *head: Any) -> None:
        """In place of the protocol's ``feed_data``, which is called for each head."""
        self.heads += 1
        if self.heads <= _MOST_HEADS:
            self._feed(*head)
        elif self.heads == _MOST_HEADS + 1:
            self._protocol.set_exception(aiohttp.ClientPayloadError("heads of responses without end"))
            if self._protocol.transport is not None:
                self._protocol.transport.abort()

    def receive(self, data: bytes) -> None:
        """In place of the protocol's ``data_received``. aiohttp also calls it with nothing, to go on after a pause."""
        for begin in range(0, max(1, len(data)), _PIECE):
            if self.heads > _MOST_HEADS:
                return
            self._receive(data[begin : begin + _PIECE])


class AnswerTooLarge(ApiNonsense):
    """One answer is larger than the limit: a list may fit with fewer objects on a page."""

    def __init__(self, server: str, limit: int) -> None:
        super().__init__(f"{server} answered with more than {limit} bytes")


class _Status(msgspec.Struct, gc=False):
    reason: str | None = None
    message: str | None = None


_status = msgspec.json.Decoder(_Status)


def read_status(data: bytes) -> tuple[str, str]:
    """Reason and message of a Status object; of anything else the beginning of the text as the message."""
    try:
        status = _status.decode(data)
    except msgspec.ValidationError:
        return "", ""
    except UNPARSABLE:
        return "", printable(data[:200].decode("utf-8", "replace").strip())
    return printable(status.reason or "", 100), printable(status.message or "", LONGEST_ERROR)


class WholeLines:
    """Makes whole lines of a stream's pieces."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> memoryview:
        """The lines that this piece completes. Raises ApiNonsense for one without an end."""
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._rest.append(chunk)
            self._size += len(chunk)
            self._check()
            return memoryview(b"")
        data = memoryview(chunk)[:end] if not self._size else memoryview(b"".join([*self._rest, chunk[:end]]))
        self._rest = [chunk[end:]]
        self._size = len(chunk) - end
        self._check()
        return data

    def _check(self) -> None:
        if self._size > _LONGEST_LINE:
            raise ApiNonsense("a watch event is longer than any Kubernetes object can be")
