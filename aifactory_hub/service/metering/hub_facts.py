"""Takes from the hub's ledger what this one missed: the hub watches the same pods."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import aiohttp

from ...domain.usage import Source, UsageFact
from ...metering.claims import JobClaim
from ...metering.hub_ledger import read_answer
from ...store.ledger import HUB, Ledger, Position
from ...store.ledger_rows import fact_of
from ..executors import metering

log = logging.getLogger(__name__)

_TIMEOUT = 10.0
_GONE = 404


class HubFacts:
    """Asks the hub with the service's token. ``tick`` it now and then; ``close`` it."""

    def __init__(self, api_url: str, api_token: str, ledger: Ledger, job_claim: JobClaim) -> None:
        self._url = f"{api_url.rstrip('/').removesuffix('/api')}/aifactory/api/usage-facts"
        self._headers = {"Authorization": f"token {api_token}"}
        self._ledger = ledger
        self._job_claim = job_claim
        self._client: aiohttp.ClientSession | None = None

    async def tick(self) -> None:
        """As ``take``, which says what it did."""
        await self.take()

    async def take(self) -> int:
        """Take what the hub has seen since the last time; how many facts were missing. A hub that does not answer is
        asked again the next time."""
        missing, more = 0, True
        try:
            while more:
                added, more = await self._take()
                missing += added
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError) as error:
            log.debug("the hub does not say now what it saw of pods: %s", error)
        if missing:
            log.warning("%d facts of pods were missed here, and known to the hub", missing)
        return missing

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.close()

    async def _take(self) -> tuple[int, bool]:
        position = await metering.run(self._ledger.position, of=HUB)
        known, _, after = ("", "", "0") if position is None else position.version.partition(":")
        name, rows, more = await self._ask(int(after))
        if name != known and after != "0":
            # The hub began a ledger anew: its numbers begin anew, too.
            name, rows, more = await self._ask(0)
        if not rows:
            return 0, False
        facts = await self._owned([replace(fact_of(row), source=Source.HUB, place=0) for row in rows])
        last = Position(f"{name}:{rows[-1]['seq']}", int(rows[-1]["observed_at"]))
        return await metering.run(self._ledger.add_missing, facts, last, of=HUB), more

    async def _ask(self, after: int) -> tuple[str, list[dict[str, Any]], bool]:
        if self._client is None:  # aiohttp makes one only where a loop runs
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
            self._client = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        async with self._client.get(self._url, params={"after": after}, allow_redirects=False) as answer:
            if answer.status == _GONE:
                return "", [], False
            answer.raise_for_status()
            return read_answer(await answer.read())

    async def _owned(self, facts: Sequence[UsageFact]) -> list[UsageFact]:
        """Of jobs the service knows better than the pods' labels whose they are."""
        return [await self._own(fact) for fact in facts]

    async def _own(self, fact: UsageFact) -> UsageFact:
        whose = fact.possession
        if whose is None or whose.kind != "job":
            return fact
        claim = await self._job_claim(whose.tenant, whose.owner)
        if claim is None:
            return fact
        owned = replace(whose, user=claim.user, attribution=claim.attribution)
        return replace(fact, possession=owned)
