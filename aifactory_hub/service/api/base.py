"""Shared by all handlers: authentication, JSON answers, errors in one form."""

from __future__ import annotations

import asyncio
import errno
import functools
import json
import logging
from asyncio import Future
from collections.abc import Awaitable, Callable, Collection, Mapping
from http import HTTPStatus
from typing import Any

from sqlalchemy.exc import OperationalError
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, stream_request_body

from ... import constants
from ...domain.refusals import RefusalReason
from ...store import BlobMissing, BlobsUnavailable, JobRecord
from ...untrusted.texts import unprintable
from .. import executors
from ..auth.hub_auth import bearer
from ..auth.permissions import Caller, choose_tenant
from ..auth.runner_tokens import matches
from ..errors import MEDIA_TYPE, ServiceError, bad_field, forbidden, from_refusal, unavailable, unknown_job
from ..request_types import MOST_BODY, Model, checked, parse_query, read_body
from .context import Context
from .error_page import error_page
from .limits import Kind
from .reader_access import Reader
from .session import SessionHandler

log = logging.getLogger(__name__)

# Bodies up to so many bytes are read where they come: that takes a fraction of a millisecond.
_BODY_HERE = 8 * 1024
# Bytes of a body that is too large that are read all the same, so that its sender can read why it was refused.
_READ_IN_VAIN = 64 * 2**20
_VERBS = ("get", "head", "post", "put", "patch", "delete", "options")
# A piece of an answer that its reader does not take within this many seconds ends the answer.
WRITE_TIMEOUT = 60.0


def _with_body(method: Callable[..., Awaitable[None] | None]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(method)
    async def called(self: Any, *args: str) -> None:
        self.end_body()
        waiting = method(self, *args)
        if waiting is not None:
            await waiting

    return called


@stream_request_body
class Handler(SessionHandler):
    """A handler with the service's parts at hand.

    Bodies are read by ``data_received``, up to ``MOST_BODY``. One that is larger is read to its end in vain, so that
    its sender reads the refusal instead of a connection that breaks.
    """

    # Who reads an answer that is sent in pieces; see send_piece.
    reader: Reader | None = None
    # How this handler's requests count among what one person may have open.
    counts_as = Kind.REQUESTS
    _release: Callable[[], None] | None = None
    _refused: ServiceError | None = None
    _holder: str | None = None
    _some_came = False
    _body_ended = False
    _ended = False
    _end_turn: Callable[[], None] = staticmethod(lambda: None)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let each verb begin with its body, or with why that was refused."""
        super().__init_subclass__(**kwargs)
        for verb in _VERBS:
            if verb in vars(cls):
                setattr(cls, verb, _with_body(vars(cls)[verb]))

    def initialize(self, context: Context) -> None:
        """Called by tornado with the route's arguments."""
        self.context = context
        self._body = bytearray()

    def prepare(self) -> Awaitable[None] | None:
        """Before the body is read; called by tornado. Raises ServiceError for a body too large to be read in vain."""
        length = self.request.headers.get("Content-Length", "0")
        connection: Any = self.request.connection
        connection.set_max_body_size(_READ_IN_VAIN)
        if length.isdecimal() and int(length) > MOST_BODY:
            self._refused = _body_too_large()
            if int(length) > _READ_IN_VAIN:
                raise self._refused
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """A piece of the body; called by tornado."""
        waiting = self.paced(len(chunk))
        if self._refused is None and len(self._body) + len(chunk) > MOST_BODY:
            self._refused = _body_too_large()
        if self._refused is None:
            self._body += chunk
        return waiting

    def paced(self, size: int) -> Awaitable[None] | None:
        """What to wait for before more of the body is taken; the first piece waits for nothing.

        It waits while the sender's bodies come faster than they may and others ask. Senders whom nobody knows yet are
        counted together.
        """
        first, self._some_came = not self._some_came, True
        owner = self.context.gate.last_owner(self.sent_authorization())
        holder = self._holder or ("strangers" if owner is None else f"person {owner}")
        return None if first or self.context.turns.alone(holder) else self.context.body_pace.wait(holder, size)

    def end_body(self) -> None:
        """The body is here whole. Raises ServiceError when it was refused."""
        self._body_ended = True
        if self._refused is not None:
            raise self._refused
        if self._body:
            self.request.body = bytes(self._body)
            self._body.clear()

    @property
    def _kind(self) -> Kind:
        return Kind.UPLOADS if self.request.method == "PUT" else self.counts_as

    async def begin(self, holder: str) -> None:
        """Count this request among what ``holder`` has open, and wait for a turn. Raises ServiceError (429).

        An upload has no turn while its body comes; the executor that unpacks it gives turns of its own.
        """
        if self._release is not None:
            return
        self._release = self.context.limits.take(self._kind, holder)
        self._holder = holder
        if self._kind is not Kind.UPLOADS:
            self._end_turn = await self.context.turns.take(holder)
            if self._ended:  # the caller went away meanwhile
                self._end_turn()

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Future[None]:
        """The answer is complete; called by tornado for every answer."""
        try:
            return super().finish(chunk)
        finally:
            self._end()

    def _end(self) -> None:
        self._ended = True
        self._end_turn()
        if self._release is not None:
            self._release()
            self._release = lambda: None
        if self.reader is not None:
            self.reader.close()

    def compute_etag(self) -> None:
        """None: nobody keeps an answer (``no-store``), so none is compared with the one before; called by tornado."""

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
        authorization = self.authorization()
        owner = self.context.gate.last_owner(authorization)
        if owner is not None and self._release is None:
            # Before the hub is asked: a request that is one too many costs next to nothing.
            self.context.limits.check(self._kind, f"person {owner}")
        caller = await self.context.gate.caller(authorization, fresh=fresh)
        await self.begin(f"person {caller.name}")
        return caller

    async def administrator(self, *, fresh: bool = False) -> Caller:
        """The caller. Raises ServiceError (403) for all but the hub's administrators."""
        caller = await self.caller(fresh=fresh)
        if not caller.administers_platform:
            raise forbidden(
                "This is for the hub's administrators, with a token that is for administrating: "
                "a notebook's is not. Take one from the hub's token page."
            )
        return caller

    def check_shared_token(self) -> None:
        """Raises ServiceError (401, 403) for all but who has the token that hub and service share."""
        if not matches(bearer(self.request.headers.get("Authorization")), self.context.site_token_hash):
            raise forbidden("This takes the token that hub and service share.")

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
        return parse_query(model, self.asked_arguments())

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
        self.open_for(caller, [job.tenant])
        found: JobRecord = job
        return found

    def open_for(self, caller: Caller, tenants: Collection[str]) -> None:
        """Name the teams that the pieces of this answer are about: ``send_piece`` asks again for the reader's."""

        async def readable() -> Collection[str]:
            now = await self.caller(fresh=True)
            return now.tenants(constants.SCOPE_READ, self.context.registry.tenants)

        self.reader = Reader(readable, tenants)

    async def send_piece(self, *pieces: str | bytes | tuple[str, str | None]) -> bool:
        """Send pieces of an answer that stays open, as one. False when there was nothing to send.

        A piece may come with the tenant that it is about: it is not sent to a reader of several teams who has left
        that one. Raises ServiceError when the reader may not read the answer any more.
        """
        if self.reader is None:
            raise RuntimeError(f"{type(self).__name__} sends an answer in pieces and has named no reader")
        self._end_turn()  # to wait for a reader is no work
        await self.reader.check()
        told = [piece if isinstance(piece, tuple) else (piece, None) for piece in pieces]
        left = [text for text, tenant in told if tenant is None or tenant in self.reader.tenants]
        if not left:
            return False
        for text in left:
            self.write(text)
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                await super().flush()
        except TimeoutError:
            self.cut_off("its reader does not take it")
        return True

    def flush(self, include_footers: bool = False) -> Future[None]:
        """Called by tornado at the end of an answer. Pieces go through ``send_piece``."""
        if not include_footers and not self._finished:
            raise RuntimeError("send pieces of an answer with send_piece, which asks whether its reader may have them")
        return super().flush(include_footers)

    def cut_off(self, why: str) -> None:
        """End an answer of which a part was sent, so that it can't be taken for a whole one."""
        log.info("%s %s was cut off: %s", self.request.method, self.request.path, why)
        connection: Any = self.request.connection
        connection.close()
        raise StreamClosedError

    def on_connection_close(self) -> None:
        """The caller went away; called by tornado."""
        self._end()
        super().on_connection_close()

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
                await self.send_piece(chunk)
        except ServiceError as error:
            if not self._headers_written:
                raise
            self.cut_off(error.detail)
        except StreamClosedError:
            log.info("%s: the reader went away", self.request.path)
        finally:
            reading.close()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every error in one form; called by tornado."""
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
        if not self._body_ended:
            self.set_header("Connection", "close")  # tornado closes it, because the body has not been read
        for name, value in error.headers.items():
            self.set_header(name, value)
        self.answer_error(error)
        self.finish()

    def answer_error(self, error: ServiceError) -> None:
        """JSON for programs, a page for a person whose browser has opened this address."""
        if self.request.method == "GET" and "text/html" in self.request.headers.get("Accept", ""):
            self.set_status(error.status)
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.write(error_page(error, service=self.settings["prefix"], hub=self.settings["hub"]))
        else:
            self.answer(error.body(), error.status, media_type=MEDIA_TYPE)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what nobody expected; called by tornado. Never with the query or headers, which may hold a token."""
        if not isinstance(value, ServiceError | HTTPError | StreamClosedError):
            where = f"{self.request.method} {self.request.path}"
            log.error("%s failed", where, exc_info=(typ, value, tb) if typ is not None else None)


class NotFound(Handler):
    """Every path that is not there."""

    def get(self, *_: str) -> None:
        """Called by tornado for any method."""
        raise ServiceError(404, "unknown-path", f"There is nothing at {self.request.path}.")

    head = post = put = patch = delete = options = get


def _body_too_large() -> ServiceError:
    message = f"A request's body may have {MOST_BODY} bytes at most. Send files with the job's files."
    return ServiceError(413, "too-large", message, numbers={"limit": MOST_BODY})


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
