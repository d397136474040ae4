"""Removes orphans: tickets and objects of releases that no record stands behind any more.

As for jobs: what another database made, and what is too much at once, is left alone and logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from ...admission import AdmissionUnavailable, GatedAdmission
from ...constants import KIND_DEPLOYMENT
from ...domain.orphans import are_many, judge_tickets
from ...engines.base import EngineUnavailable
from ...engines.serving.base import ServingEngine
from ...store.deployments import Deployments
from ..executors import reconciling
from .spec import ticket_name

log = logging.getLogger(__name__)


class ReleaseSweeper:
    """Looks at the teams' tickets and releases; ``sweep`` is called now and then."""

    def __init__(
        self,
        stored: Deployments,
        engine: ServingEngine,
        admission: GatedAdmission,
        get_tenants: Callable[[], Iterable[str]],
        database: str,
    ) -> None:
        self._stored = stored
        self._engine = engine
        self._admission = admission
        self._get_tenants = get_tenants
        self._database = database

    async def sweep(self) -> None:
        """Once, each team for itself."""
        for tenant in self._get_tenants():
            try:
                await self._sweep_objects(tenant)
                await self._sweep_tickets(tenant)
            except (AdmissionUnavailable, EngineUnavailable) as error:
                log.info("releases of %s can't be swept now: %s", tenant, error)

    async def _sweep_objects(self, tenant: str) -> None:
        # Objects first, records after: a release is in the database before anything of it is made.
        seen = {run.run_id for run in await self._engine.releases(tenant)}
        lost = seen - await reconciling.run(self._stored.live_releases)
        if are_many(len(lost), len(seen)):
            log.error("%s: %d of %d releases belong to no deployment: kept", tenant, len(lost), len(seen))
            return
        for release in sorted(lost):
            log.warning("release %s in %s belongs to no deployment: removed", release, tenant)
            await self._engine.remove(tenant, release)

    async def _sweep_tickets(self, tenant: str) -> None:
        tickets = [each for each in await self._admission.tickets(tenant) if each.kind == KIND_DEPLOYMENT]
        known = {ticket_name(release) for release in await reconciling.run(self._stored.live_releases)}
        verdicts = judge_tickets(tickets, known, database=self._database)
        for held in verdicts.held:
            log.error("ticket %s in %s belongs to no release that is known: held", held.ticket.name, tenant)
        for ticket in verdicts.give_back:
            if await self._engine.gone(tenant, ticket.owner):
                log.warning("ticket %s in %s belongs to no release that goes on: given back", ticket.name, tenant)
                await self._admission.release(tenant, ticket.name)
