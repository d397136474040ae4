"""Tells the ledger what is held where there are no pods: in the demo, a ticket that is held stands for its pod."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from fractions import Fraction

from ...admission.base import Admission
from ...domain.possessions import gpu_part
from ...domain.tickets import MissedChanges, Ticket, TicketChange, TicketEvent
from ...domain.usage import Attribution, FactKind, Possession, Source, UsageFact
from ...registry import RegistryProvider
from ...store.ledger import Ledger, Position
from ..executors import metering

log = logging.getLogger(__name__)

_NOTE_EVERY = 5.0
_BEGINS = frozenset({TicketEvent.HELD})
_ENDS = frozenset({TicketEvent.RELEASED, TicketEvent.GONE})


class TicketWitness:
    """Writes into the ledger what the tickets of all teams hold. ``start`` it, then ``run`` it.

    Tickets are in this process's memory: what an earlier process held has ended with it.
    """

    def __init__(
        self, admission: Admission, provider: RegistryProvider, ledger: Ledger, clock: Callable[[], float] = time.time
    ) -> None:
        self._admission = admission
        self._provider = provider
        self._ledger = ledger
        self._clock = clock
        self._held: set[str] = set()
        self._heard_at = 0

    def heard_at(self) -> int:
        """The second up to which the ledger knows everything."""
        return self._heard_at

    async def start(self) -> None:
        """End what an earlier process left: it was seen last when that process noted it."""
        position = await metering.run(self._ledger.position)
        now = int(self._clock())
        last = now if position is None else min(position.heard_at, now)
        left = await metering.run(self._ledger.going_on)
        ended = [UsageFact.between(hold.pod, FactKind.GONE, Source.LIST, max(hold.start, last), now) for hold in left]
        await self._write(ended)

    async def run(self) -> None:
        """Write what is heard, for ever, until cancelled."""
        with self._admission.changes() as changes:
            noting = asyncio.create_task(self._note(), name="note of the ledger's position")
            try:
                async for change in changes:
                    await self._take(change)
            finally:
                noting.cancel()

    async def _note(self) -> None:
        while True:
            await asyncio.sleep(_NOTE_EVERY)
            try:
                await self._write([])
            except Exception:
                log.exception("the position of the ledger could not be written; it is tried again")

    async def _take(self, change: TicketChange | MissedChanges) -> None:
        if isinstance(change, MissedChanges):
            log.error("changes of tickets were missed: what was held meanwhile is not metered")
            return
        facts = self._facts(change)
        try:
            await self._write(facts)
        except Exception:
            log.exception("what %s held could not be written", change.ticket.name)

    def _facts(self, change: TicketChange) -> list[UsageFact]:
        ticket, at, now = change.ticket, int(change.at), int(self._clock())
        if change.what in _BEGINS and ticket.uid not in self._held:
            self._held.add(ticket.uid)
            whose = self._possession(ticket)
            bound = UsageFact.exact(ticket.uid, FactKind.BOUND, Source.WATCH, at, now, possession=whose)
            return [bound, UsageFact.exact(ticket.uid, FactKind.STARTED, Source.WATCH, at, now)]
        if change.what in _ENDS and ticket.uid in self._held:
            self._held.discard(ticket.uid)
            return [UsageFact.exact(ticket.uid, FactKind.ENDED, Source.WATCH, at, now)]
        return []

    def _possession(self, ticket: Ticket) -> Possession:
        registry = self._provider.registry
        profile = registry.catalogue.profiles.get(ticket.profile)
        return Possession(
            tenant=ticket.tenant,
            user=ticket.user,
            profile=ticket.profile,
            kind=ticket.kind,
            owner=ticket.owner,
            name=ticket.name,
            devices={f"{device.flavor}/{device.resource}": count for device, count in ticket.devices.items()},
            gpus=Fraction(0) if profile is None else gpu_part(profile, registry.catalogue),
            attribution=Attribution.TICKET,
            simulated=registry.cluster.simulated,
        )

    async def _write(self, facts: list[UsageFact]) -> None:
        now = int(self._clock())
        await metering.run(self._ledger.append, facts, Position("tickets", now))
        self._heard_at = now
