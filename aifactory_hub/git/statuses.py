"""Tells Git hosts how commits stand."""

from __future__ import annotations

import ssl

import aiohttp

from ..domain.commit_statuses import StatusRequest
from .errors import GitFailed, GitRefused

_TIMEOUT = 15.0
# Of what a host says to a refusal, so many characters are shown.
_SHOWN = 200
# Statuses after which the same request may succeed later.
_LATER = frozenset({408, 409, 423, 425, 429})


async def send_status(request: StatusRequest, token: str, *, authorities: ssl.SSLContext | None = None) -> None:
    """Send it, with no proxy from the environment and without following redirects.

    ``authorities`` vouch for the host where no public ones do.

    Raises GitRefused where the host says no, and GitFailed where it can't be asked now.
    """
    headers = {request.header: f"{request.scheme}{token}", "Accept": "application/json"}
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(
                request.url, json=dict(request.body), headers=headers, ssl=authorities or True, allow_redirects=False
            ) as answer,
        ):
            if answer.status < 300:
                return
            said = (await answer.content.read(4 * _SHOWN)).decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise GitFailed(f"the host does not answer: {type(error).__name__}") from error
    told = f"the host answered {answer.status}: {' '.join(said.replace(token, '***').split())[:_SHOWN]}"
    if answer.status in _LATER or answer.status >= 500:
        raise GitFailed(told)
    raise GitRefused(told)
