"""One API server, one credential: the only door to Kubernetes. JSON in, JSON out."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, cast

import aiohttp
from kubernetes_asyncio import client

from .credentials import Credential

Json = dict[str, Any]
Params = Mapping[str, str | int]

# A pod is a few KiB and etcd's limit for one object is 1.5 MiB, so a longer line is no object.
_LONGEST_LINE = 8 * 2**20
# Too many requests, and "timed out" as answered by the server: nothing was decided.
_UNDECIDED = (408, 429)


class ApiUnreachable(Exception):
    """No answer that decides anything: nothing may be concluded from it. ``reason`` is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ApiError(Exception):
    """The API server answered "no": ``status`` is HTTP's, ``reason`` the API's slug, ``message`` its sentence."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class KubeApi:
    """One API server under one credential. Made inside a running event loop; ``close`` it.

    Calls raise ApiUnreachable or ApiError and never retry: whether trying again is safe, the caller knows.
    ``connect_timeout`` is apart from ``timeout`` (seconds, whole call) because a dropped connection attempt
    otherwise blocks for the whole of it. ``on_trouble`` is called when the server was unreachable, not trusted, or
    refused the credential (401): time to look whether it still lives and whether the credential was rotated.
    """

    def __init__(
        self,
        credential: Credential,
        *,
        connect_timeout: float = 3.0,
        timeout: float = 10.0,
        on_trouble: Callable[[], None] | None = None,
    ) -> None:
        self.server = credential.server
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._on_trouble = on_trouble
        self._client = _build_client(credential)
        self._core_v1 = client.CoreV1Api(self._client)

    @property
    def core_v1(self) -> Any:
        """kubernetes_asyncio's CoreV1Api on this credential, for kubespawner."""
        return self._core_v1

    @property
    def closed(self) -> bool:
        return bool(self._session.closed)

    async def get(self, path: str, params: Params | None = None, *, timeout: float | None = None) -> Json:
        """One object or list."""
        return _parse(await self._call("GET", path, params, timeout=timeout), self.server)

    async def read(self, path: str, params: Params | None = None) -> bytes:
        """The answer as it came, for who decodes it."""
        return await self._call("GET", path, params)

    async def create(self, path: str, body: Json, params: Params | None = None) -> Json:
        """POST ``body`` to a collection."""
        return _parse(await self._call("POST", path, params, body), self.server)

    async def merge_patch(self, path: str, body: Json) -> Json:
        """JSON merge patch: lists are replaced whole. Put metadata.resourceVersion in to patch only what was read."""
        content_type = "application/merge-patch+json"
        return _parse(await self._call("PATCH", path, None, body, content_type=content_type), self.server)

    async def apply(self, path: str, body: Json, *, manager: str, dry_run: bool = False) -> Json:
        """Server-side apply as ``manager``, which takes the fields of ``body`` from whoever had them.

        Returns the object as it is then; with ``dry_run`` as it would be, and nothing is stored.
        """
        params: dict[str, Any] = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            params["dryRun"] = "All"
        data = await self._call("PATCH", path, params, body, content_type="application/apply-patch+yaml")
        return _parse(data, self.server)

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

    async def text(self, path: str, params: Params | None = None, *, timeout: float | None = None) -> str:
        """A plain answer such as a pod's log; bytes that are not UTF-8 are replaced."""
        return (await self._call("GET", path, params, timeout=timeout)).decode("utf-8", "replace")

    async def watch(
        self, path: str, params: Params | None = None, *, seconds: int = 25, silence: float = 30.0
    ) -> AsyncIterator[memoryview]:
        """Changes of a collection, one event a line, as many lines as came at once.

        Bookmarks are asked for. It goes on until the server ends it.
        It is asked to end it after ``seconds``; nothing for longer than ``silence`` seconds, which must be
        more, counts as unreachable: a watch can go silent without breaking.
        """
        asked = {"watch": 1, "allowWatchBookmarks": "true", "timeoutSeconds": seconds, **(params or {})}
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout, sock_read=silence)
        try:
            async with self._open("GET", path, asked, None, "application/json", limits) as response:
                if response.status >= 400:
                    raise self._refusal(response.status, response.reason, await response.read())
                async for lines in _lines(response.content):
                    yield lines
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
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
    ) -> bytes:
        total = timeout or self._timeout
        limits = aiohttp.ClientTimeout(total=total, sock_connect=min(self._connect_timeout, total))
        try:
            async with self._open(method, path, params, body, content_type, limits) as response:
                data = await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._unreachable(error, total) from error
        if not 200 <= response.status < 300:
            raise self._refusal(response.status, response.reason, data)
        return data

    def _open(
        self,
        method: str,
        path: str,
        params: Params | None,
        body: Json | None,
        content_type: str,
        limits: aiohttp.ClientTimeout,
    ) -> _Opening:
        # kubernetes_asyncio's own call logs every answer at debug level, Secrets too. So its session is used directly.
        if self.closed:
            raise ApiUnreachable(f"the connection to {self.server} was closed")
        return _Opening(self._client, method, self.server + _checked(path), params, body, content_type, limits)

    def _unreachable(self, error: Exception, seconds: float) -> ApiUnreachable:
        self._trouble()
        if isinstance(error, aiohttp.ClientSSLError):
            return ApiUnreachable(f"the TLS connection to {self.server} failed: {_tls_reason(error)}")
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return ApiUnreachable(f"{self.server} did not take the connection within {self._connect_timeout:g} s")
        if isinstance(error, TimeoutError):
            return ApiUnreachable(f"{self.server} did not answer within {seconds:g} s")
        if isinstance(error, aiohttp.ClientConnectorError):
            return ApiUnreachable(f"{self.server} can't be connected to: {error.os_error.strerror or error.os_error}")
        return ApiUnreachable(f"the connection to {self.server} broke: {type(error).__name__}")

    def _refusal(self, status: int, phrase: str | None, data: bytes) -> ApiUnreachable | ApiError:
        reason, message = _status_object(data)
        message = message or phrase or ""
        if status >= 500 or status in (401, *_UNDECIDED):
            self._trouble()
        if status >= 500 or status in _UNDECIDED:
            return ApiUnreachable(f"{self.server} answered {status}: {message}")
        return ApiError(status, reason or phrase or "", message)

    def _trouble(self) -> None:
        if self._on_trouble is not None:
            self._on_trouble()


class _Opening:
    """An answer whose head has arrived, as an async context manager."""

    def __init__(
        self,
        api_client: Any,
        method: str,
        url: str,
        params: Params | None,
        body: Json | None,
        content_type: str,
        limits: aiohttp.ClientTimeout,
    ) -> None:
        self._client = api_client
        self._arguments: Json = {"method": method, "url": url, "params": params, "timeout": limits}
        # A redirect would take the token wherever the answer says.
        self._arguments["allow_redirects"] = False
        if self._client.configuration.tls_server_name:
            self._arguments["server_hostname"] = self._client.configuration.tls_server_name
        self._headers = {"Accept": "application/json, */*"}
        if body is not None:
            self._arguments["data"] = json.dumps(body)
            self._headers["Content-Type"] = content_type

    async def __aenter__(self) -> aiohttp.ClientResponse:
        token = await self._client.configuration.get_api_key_with_prefix("BearerToken")
        if token:
            self._headers["Authorization"] = token
        session: aiohttp.ClientSession = self._client.rest_client.pool_manager
        self._response = await session.request(headers=self._headers, **self._arguments)
        return self._response

    async def __aexit__(self, *_: object) -> None:
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            # Not read to its end, as a watch that is stopped: a TLS goodbye would outlive the client, waiting for the
            # server's.
            connection.transport.abort()
        self._response.close()


def _build_client(credential: Credential) -> Any:
    """An ApiClient with a Configuration of its own, so that no process-wide default is read or written."""
    configuration = client.Configuration(host=credential.server)
    # 0 is "no limit" to aiohttp: each waiting spawn may hold a watch, and each call has its own time limit.
    configuration.connection_pool_maxsize = 0
    configuration.tls_server_name = credential.server_name
    if hasattr(configuration, "disable_strict_ssl_verification"):
        # Python 3.13 refuses certificates without all the extensions of RFC 5280, as Kubernetes' own often are.
        configuration.disable_strict_ssl_verification = True
    _set_token(configuration, credential)
    # OpenSSL reads certificates from files only. They are removed before anything else can go wrong.
    with tempfile.TemporaryDirectory(prefix="aifactory-tls-") as folder:
        configuration.ssl_ca_cert = _file(folder, "ca.crt", credential.ca)
        configuration.cert_file = _file(folder, "tls.crt", credential.certificate)
        configuration.key_file = _file(folder, "tls.key", credential.key)
        return client.ApiClient(configuration=configuration)


def _file(folder: str, name: str, content: str | None) -> str | None:
    if content is None:
        return None
    path = Path(folder, name)
    path.touch(mode=0o600)
    path.write_text(content)
    return str(path)


def _set_token(configuration: Any, credential: Credential) -> None:
    path = credential.token_file
    if credential.token is None and path is None:
        return
    configuration.api_key_prefix["BearerToken"] = "Bearer"
    configuration.api_key["BearerToken"] = credential.token
    if path is not None:
        read_at = 0.0

        def refresh(config: Any) -> None:
            nonlocal read_at
            now = asyncio.get_running_loop().time()
            if config.api_key["BearerToken"] is None or now - read_at > 60:
                config.api_key["BearerToken"] = path.read_text().strip()
                read_at = now

        configuration.refresh_api_key_hook = refresh


def _checked(path: str) -> str:
    # A name from outside must not become another path ("..") or a query.
    parts = path.split("/")
    if parts[0] or any(part in ("", ".", "..") for part in parts[1:]) or set(path) & set("?#%\\"):
        raise ValueError(f"{path!r} is not the path of an API object")
    return path


def _parse(data: bytes, server: str) -> Json:
    try:
        parsed = json.loads(data)
    except ValueError as error:
        raise ApiUnreachable(f"{server} answered with something that is not JSON") from error
    if not isinstance(parsed, dict):
        raise ApiUnreachable(f"{server} answered with something that is not a JSON object")
    return parsed


def _status_object(data: bytes) -> tuple[str, str]:
    try:
        status = json.loads(data)
    except ValueError:
        return "", data[:200].decode("utf-8", "replace").strip()
    if not isinstance(status, dict):
        return "", ""
    return str(status.get("reason") or ""), str(status.get("message") or "")


def _tls_reason(error: aiohttp.ClientSSLError) -> str:
    cause = getattr(error, "certificate_error", None) or error.os_error
    return getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or str(cause)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[memoryview]:
    """Whole lines; half a line at the end means that the stream broke off, and is dropped."""
    whole = WholeLines()
    async for chunk in content.iter_any():
        if lines := whole.feed(chunk):
            yield lines


class WholeLines:
    """Makes whole lines of a stream's pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> memoryview:
        """The lines that this piece completes, uncopied. Raises ApiUnreachable for one without an end."""
        data = self._rest + chunk
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        if len(self._rest) > _LONGEST_LINE:
            raise ApiUnreachable("a watch event is longer than any Kubernetes object can be")
        return memoryview(data)[:end]
