"""The door for Git hosts. It needs no token of the hub: the signature says who calls, and a call is only a doorbell."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any

from tornado.web import RequestHandler, stream_request_body

from ...domain.git_hooks import read_delivery
from ...untrusted.json_text import BadJson, JsonLimits, read_json
from .context import Context

log = logging.getLogger(__name__)

# Of a body, in bytes. What is larger is refused, and found when the repository is asked the next time.
MOST_BODY = 4 * 2**20
# Bodies up to so many bytes are read where they come: that takes a fraction of a millisecond.
_READ_HERE = 8 * 1024
_LIMITS = JsonLimits(depth=40, values=400_000)


@stream_request_body
class Hook(RequestHandler):
    """One trigger's address. An address that is not there and a wrong signature look alike."""

    def initialize(self, context: Context) -> None:
        """Called by tornado with the route's arguments."""
        self.context = context
        self._body = bytearray()
        self._too_large = False

    def prepare(self) -> Awaitable[None] | None:
        """Before the body is read; called by tornado."""
        length = self.request.headers.get("Content-Length", "0")
        connection: Any = self.request.connection
        connection.set_max_body_size(MOST_BODY * 8)
        self._too_large = length.isdecimal() and int(length) > MOST_BODY
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """A piece of the body; called by tornado."""
        self._too_large = self._too_large or len(self._body) + len(chunk) > MOST_BODY
        if not self._too_large:
            self._body += chunk
        return None

    def set_default_headers(self) -> None:
        """Nothing of the service is told."""
        self.clear_header("Server")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    def compute_etag(self) -> None:
        """None: no answer is compared with another; called by tornado."""

    async def post(self, hook: str) -> None:
        """202 once the call is stored. The repository is asked right after."""
        if self._too_large:
            self._say(
                413, f"A body may have {MOST_BODY} bytes. The repository is asked every few minutes all the same."
            )
            return
        headers = {name.lower(): value for name, value in self.request.headers.items()}
        body, calls = bytes(self._body), self.context.triggers.calls
        found = await calls.hook(hook, headers, body)
        if found is None:
            self._say(404, "There is nothing here.")
            return
        waits = calls.pause(found)
        if waits > 0:
            self.set_header("Retry-After", str(max(1, round(waits))))
            self._say(429, "Too many calls of one trigger.")
            return
        if len(body) <= _READ_HERE:
            said = _read(body)
        else:
            said = await self.context.parsing.run(f"trigger {found.trigger}", _read, body)
        await calls.take(found, read_delivery(found.provider, headers, said))
        self._say(202, "Taken.")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every error in a line; called by tornado. What nobody expected is the service's fault, for a moment."""
        self._say(
            503 if status_code >= 500 else status_code, "Not now." if status_code >= 500 else "There is nothing here."
        )

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what nobody expected; called by tornado. Never with headers or body."""
        if getattr(value, "status_code", 500) >= 500:
            log.error("a call of a Git host failed", exc_info=(typ, value, tb))

    def _say(self, status: int, text: str) -> None:
        self.set_status(status)
        self.finish(f"{text}\n")


def _read(body: bytes) -> Any:
    """The JSON value of a body; None where it is none: the signature was right, so it rings all the same."""
    try:
        return read_json(body, _LIMITS)
    except BadJson:
        return None
