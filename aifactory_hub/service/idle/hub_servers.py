"""Asks the hub to stop an idle server: with a right to that alone, and only if it still is the one that was judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class IdleStop:
    """Which server: one of ``user`` in ``tenant`` that runs at least since ``idle_since``. ``why`` is for its owner."""

    user: str
    server: str
    tenant: str
    idle_since: float
    why: str


class NotStopped(Exception):
    """The hub did not stop it; the text says why."""


class Stopping(Protocol):
    """Stops servers."""

    async def stop(self, asked: IdleStop) -> None:
        """Raises NotStopped."""

    async def close(self) -> None:
        """Let go of connections."""


class HubServers:
    """See Stopping: the real hub, asked with the service's token."""

    def __init__(self, api_url: str, api_token: str) -> None:
        self._url = f"{api_url.rstrip('/').removesuffix('/api')}/aifactory/api/idle-stop"
        self._headers = {"Authorization": f"token {api_token}"}
        self._client: aiohttp.ClientSession | None = None

    async def stop(self, asked: IdleStop) -> None:
        """See Stopping."""
        if self._client is None:  # aiohttp makes one only where a loop runs
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
            self._client = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        body = {name: getattr(asked, name) for name in ("user", "server", "tenant", "idle_since", "why")}
        try:
            async with self._client.post(self._url, json=body, allow_redirects=False) as answer:
                if answer.status != 204:
                    raise NotStopped(await _words(answer))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotStopped(f"the hub does not answer ({type(error).__name__})") from error

    async def close(self) -> None:
        """See Stopping."""
        if self._client is not None:
            await self._client.close()


async def _words(answer: aiohttp.ClientResponse) -> str:
    try:
        said: Any = await answer.json()
        return f"the hub answered {answer.status}: {str(said['message'])[:300]}"
    except (aiohttp.ClientError, ValueError, KeyError, TypeError):
        return f"the hub answered {answer.status}"
