"""The tickets of one server."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from aifactory_hub.admission import AdmissionRefused
from aifactory_hub.domain.spawns import SpawnPlan
from aifactory_hub.domain.tickets import TicketRequest, TicketState

from . import overrides
from .hub_database import HubDatabase
from .server import Server

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerTickets:
    """``user`` and ``server`` are the names in the hub. ``database`` returns None until the hub has opened it."""

    user: str
    server: str
    database: Callable[[], HubDatabase | None]

    def new_name(self) -> str:
        """A name for the ticket of another start."""
        return overrides.ticket_name(self.user, self.server, secrets.token_hex(3))

    def request(self, plan: SpawnPlan, name: str) -> TicketRequest:
        """The request for the ticket of this name, with the next number of the hub's database."""
        database = self.database()
        if database is None:
            return overrides.ticket_request(plan, name, self.user, self.server)
        return overrides.ticket_request(
            plan, name, self.user, self.server, database=database.id, sequence=database.next_sequence()
        )

    async def refile(self, server: Server) -> None:
        """Take a new ticket for a server whose own was deleted: what runs must be counted.

        Raises AdmissionUnavailable.
        """
        registry, binding = server.cluster.registry, server.binding
        tenant = registry.tenants.get(binding.tenant)
        if tenant is None or binding.profile not in registry.catalogue.names:
            log.error("%s runs without a ticket, and %s is in no menu any more", binding.ticket, binding.profile)
            return
        plan = SpawnPlan(tenant, registry.catalogue.profile(binding.profile))
        request = replace(self.request(plan, binding.ticket), running=True)
        admission = server.cluster.admission
        try:
            ticket = await admission.request(request)
            if ticket.state is TicketState.ADMITTED:
                await admission.hold(binding.tenant, binding.ticket)
        except AdmissionRefused as error:
            log.error("%s runs without a ticket: %s", binding.ticket, error)
            return
        log.warning("%s: the ticket was deleted while its server ran; a new one is %s", binding.ticket, ticket.state)
