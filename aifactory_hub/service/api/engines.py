"""Engines that run jobs, and what teams have published for them."""

from __future__ import annotations

import asyncio

from ... import constants
from ...engines.base import EngineUnavailable
from ..engine_answers import EnginesAnswer, TemplateAnswer, TemplatesAnswer, engines_answer, template_answer
from .base import Handler
from .operations import operation

# What people wait for at most for a vCluster that hangs, in seconds.
_TIMEOUT = 10.0


class EngineList(Handler):
    """What may run a job."""

    @operation("listEngines", "The engines that run jobs here, the default one first.", answer=EnginesAnswer)
    async def get(self) -> None:
        """The same for every team."""
        await self.caller()
        self.answer(engines_answer(self.context.engines.facts, simulated=self.context.registry.cluster.simulated))


class Templates(Handler):
    """What a team has published."""

    @operation("listTemplates", "What a team has published for engines to run.", answer=TemplatesAnswer)
    async def get(self, tenant: str) -> None:
        """Asked of the team's vCluster now: an engine that does not answer is named, not left out in silence."""
        caller = await self.caller()
        name = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        templates: list[TemplateAnswer] = []
        unavailable: dict[str, str] = {}
        for engine in self.context.engines:
            if engine.facts.publishes is None:
                continue
            try:
                async with asyncio.timeout(_TIMEOUT):
                    templates += [template_answer(each) for each in await engine.published(name)]
            except (EngineUnavailable, TimeoutError) as error:
                unavailable[engine.facts.name] = str(error) or "the team's vCluster does not answer"
        simulated = self.context.registry.cluster.simulated
        self.answer({"tenant": name, "templates": templates, "unavailable": unavailable, "simulated": simulated})
