"""A team's menu: what can be had now, at what price, and what would have to be waited for."""

from __future__ import annotations

from ... import constants
from ...domain.menu_json import MenuAnswer, menu_answer
from .base import Handler
from .operations import operation


class Profiles(Handler):
    """The profiles of a tenant with their numbers."""

    @operation("getProfiles", "What each profile costs a team, and whether and when it can be had.", answer=MenuAnswer)
    async def get(self, tenant: str) -> None:
        """The same numbers as on the hub's spawn page. What is not known is null, never 0."""
        caller = await self.caller()
        name = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        registry = self.context.registry
        team_load = (await self.context.team_loads.of({name: self.context.unavailable(name)}))[name]
        simulated = registry.cluster.simulated
        sizes = menu_answer(
            registry.tenants[name], registry.catalogue, team_load, simulated=simulated, user=caller.name
        )
        self.answer(sizes)
