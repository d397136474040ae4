"""Stops notebooks that run where a budget says so, and only there; their owners are told why at their next start."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..domain.budgets import ends_notebooks
from ..domain.server_ends import Notice, ended_by_budget
from ..hub_pages.budgets import DECIDE_WITHIN, BudgetsUnknown, said_of_budgets
from ..registry import Registry
from .servers import server_tenant, stop_server

log = logging.getLogger(__name__)

# Seconds between two looks, and for how long the budget has to say so before a server is stopped: at each of the looks
# in between. Whoever asks for a grant meanwhile keeps it.
EVERY = 60.0
GRACE = 600.0


@dataclass
class BudgetStops:
    """``app`` is JupyterHub's. A server that is about to be stopped has the notice as ``aifactory_budget_notice``."""

    app: Any
    get_registry: Callable[[], Registry]
    clock: Callable[[], float] = time.time
    # Since when a budget says that a server of a user is to be stopped.
    _since: dict[tuple[str, str], float] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    @classmethod
    def begin(cls, app: Any, get_registry: Callable[[], Registry]) -> BudgetStops:
        """One that runs for as long as the event loop; without a loop nothing runs."""
        made = cls(app, get_registry)
        try:
            made._task = asyncio.get_running_loop().create_task(made._run(), name="notebooks over their budget")
        except RuntimeError:
            log.debug("no event loop: budgets end nothing")
        return made

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
            except Exception:
                log.exception("budgets could not be asked about servers; it is tried again")

    async def look(self) -> None:
        """Once: at the servers of teams with a budget that ends notebooks."""
        over: dict[tuple[str, str], float] = {}
        for user, server, tenant, profile in list(self._servers()):
            why = await self._why(user.name, tenant, profile)
            spawner = user.spawners[server]
            spawner.aifactory_budget_notice = None
            if why is None:
                continue
            key, now = (user.name, server), self.clock()
            over[key] = self._since.get(key, now)
            if now - over[key] < GRACE:
                spawner.aifactory_budget_notice = Notice(why, over[key] + GRACE)
                continue
            log.warning("server %r of %s is stopped: %s", server, user.name, why)
            await stop_server(self.app, user, server, ended_by_budget(tenant, why, now))
            del over[key]
        self._since = over

    def _servers(self) -> Iterator[tuple[Any, str, str, str]]:
        tenants = self.get_registry().tenants
        ending = {name for name, tenant in tenants.items() if ends_notebooks(tenant.budgets)}
        for user in list(self.app.users.values()) if ending else ():
            for name, spawner in list(user.spawners.items()):
                tenant = server_tenant(spawner) if spawner.active and spawner.pending is None else None
                if tenant in ending:
                    yield user, name, tenant, _profile(spawner.orm_spawner.state or {})

    async def _why(self, user: str, tenant: str, profile: str) -> str | None:
        """Why a server of this profile is to be stopped; None also where nobody can say it: unknown ends nothing."""
        try:
            asked = said_of_budgets(self.app.tornado_settings, user, [tenant], profile, within=DECIDE_WITHIN)
            said = (await asked).get(tenant)
        except BudgetsUnknown:
            return None
        return None if said is None else said.ends


def _profile(state: Mapping[str, Any]) -> str:
    return str((state.get("aifactory") or {}).get("profile", ""))
