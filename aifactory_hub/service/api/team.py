"""Teams as they are now: one as its people see it, and all of them for administrators of the platform."""

from __future__ import annotations

from ... import constants
from ...domain.team_overview import OverviewAnswer, PlatformOverviewAnswer, Reader, overview, platform_overview
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


class PlatformOverview(Handler):
    """All teams."""

    @operation("getPlatformOverview", "How much each team holds now, and how many wait.", answer=PlatformOverviewAnswer)
    async def get(self) -> None:
        """For the hub's administrators. What is not known is null, never 0."""
        await self.administrator()
        registry = self.context.registry
        loads = await self.context.team_loads.of({name: self.context.unavailable(name) for name in registry.tenants})
        self.answer(platform_overview(registry.tenants, loads, simulated=registry.cluster.simulated))
