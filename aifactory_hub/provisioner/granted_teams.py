"""The provisioner asks the job service which teams were granted, and tells it how all teams are.

It is the provisioner that calls: the service has no way to it, and no right over the cluster.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import aiohttp

from ..domain.team_records import TeamRecord
from ..registry.granted import GrantedTeams, read_answer

# Seconds.
_TIMEOUT = 5.0
# Characters of a sentence that are told.
_LONGEST = 900


class JobServiceTeams:
    """Speaks to the job service at ``url``. ``states`` gives what is known of each team now, nothing where another
    replica works."""

    def __init__(self, url: str, token: str, states: Callable[[], Mapping[str, TeamRecord]]) -> None:
        self._url = f"{url}api/v1/site/teams"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._states = states
        self._client: aiohttp.ClientSession | None = None

    async def fetch(self) -> GrantedTeams:
        """Which teams were granted. Raises aiohttp.ClientError, TimeoutError, and ValueError for what is no answer."""
        if self._client is None:
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
            self._client = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        told = {"teams": {name: report_of(record) for name, record in self._states().items()}}
        async with self._client.put(self._url, data=json.dumps(told), allow_redirects=False) as answer:
            answer.raise_for_status()
            return read_answer(json.loads(await answer.read()))

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.close()


def report_of(record: TeamRecord) -> dict[str, Any]:
    """What is told of a team: all but its journal, each sentence in one line."""
    said = {key: value for key, value in asdict(record).items() if key != "journal"}
    return {key: _line(value) if isinstance(value, str) else value for key, value in said.items()}


def _line(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)[:_LONGEST]
