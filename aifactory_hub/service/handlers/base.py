"""What all handlers share: who asks, JSON answers, errors in one form."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from sqlalchemy.exc import OperationalError
from tornado.web import HTTPError, RequestHandler

from ... import constants
from ...domain.refusals import RefusalReason
from ...store import BlobMissing, BlobsUnavailable, JobRecord
from ...untrusted.texts import unprintable
from .. import executors
from ..access import Caller, choose_tenant
from ..context import Context
from ..errors import MEDIA_TYPE, ServiceError, bad_field, from_refusal, unavailable, unknown_job
from ..payloads import Model, checked, parse_query, read_body

# Bodies up to so many bytes are read where they come: that takes a fraction of a millisecond.
_BODY_HERE = 8 * 1024


class Handler(RequestHandler):
    """A handler with the service's parts at hand."""

    def initialize(self, context: Context) -> None:
        """Called by tornado with the route's arguments."""
        self.context = context

    def set_default_headers(self) -> None:
        """Answers are a person's own and may change any moment; files are for saving, never for showing."""
        self.clear_header("Server")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """A part of the path as text; called by tornado. Raises ServiceError for what can't be an id."""
        try:
            text = value.decode()
        except UnicodeDecodeError as error:
            raise bad_field(name or "path", "The address is not UTF-8.") from error
        if found := unprintable(text):
            raise bad_field(name or "path", f"The address has the character {found}, which can't be printed.")
        return text

    async def caller(self, *, fresh: bool = False) -> Caller:
        """Who asks. ``fresh`` asks the hub even if it was asked a moment ago: for whatever changes something."""
        return await self.context.gate.caller(self.request.headers.get("Authorization"), fresh=fresh)

    def tenant_for(self, caller: Caller, scope: str, asked: str | None) -> str:
        """The tenant to act in. Raises ServiceError."""
        chosen = choose_tenant(asked, caller.tenants(scope, self.context.registry.tenants))
        if isinstance(chosen, str):
            return chosen
        raise from_refusal(chosen)

    def tenants_to_read(self, caller: Caller, asked: str | None) -> tuple[str, ...]:
        """The tenants whose jobs the caller may see, or the one that was asked for. Raises ServiceError."""
        if asked is not None:
            return (self.tenant_for(caller, constants.SCOPE_READ, asked),)
        return caller.tenants(constants.SCOPE_READ, self.context.registry.tenants)

    def query(self, model: type[Model]) -> Model:
        """The URL's parameters. Raises ServiceError (400)."""
        return parse_query(model, self.request.query_arguments)

    async def body(self, model: type[Model], person: str, change: Callable[[Any], Any] = lambda value: value) -> Model:
        """The request's body as ``model``, after ``change`` of the JSON value. Raises ServiceError (400).

        A body of more than a few KiB is read in another thread, when it is the turn of ``person``.
        """
        body = self.request.body
        if len(body) <= _BODY_HERE:
            return _checked_body(model, body, change)
        return await self.context.parsing.run(person, _checked_body, model, body, change)

    async def job_for(self, caller: Caller, job_id: str, scope: str = constants.SCOPE_READ) -> JobRecord:
        """The job, if it is in a tenant that the token has ``scope`` for. Raises ServiceError (404) for all others."""
        job = await run_sync(self.context.jobs.get, job_id)
        if job is None or job.tenant not in caller.tenants(scope, self.context.registry.tenants):
            raise unknown_job(job_id)
        found: JobRecord = job
        return found

    def answer(self, body: Mapping[str, Any], status: int = 200, *, media_type: str = "application/json") -> None:
        """Send ``body`` as JSON."""
        self.set_status(status)
        self.set_header("Content-Type", f"{media_type}; charset=utf-8")
        self.write(json.dumps(body))

    async def send_file(self, key: str, *, media_type: str) -> None:
        """Send a kept file in pieces, so that a large one never is in memory whole."""
        reading = await run_sync(self.context.files.open, key)
        try:
            self.set_header("Content-Type", media_type)
            self.set_header("Content-Length", str(reading.size))
            while chunk := await run_sync(reading.next):
                self.write(chunk)
                await self.flush()
        finally:
            reading.close()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every error as JSON; called by tornado."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, OperationalError):
            message = "The service's database does not answer now. Try again in a moment, with the same key."
            error = unavailable("database-unavailable", message)
        if isinstance(error, BlobsUnavailable):
            message = f"The service's files can't be reached now: {error}. Try again in a moment, with the same key."
            error = unavailable("files-unavailable", message)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = "The service's disk is full. Jobs go on. Tell the administrator."
            error = ServiceError(507, RefusalReason.DISK_FULL.value, message)
        if isinstance(error, BlobMissing):
            error = ServiceError(410, "not-kept", "This is not kept any more.")
        if not isinstance(error, ServiceError):
            error = _from_tornado(status_code, error)
        self.set_status(error.status)
        for name, value in error.headers.items():
            self.set_header(name, value)
        self.answer(error.body(), error.status, media_type=MEDIA_TYPE)
        self.finish()

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """An expected "no" is no news; called by tornado."""
        if not isinstance(value, ServiceError):
            super().log_exception(typ, value, tb)


class NotFound(Handler):
    """Every path that is not there."""

    def prepare(self) -> None:
        """Called by tornado for any method."""
        raise ServiceError(404, "unknown-path", f"There is nothing at {self.request.path}.")


def _from_tornado(status: int, error: BaseException | None) -> ServiceError:
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    if status >= 500:
        return ServiceError(status, "internal-error", "The service failed at this; its log has the traceback.")
    said = error.log_message if isinstance(error, HTTPError) and error.log_message else phrase
    return ServiceError(status, phrase.lower().replace(" ", "-"), str(said))


def _checked_body(model: type[Model], body: bytes, change: Callable[[Any], Any]) -> Model:
    return checked(model, change(read_body(body)))


async def run_sync(call: Any, *args: Any, **kwargs: Any) -> Any:
    """A blocking call in a thread: the database and the disk must not hold up other requests."""
    return await executors.reads.run(call, *args, **kwargs)
