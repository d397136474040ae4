"""What the job service says of a person, for Home: asked with the token that hub and service share."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from ..domain.home_jobs import MOST_JOBS, HomeJob, OwnMonth, own_jobs, own_month
from ..domain.idle_words import unused_words
from ..domain.right_size import server_advice

log = logging.getLogger(__name__)

# Seconds. What the service has not said by then is not known now.
WITHIN = 0.8
# Seconds that an answer about the month serves, and how old one may be that is shown while the service is away.
KEPT = 60.0
OLDEST = 900.0
# Seconds that an answer about jobs serves: they change.
_JOBS_KEPT = 3.0
# Seconds that the count of approvals serves.
_APPROVALS_KEPT = 15.0
# Seconds that advice about sizes serves: it is about a month.
_ADVICE_KEPT = 600.0
_MOST_PEOPLE = 10_000
# Teams that the service takes at once.
_MOST_TEAMS = 900
_MOST_BYTES = 1_000_000

# Asks for an address below the service's API; the JSON answer.
Ask = Callable[[str], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Said:
    """What is known of one person; None: not known now. The times are when it was asked for, by a steady clock.

    ``approvals`` is how many wait for their vote. ``unused`` is what is told of their idle servers, by name.
    ``advice`` says of a team and a size which smaller one would do for their servers.
    """

    month: OwnMonth | None = None
    month_at: float = float("-inf")
    jobs: tuple[HomeJob, ...] | None = None
    jobs_at: float = float("-inf")
    approvals: int | None = None
    approvals_at: float = float("-inf")
    unused: Mapping[str, str] | None = None
    unused_at: float = float("-inf")
    advice: Mapping[tuple[str, str], str] | None = None
    advice_at: float = float("-inf")


class JobService:
    """Remembers what was said, so that a page which follows by itself asks the service once a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, Said] = {}

    async def of(self, ask: Ask, user: str, teams: Sequence[str]) -> Said:
        """What the service says within ``WITHIN`` seconds, else what it said not long ago."""
        known, now = self._said.get(user, Said()), self._clock()
        month, jobs, waiting, idle, sizes = await asyncio.gather(
            self._month(ask, user, known, now),
            self._jobs(ask, user, teams, known, now),
            self._approvals(ask, user, known, now),
            self._unused(ask, user, known, now),
            self._advice(ask, user, known, now),
        )
        said = replace(month, jobs=jobs.jobs, jobs_at=jobs.jobs_at)
        said = replace(said, approvals=waiting.approvals, approvals_at=waiting.approvals_at)
        said = replace(said, unused=idle.unused, unused_at=idle.unused_at)
        said = replace(said, advice=sizes.advice, advice_at=sizes.advice_at)
        if len(self._said) >= _MOST_PEOPLE:
            self._said.clear()
        self._said[user] = said
        return said

    async def _month(self, ask: Ask, user: str, known: Said, now: float) -> Said:
        if known.month is not None and now - known.month_at <= KEPT:
            return known
        answer = await _answer(ask, f"site/usage?{urlencode({'user': user})}", own_month)
        if answer is not None:
            return Said(month=answer, month_at=now)
        return known if now - known.month_at <= OLDEST else Said()

    async def _jobs(self, ask: Ask, user: str, teams: Sequence[str], known: Said, now: float) -> Said:
        if not teams:
            return Said(jobs=())
        if known.jobs is not None and now - known.jobs_at <= _JOBS_KEPT:
            return known
        asked = [("user", user), ("limit", str(MOST_JOBS)), *(("tenant", team) for team in teams[:_MOST_TEAMS])]
        return Said(jobs=await _answer(ask, f"site/jobs?{urlencode(asked)}", own_jobs), jobs_at=now)

    async def _approvals(self, ask: Ask, user: str, known: Said, now: float) -> Said:
        if known.approvals is not None and now - known.approvals_at <= _APPROVALS_KEPT:
            return known
        answer = await _answer(ask, f"site/approvals?{urlencode({'user': user})}", _waiting)
        return Said(approvals=answer, approvals_at=now)

    async def _unused(self, ask: Ask, user: str, known: Said, now: float) -> Said:
        if known.unused is not None and now - known.unused_at <= _APPROVALS_KEPT:
            return known
        return Said(unused=await _answer(ask, f"site/idle?{urlencode({'user': user})}", unused_words), unused_at=now)

    async def _advice(self, ask: Ask, user: str, known: Said, now: float) -> Said:
        if known.advice is not None and now - known.advice_at <= _ADVICE_KEPT:
            return known
        answer = await _answer(ask, f"site/advice?{urlencode({'user': user})}", server_advice)
        return Said(advice=answer, advice_at=now)


def _waiting(said: Mapping[str, Any]) -> int | None:
    """How many approvals wait; None where the service does not know. Raises KeyError, ValueError or TypeError."""
    return None if said["waiting"] is None else int(said["waiting"])


async def _answer(ask: Ask, path: str, read: Callable[[Mapping[str, Any]], Any]) -> Any:
    """What ``read`` makes of the answer; None when there is none in time, or one that is none."""
    try:
        async with asyncio.timeout(WITHIN):
            return read(await ask(path))
    except Exception as error:  # Home is shown whatever the service does
        log.info("the job service does not say %s: %s", path.partition("?")[0], error)
        return None


def asking(url: str, token: str, within: float = WITHIN) -> Ask:
    """Asks the service at ``url``, where its pages begin, for up to ``within`` seconds."""
    client = AsyncHTTPClient(force_instance=True, max_body_size=_MOST_BYTES)

    async def ask(path: str) -> Mapping[str, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        request = HTTPRequest(
            f"{url}api/v1/{path}",
            headers=headers,
            connect_timeout=within,
            request_timeout=within,
            follow_redirects=False,
        )
        answer: Mapping[str, Any] = json.loads((await client.fetch(request)).body)
        return answer

    return ask
