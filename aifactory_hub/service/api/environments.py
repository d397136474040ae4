"""A team's environments: versions, and which profiles they go with."""

from __future__ import annotations

from ... import constants
from ...domain.environments_json import EnvironmentsAnswer, environments_answer
from .base import Handler
from .operations import operation


class Environments(Handler):
    """What servers of a team can be."""

    @operation("getEnvironments", "The team's environments, their versions and the sizes.", answer=EnvironmentsAnswer)
    async def get(self, tenant: str) -> None:
        """The same decisions as on the hub's spawn page."""
        caller = await self.caller()
        name = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        registry = self.context.registry
        offering = registry.offering(self.context.clock())
        self.answer(environments_answer(registry.tenants[name], registry.catalogue, offering))
