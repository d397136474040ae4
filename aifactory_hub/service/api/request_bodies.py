"""Request bodies that are written to disk as they arrive, up to a limit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tornado.web import stream_request_body

from ...store import DigestMismatch, Incoming, StoredFile
from ..errors import ServiceError, bad_field
from ..executors import uploads
from ..room import Reservation
from .base import Handler

# Bytes of a body that are written at once: the event loop is free while a slow disk takes them.
_PIECE = 256 * 1024
DIGEST_HEADER = "X-Content-SHA256"
# Several times the default limit of an upload: who sends a little too much reads how much too much.
_READ_IN_VAIN = 2**30


@stream_request_body
class ReceivingHandler(Handler):
    """Receives one file, for which room is reserved before it comes and given back however the upload ends.

    A subclass says who may send how much, where it goes, and what to note once it is there.
    """

    announced: str
    incoming: Incoming | None = None
    refusal: ServiceError | None = None
    reservation: Reservation | None = None
    _piece = b""
    _gone = False
    _storing = False
    _broken: OSError | None = None

    async def limit_now(self, *args: str) -> int:
        """The most bytes that may come; sets ``announced``. Raises ServiceError when none may."""
        raise NotImplementedError

    async def reserve(self, size: int) -> Reservation:
        """Room for the body. Raises ServiceError."""
        raise NotImplementedError

    def target(self) -> str:
        """The key that the file is kept under."""
        raise NotImplementedError

    async def store(self, incoming: Incoming) -> Mapping[str, Any]:
        """Keep what came and note it; the answer. Raises DigestMismatch, ServiceError."""
        return await self.kept(await uploads.run(incoming.keep, self.target(), announced=self.announced))

    async def kept(self, stored: StoredFile) -> Mapping[str, Any]:
        """The file is there whole: note it. The answer."""
        raise NotImplementedError

    async def prepare(self) -> None:
        """Before the body is read; called by tornado.

        A refusal waits until the body has been read, up to a limit: answered at once, the connection would be
        closed under a sender that still sends, and it would see a broken pipe and no answer.
        """
        if self.request.method != "PUT":
            super().prepare()
            return
        connection: Any = self.request.connection
        length: int | None = None
        try:
            length = self._length()
            limit = await self.limit_now(*self.path_args)
            if length > limit:
                raise too_large(length, limit)
            self.reservation = await self.reserve(length)
        except ServiceError as error:
            if length is not None and length > _READ_IN_VAIN:
                raise
            self.refusal = error
        else:
            self.incoming = self.context.files.incoming(length)
        connection.set_max_body_size(_READ_IN_VAIN if length is None else length)
        if self._gone:
            self._drop()

    async def data_received(self, chunk: bytes) -> None:
        """A piece of the body; called by tornado."""
        if self.incoming is not None and self._broken is None:
            self._piece += chunk
            if len(self._piece) >= _PIECE:
                await self._write(self.incoming)  # tornado tells of a connection's end only after this
        if (waiting := self.paced(len(chunk))) is not None:
            await waiting

    async def _write(self, incoming: Incoming) -> None:
        """Write what has come, when it is the sender's turn. What goes wrong is told once the body has ended."""
        piece, self._piece = self._piece, b""
        try:
            await self.context.receiving.run(self._holder or "", incoming.write, piece)
        except OSError as error:
            self._broken = error

    def on_finish(self) -> None:
        """Whatever was not kept is dropped; called by tornado."""
        self._drop()

    def on_connection_close(self) -> None:
        """The sender went away; called by tornado. What is being kept meanwhile is kept."""
        self._gone = True
        if not self._storing:
            self._drop()
        super().on_connection_close()

    async def put(self, *_args: str) -> None:
        """After the body; called by tornado."""
        if self.refusal is not None:
            raise self.refusal
        assert self.incoming is not None  # prepare made it, or raised
        self._storing = True
        try:
            await self._write(self.incoming)
            if self._broken is not None:
                raise self._broken
            answer = await self.store(self.incoming)
            self.settle()
        except DigestMismatch as error:
            message = f"The body was damaged on the way: {error}."
            raise ServiceError(422, "digest-mismatch", message, field=DIGEST_HEADER) from error
        finally:
            self._drop()
        self.answer(answer, 201)

    def settle(self) -> None:
        """What came is in the database: it is counted from there now."""
        if self.reservation is not None:
            self.context.room.release(self.reservation, kept=True)

    def _drop(self) -> None:
        if self.incoming is not None:
            self.incoming.drop()
        if self.reservation is not None:
            self.context.room.release(self.reservation, kept=False)

    def _length(self) -> int:
        length = self.request.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,15}", length):
            raise ServiceError(411, "length-required", "Send the header Content-Length.", field="Content-Length")
        return int(length)


def announced_digest(text: str | None) -> str:
    """The digest that the sender announces. Raises ServiceError (400)."""
    if text is None or not re.fullmatch(r"[0-9a-f]{64}", text):
        raise bad_field(DIGEST_HEADER, f"Send the body's SHA-256 in hex as {DIGEST_HEADER}.")
    return text


def too_large(size: int, limit: int) -> ServiceError:
    """More than may come, with both numbers in bytes."""
    message = f"{size} bytes are more than the {limit} that are allowed here."
    return ServiceError(413, "too-large", message, numbers={"asked": size, "limit": limit})
