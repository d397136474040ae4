"""One API server, one credential: the only door to Kubernetes. JSON in, JSON out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import aiohttp
from kubernetes_asyncio import client

from .answers import TENANT_LIMITS, AnswerReader, AnswerTooLarge, Limits
from .connection import Json, Opening, Params, build_client, checked_path, tls_reason
from .credentials import Credential
from .decoding import decode_list, decode_object
from .errors import ApiError, ApiNonsense, ApiUnreachable
from .server_clock import ServerClock
from .tenant_objects import TenantObject
from .text import printable

# Too many requests, and "timed out" as answered by the server: nothing was decided.
_UNDECIDED = (408, 429)
# Objects on a page of a tenant's list, and in all; bytes of a whole list. Each page counts as this many bytes at least,
# so that a list of empty pages ends, too.
_PAGE = 100
_MOST_LISTED = 2000
_LONGEST_LIST = 32 * 2**20
_SMALLEST_PAGE = 256 * 1024

# ValueError: aiohttp's for some headers that it can't read.
_BROKEN = (TimeoutError, aiohttp.ClientError, OSError, ValueError)


class KubeApi:
    """One API server under one credential. Made inside a running event loop; ``close`` it.

    Raises CredentialError for certificates and keys that are none.
    Calls raise ApiUnreachable or ApiError and never retry: whether trying again is safe, the caller knows.
    ``connect_timeout`` is apart from ``timeout`` (seconds, whole call) because a dropped connection attempt
    otherwise blocks for the whole of it. ``on_trouble`` is called when the server was unreachable, not trusted, or
    refused the credential (401): time to look whether it still lives and whether the credential was rotated.

    Whatever the server sends, a call ends in time, takes no more memory than ``limits`` and raises nothing else:
    an answer that is too large, compressed, no JSON or no object of the expected shape raises ApiNonsense, which is an
    ApiUnreachable.
    """

    def __init__(
        self,
        credential: Credential,
        *,
        connect_timeout: float = 3.0,
        timeout: float = 10.0,
        on_trouble: Callable[[], None] | None = None,
        limits: Limits = TENANT_LIMITS,
    ) -> None:
        self.server = credential.server
        self._limits = limits
        self._answers = AnswerReader(credential.server, limits)
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._on_trouble = on_trouble
        self._client = build_client(credential, limits)
        self._core_v1 = client.CoreV1Api(self._client)
        self.clock = ServerClock()

    @property
    def core_v1(self) -> Any:
        """kubernetes_asyncio's CoreV1Api on this credential, for kubespawner."""
        return self._core_v1

    @property
    def closed(self) -> bool:
        return bool(self._session.closed)

    async def get(self, path: str, params: Params | None = None, *, timeout: float | None = None) -> Json:
        """One object or list of a server that is trusted to send objects of the right shape."""
        return self._answers.parse(await self._call("GET", path, params, timeout=timeout))

    async def read(self, path: str, params: Params | None = None) -> bytes:
        """The answer as it came, for who decodes it."""
        return await self._call("GET", path, params)

    async def object(self, path: str, shape: type[TenantObject], params: Params | None = None) -> Json:
        """One object, of which only the fields of ``shape`` are read. Raises ApiNonsense for another shape."""
        return decode_object(await self._call("GET", path, params), shape, self.server)

    async def list(
        self, path: str, shape: type[TenantObject], params: Params | None = None, *, most: int = _MOST_LISTED
    ) -> list[Json]:
        """The first ``most`` objects of a collection, page by page, at most 32 MiB of them as sent.

        An object of another shape is left out. Raises ApiNonsense for what is no list, or has too large an object.
        """
        found: list[Json] = []
        asked: dict[str, str | int] = dict(params or {})
        page, left = _PAGE, _LONGEST_LIST
        while len(found) < most and left > 0:
            asked["limit"] = min(page, most - len(found))
            try:
                data = await self._call("GET", path, asked)
            except AnswerTooLarge:
                left -= self._limits.answer
                if page == 1 or left <= 0:
                    raise
                page = max(1, page // 8)
                continue
            left -= max(len(data), _SMALLEST_PAGE)
            items, more = await asyncio.to_thread(decode_list, data, shape, self.server)
            found += items
            if not more:
                break
            asked["continue"] = more
        return found[:most]

    async def create(self, path: str, body: Json, params: Params | None = None) -> Json:
        """POST ``body`` to a collection of a trusted server."""
        return self._answers.parse(await self._call("POST", path, params, body))

    async def create_object(self, path: str, body: Json, shape: type[TenantObject]) -> Json:
        """POST ``body``; of the answer only the fields of ``shape`` are read.

        Raises ApiNonsense for another shape; the object may have been created even then.
        """
        return decode_object(await self._call("POST", path, None, body), shape, self.server)

    async def proxied(self, path: str, body: Json, *, timeout: float) -> tuple[int, bytes, str]:
        """POST ``body`` to what stands behind the server's proxy: status, body and media type of its answer.

        An answer of the server itself, such as that there is nothing behind it, looks the same but for its body.
        """
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=min(self._connect_timeout, timeout))
        try:
            async with self._open("POST", path, None, body, "application/json", limits) as response:
                return response.status, await self._answers.whole(response), response.content_type
        except _BROKEN as error:
            raise self._unreachable(error, timeout) from error

    async def merge_patch(self, path: str, body: Json) -> Json:
        """JSON merge patch: lists are replaced whole. Put metadata.resourceVersion in to patch only what was read."""
        content_type = "application/merge-patch+json"
        return self._answers.parse(await self._call("PATCH", path, None, body, content_type=content_type))

    async def apply(self, path: str, body: Json, *, manager: str, dry_run: bool = False) -> Json:
        """Server-side apply as ``manager``, which takes the fields of ``body`` from whoever had them.

        Returns the object as it is then; with ``dry_run`` as it would be, and nothing is stored.
        """
        params: dict[str, Any] = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            params["dryRun"] = "All"
        data = await self._call("PATCH", path, params, body, content_type="application/apply-patch+yaml")
        return self._answers.parse(data)

    async def delete(self, path: str, *, propagation: str = "Background", uid: str | None = None) -> None:
        """Delete an object; with ``uid`` only that very one. One that is gone, or was replaced, is no error."""
        options: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            await self._call("DELETE", path, None, options)
        except ApiError as error:
            replaced = uid is not None and error.status == 409
            if error.status != 404 and not replaced:
                raise

    async def who_am_i(self) -> str:
        """The name by which the server knows the caller. Raises ApiError where it does not say (before 1.28)."""
        review: Json = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = await self.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        return str(((answer.get("status") or {}).get("userInfo") or {}).get("username") or "")

    async def text(self, path: str, params: Params | None = None, *, timeout: float | None = None) -> str:
        """A plain answer; bytes that are not UTF-8 are replaced."""
        return (await self._call("GET", path, params, timeout=timeout)).decode("utf-8", "replace")

    async def end_of_text(self, path: str, params: Params | None = None, *, keep: int) -> str:
        """The last ``keep`` bytes of a plain answer such as a pod's log, however long it is."""
        data = await self._call("GET", path, params, read=lambda response: self._answers.end(response, keep))
        return data.decode("utf-8", "ignore")

    async def watch(
        self, path: str, params: Params | None = None, *, seconds: int = 25, silence: float = 30.0
    ) -> AsyncIterator[memoryview]:
        """Changes of a collection, one event a line, as many lines as came at once.

        Bookmarks are asked for. It goes on until the server ends it.
        It is asked to end it after ``seconds``; nothing for longer than ``silence`` seconds, which must be
        more, counts as unreachable: a watch can go silent without breaking. One that goes on for the sum of both is
        ended here, as is one that sends more than ``limits.watch`` bytes.
        """
        asked = {"watch": 1, "allowWatchBookmarks": "true", "timeoutSeconds": seconds, **(params or {})}
        limits = aiohttp.ClientTimeout(total=seconds + silence, sock_connect=self._connect_timeout, sock_read=silence)
        opening = self._open("GET", path, asked, None, "application/json", limits)
        try:
            async with opening as response:
                self.clock.take(response.headers.get("Date", ""))
                if not 200 <= response.status < 300:
                    raise await self._refusal(response)
                async for lines in self._answers.lines(response):
                    yield lines
        except _BROKEN as error:
            raise self._unreachable(error, silence) from error

    async def close(self) -> None:
        """Let go of connections. Calls that are under way end in ApiUnreachable."""
        await self._client.close()
        # Aborted connections close their sockets in the loop's next turn.
        await asyncio.sleep(0)

    @property
    def _session(self) -> aiohttp.ClientSession:
        return cast(aiohttp.ClientSession, self._client.rest_client.pool_manager)

    async def _call(
        self,
        method: str,
        path: str,
        params: Params | None,
        body: Json | None = None,
        *,
        content_type: str = "application/json",
        timeout: float | None = None,
        read: Callable[[aiohttp.ClientResponse], Awaitable[bytes]] | None = None,
    ) -> bytes:
        total = timeout or self._timeout
        limits = aiohttp.ClientTimeout(total=total, sock_connect=min(self._connect_timeout, total))
        opening = self._open(method, path, params, body, content_type, limits)
        try:
            async with opening as response:
                self.clock.take(response.headers.get("Date", ""))
                if 200 <= response.status < 300:
                    return await (read or self._answers.whole)(response)
                raise await self._refusal(response)
        except _BROKEN as error:
            raise self._unreachable(error, total) from error

    def _open(
        self,
        method: str,
        path: str,
        params: Params | None,
        body: Json | None,
        content_type: str,
        limits: aiohttp.ClientTimeout,
    ) -> Opening:
        # kubernetes_asyncio's own call logs every answer at debug level, Secrets too. So its session is used directly.
        if self.closed:
            raise ApiUnreachable(f"the connection to {self.server} was closed")
        return Opening(self._client, method, self.server + checked_path(path), params, body, content_type, limits)

    def _unreachable(self, error: Exception, seconds: float) -> ApiUnreachable:
        self._trouble()
        if isinstance(error, aiohttp.ClientSSLError):
            return ApiUnreachable(f"the TLS connection to {self.server} failed: {tls_reason(error)}")
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return ApiUnreachable(f"{self.server} did not take the connection within {self._connect_timeout:g} s")
        if isinstance(error, TimeoutError):
            return ApiUnreachable(f"{self.server} did not answer within {seconds:g} s")
        if isinstance(error, aiohttp.ClientConnectorError):
            return ApiUnreachable(f"{self.server} can't be connected to: {error.os_error.strerror or error.os_error}")
        return ApiUnreachable(f"the connection to {self.server} broke: {type(error).__name__}")

    async def _refusal(self, response: aiohttp.ClientResponse) -> ApiUnreachable | ApiError:
        status, phrase = response.status, printable(response.reason or "", 100)
        reason, message = await self._answers.status(response)
        message = message or phrase
        if status >= 500 or status in (401, *_UNDECIDED):
            self._trouble()
        if status >= 500 or status in _UNDECIDED:
            return ApiUnreachable(f"{self.server} answered {status}: {message}")
        if status < 400:
            return ApiNonsense(f"{self.server} answered {status}, which no Kubernetes API does: {message}")
        return ApiError(status, reason or phrase, message)

    def _trouble(self) -> None:
        if self._on_trouble is not None:
            self._on_trouble()
