"""What somebody in a team should know while they work: approvals that wait for them, and budgets near their end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from .upstream import Unreachable, Upstream

# Seconds. Neither is worth asking for with every look of the panel.
FRESH = 60.0
_OPEN = {"state": "OPEN", "limit": "100"}


@dataclass
class TeamState:
    """``now`` is what the service last said; what it has not said is null.

    ``approvals``: how many wait. ``budgets``: a sentence for each that has reached a step.
    """

    upstream: Upstream
    clock: Callable[[], float] = time.monotonic
    _asked: float = float("-inf")
    _said: dict[str, Any] = field(default_factory=lambda: {"approvals": None, "budgets": None})

    async def now(self) -> Mapping[str, Any]:
        """Asked at most every ``FRESH`` seconds. A service that does not answer has changed nothing."""
        if self.clock() - self._asked >= FRESH:
            self._asked = self.clock()
            tenant = self.upstream.account.tenant
            asked = [self._try("approvals", _OPEN)]
            if tenant is not None:
                asked.append(self._try(f"tenants/{quote(tenant, safe='')}/budget", {}))
            approvals, budgets = (*await asyncio.gather(*asked), None)[:2]
            if approvals is not None:
                self._said["approvals"] = approvals["waiting"]
            if budgets is not None:
                self._said["budgets"] = [
                    f"Budget {each['name']}: {each['words']}" for each in budgets["budgets"] if _has_reached(each)
                ]
        return {**self._said, "page": f"{urlsplit(self.upstream.account.url).path.rstrip('/')}/approvals"}

    async def _try(self, path: str, params: Mapping[str, str | list[str]]) -> dict[str, Any] | None:
        try:
            return await self.upstream.get(path, params)
        except Unreachable:
            return None


def _has_reached(budget: Mapping[str, Any]) -> bool:
    return any(step["reached"] for step in budget["steps"])
