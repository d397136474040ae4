"""Bodies that go to disk as they come, up to a limit."""

from __future__ import annotations

import re
from typing import Any

from tornado.web import stream_request_body

from ...store import DigestMismatch
from ...store.files import Incoming
from ..errors import ServiceError, bad_field
from .base import Handler

DIGEST_HEADER = "X-Content-SHA256"
_BODY_TIMEOUT = 600.0
_READ_IN_VAIN = 256 * 2**20


@stream_request_body
class ReceivingHandler(Handler):
    """Receives one file. A subclass says in ``limit_now`` who may send how much, and in ``put`` what to do with it."""

    incoming: Incoming | None = None

    async def limit_now(self, *args: str) -> int:
        """The most bytes that may come. Raises ServiceError when none may."""
        raise NotImplementedError

    async def prepare(self) -> None:
        """Before the body is read; called by tornado."""
        length = self._length()
        connection: Any = self.request.connection
        # What is refused below is still read, up to here, or the sender would see a broken pipe and no answer.
        connection.set_max_body_size(min(length, _READ_IN_VAIN))
        connection.set_body_timeout(_BODY_TIMEOUT)
        limit = await self.limit_now(*self.path_args)
        if length > limit:
            raise too_large(length, limit)
        connection.set_max_body_size(length)
        self.incoming = self.context.files.incoming(limit)

    def data_received(self, chunk: bytes) -> None:
        """A piece of the body; called by tornado."""
        if self.incoming is not None:
            self.incoming.write(chunk)

    def on_finish(self) -> None:
        """Whatever was not kept is dropped; called by tornado."""
        self._drop()

    def on_connection_close(self) -> None:
        """The sender went away; called by tornado."""
        self._drop()
        super().on_connection_close()

    def received(self) -> Incoming:
        """The whole file, still aside."""
        assert self.incoming is not None  # prepare made it, or raised
        return self.incoming

    def _drop(self) -> None:
        if self.incoming is not None:
            self.incoming.drop()

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


def damaged(error: DigestMismatch) -> ServiceError:
    """Not what was announced."""
    return ServiceError(422, "digest-mismatch", f"The body was damaged on the way: {error}.", field=DIGEST_HEADER)
