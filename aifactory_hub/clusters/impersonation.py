"""What an API server would say to somebody else: a server-side dry run in their name."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

from .api import KubeApi
from .errors import ApiError, ApiUnreachable

_TIMEOUT = aiohttp.ClientTimeout(total=10.0, sock_connect=3.0)


async def dry_run_as(api: KubeApi, user: str, path: str, body: dict[str, Any]) -> None:
    """POST ``body`` as ``user``, with all admission, and store nothing.

    The caller needs the right to ``impersonate`` that user; for the name of a service account this is a right on
    ``serviceaccounts`` of its namespace. Raises ApiError when the server says no, ApiUnreachable when it says nothing.
    """
    caller = api.core_v1.api_client
    headers = {"Impersonate-User": user, "Content-Type": "application/json", "Accept": "application/json"}
    if token := await caller.configuration.get_api_key_with_prefix("BearerToken"):
        headers["Authorization"] = token
    arguments: dict[str, Any] = {"headers": headers, "timeout": _TIMEOUT, "allow_redirects": False}
    if caller.configuration.tls_server_name:
        arguments["server_hostname"] = caller.configuration.tls_server_name
    session: aiohttp.ClientSession = caller.rest_client.pool_manager
    try:
        async with session.post(f"{api.server}{path}?dryRun=All", data=json.dumps(body), **arguments) as response:
            answer = await response.read()
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise ApiUnreachable(f"{api.server}: {error or type(error).__name__}") from error
    if response.status >= 500:
        raise ApiUnreachable(f"{api.server}: HTTP {response.status}")
    if response.status >= 300:
        raise ApiError(response.status, *_said(answer, str(response.reason)))


def _said(answer: bytes, reason: str) -> tuple[str, str]:
    """Reason and sentence of a refusal."""
    try:
        status = json.loads(answer)
        return str(status.get("reason", reason)), str(status.get("message", ""))
    except (ValueError, AttributeError, RecursionError):
        return reason, ""
