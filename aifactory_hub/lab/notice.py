"""What the hub is about to do to this server, asked when somebody looks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

# Seconds. The hub tells a minute before, and has other things to do than to answer every panel every time.
FRESH = 15.0
_TIMEOUT = 3.0


class Notices:
    """``now`` is what the hub last said: why and until when this server runs, None when nothing is planned."""

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = _url(os.environ if environment is None else environment)
        token = (os.environ if environment is None else environment).get("JUPYTERHUB_API_TOKEN", "")
        # No proxy from the environment: the token goes to the hub and to nobody else.
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT, trust_env=False, transport=transport
        )
        self._clock = clock
        self._asked: float | None = None
        self._notice: dict[str, Any] | None = None

    async def now(self) -> dict[str, Any] | None:
        """Asked at most every ``FRESH`` seconds. A hub that does not answer has changed nothing."""
        if self._url is None or (self._asked is not None and self._clock() - self._asked < FRESH):
            return self._notice
        self._asked = self._clock()
        try:
            answer = await self._client.get(self._url)
            found = answer.json()["notice"] if answer.is_success else None
        except (httpx.RequestError, ValueError, LookupError, TypeError):
            return self._notice
        self._notice = found if isinstance(found, dict) else None
        return self._notice

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()


def _url(environment: Mapping[str, str]) -> str | None:
    api, user = environment.get("JUPYTERHUB_API_URL", "").rstrip("/"), environment.get("JUPYTERHUB_USER")
    if not user or not api.endswith("/api"):
        return None
    server = environment.get("JUPYTERHUB_SERVER_NAME", "")
    path = "/".join(quote(part, safe="") for part in (user, server) if part)
    return f"{api.removesuffix('/api')}/aifactory/notice/{path}"
