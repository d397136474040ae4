"""Calls from the Jupyter server to the job service, and which calls the panel may have passed on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httpx

from ..client.errors import Refused
from ..client.session import Account

# Seconds. Reading has none: a log that is followed may say nothing for an hour.
_TIMEOUT = httpx.Timeout(20.0, read=None, connect=5.0)
_ANSWER_WITHIN = httpx.Timeout(20.0, connect=5.0)
_ID = r"[a-z0-9]{1,40}"
_NAME = r"[^/?#]{1,200}"
_JOB = rf"jobs/{_ID}"
_SCHEDULE = rf"schedules/{_ID}"

# All that may be passed on. Whatever is not here does not exist for the panel.
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    "GET": (
        "quota",
        "limits",
        "openapi.json",
        "jobs",
        _JOB,
        rf"{_JOB}/(?:logs|artifacts|events|provenance|metrics)",
        rf"{_JOB}/artifacts/.{{1,1500}}",
        rf"tenants/{_NAME}/profiles",
        "schedules",
        "schedules/preview",
    ),
    "POST": ("jobs", "jobs/dry-run", rf"{_JOB}/(?:retry|suspend|resume)", rf"{_SCHEDULE}/runs"),
    "PATCH": (_SCHEDULE,),
    "DELETE": (_JOB, _SCHEDULE),
}
_PATTERNS = {method: re.compile("|".join(f"(?:{p})" for p in paths)) for method, paths in _ALLOWED.items()}


@dataclass(frozen=True, slots=True)
class Unreachable(Exception):
    """Nobody can be asked now. ``message`` is for a person."""

    message: str


def is_allowed(method: str, path: str) -> bool:
    """Whether the panel may ask for ``path``, the still quoted rest of the service's URL behind ``/api/v1/``."""
    pattern = _PATTERNS.get(method)
    dots = any(part in (".", "..") for part in unquote(path).split("/"))
    return pattern is not None and not dots and pattern.fullmatch(path) is not None


class Upstream:
    """The job service, asked as this server. Raises Unreachable when it says nothing."""

    def __init__(self, account: Account, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.account = account
        # No proxy from the environment: the token goes to the service and to nobody else.
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {account.token}"},
            timeout=_TIMEOUT,
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )

    def url(self, path: str) -> str:
        """Where ``path`` is at the service."""
        return f"{self.account.url}/api/v1/{path}"

    @asynccontextmanager
    async def opened(
        self, method: str, path: str, *, query: str = "", body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> AsyncIterator[httpx.Response]:
        """The answer, its body not yet read."""
        url = httpx.URL(self.url(path)).copy_with(query=query.encode() or None)
        request = self._client.build_request(method, url, content=body, headers=dict(headers))
        try:
            response = await self._client.send(request, stream=True)
        except httpx.RequestError as error:
            raise Unreachable(_words(error)) from error
        try:
            yield response
        except httpx.RequestError as error:
            raise Unreachable(_words(error)) from error
        finally:
            await response.aclose()

    async def get(self, path: str, params: Mapping[str, str | list[str]] | None = None) -> dict[str, Any]:
        """A JSON answer. Raises Unreachable, also for an answer that is not a success: its words are in it."""
        try:
            return await self._json("GET", path, params=dict(params or {}))
        except Refused as error:
            raise Unreachable(error.message) from error

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A JSON answer to a JSON object. Raises Refused, Unreachable."""
        return await self._json("POST", path, json=dict(body))

    async def _json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            response = await self._client.request(method, self.url(path), timeout=_ANSWER_WITHIN, **request)
            answer = response.json()
        except (httpx.RequestError, ValueError) as error:
            raise Unreachable(_words(error)) from error
        if not isinstance(answer, dict):
            raise Unreachable(_words(ValueError("not an object")))
        if not response.is_success:
            raise Refused(response.status_code, answer)
        return answer

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()


def _words(error: Exception) -> str:
    # The error's text may hold an address; which one it is helps only an administrator, who has the log.
    kind = "it did not answer in time" if isinstance(error, httpx.TimeoutException) else "it can't be reached"
    return f"The job service does not answer now ({kind}). Jobs that were submitted go on; this page tries again."
