"""The connection to one API server: its session, its credential, and one call's answer."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes_asyncio import client

from .answers import GuardedResponse, Limits
from .credentials import Credential, CredentialError
from .text import printable

Json = dict[str, Any]
Params = Mapping[str, str | int]


class Opening:
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
        self._headers = {"Accept": "application/json, */*", "Accept-Encoding": "identity"}
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


def build_client(credential: Credential, limits: Limits) -> Any:
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
        try:
            made = client.ApiClient(configuration=configuration)
        except (OSError, ValueError) as error:
            # ssl.SSLError is an OSError.
            raise CredentialError(f"its certificate or key can't be used: {printable(str(error), 200)}") from error
    made.rest_client.pool_manager = _bounded_session(made.rest_client.pool_manager, limits)
    return made


def _bounded_session(session: aiohttp.ClientSession, limits: Limits) -> aiohttp.ClientSession:
    """A session on the same connector that decompresses nothing and keeps no cookies.

    1.5 MB of gzip can be 4.6 GiB of text, and cookies of a server that sets new ones would pile up.
    """
    connector = session.connector
    session.detach()
    return aiohttp.ClientSession(
        connector=connector,
        trust_env=True,
        cookie_jar=aiohttp.DummyCookieJar(),
        response_class=GuardedResponse,
        auto_decompress=False,
        read_bufsize=limits.buffer,
    )


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


def checked_path(path: str) -> str:
    # A name from outside must not become another path ("..") or a query.
    parts = path.split("/")
    if parts[0] or any(part in ("", ".", "..") for part in parts[1:]) or set(path) & set("?#%\\"):
        raise ValueError(f"{path!r} is not the path of an API object")
    return path


def tls_reason(error: aiohttp.ClientSSLError) -> str:
    cause = getattr(error, "certificate_error", None) or error.os_error
    return getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or str(cause)
