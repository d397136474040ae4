"""Asks the hub and the job service with the token that both have."""

from __future__ import annotations

from typing import Any

import httpx

_SECONDS = 5.0


async def ask_for_answer(url: str, token: str) -> dict[str, Any] | str:
    """The answer, or why there is none."""
    try:
        async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as http:
            answer = await http.get(url, headers={"Authorization": f"Bearer {token}"})
            found = answer.raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return str(error) or type(error).__name__
    return found if isinstance(found, dict) else "the answer is no object"
