"""A team as its people see it: who holds what since when, and what waits."""

from __future__ import annotations

from ... import constants
from ...domain.team_overview import OverviewAnswer, Reader, overview
from .base import Handler
from .operations import operation


class Overview(Handler):
    """Who holds what in a team, and who waits."""

    @operation("getTeamOverview", "Who holds what in a team since when, and what waits.", answer=OverviewAnswer)
    async def get(self, tenant: str) -> None:
        """From the same numbers as the menu. What is not known is null, never empty."""
        caller = await self.caller()
        name = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        registry = self.context.registry
        load = (await self.context.team_loads.of({name: self.context.unavailable(name)}))[name]
        reader = Reader(caller.name, caller.roles[name])
        simulated = registry.cluster.simulated
        self.answer(overview(registry.tenants[name], registry.catalogue, load, reader, simulated=simulated))
