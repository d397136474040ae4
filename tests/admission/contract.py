"""The table of what every admission must do: the real Kueue and the one in our process are both held to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from aifactory_hub import constants
from aifactory_hub.admission import Admission
from aifactory_hub.domain.borrowing import Reclaim
from aifactory_hub.domain.tickets import Ticket, TicketRequest, TicketState
from aifactory_profiles import Device, Resources

from ..support.kube_objects import SMALL, make_tenant

T = TypeVar("T")
QUEUED, ADMITTED, EVICTED, GONE = TicketState.QUEUED, TicketState.ADMITTED, TicketState.EVICTED, TicketState.GONE

# nlp may borrow all that vision leaves idle, vision nothing.
TENANTS = {"nlp": make_tenant("nlp", borrowing={SMALL: 3}), "vision": make_tenant("vision")}
# What owners end to get their own back.
RECLAIM = Reclaim.ANY
NOTEBOOK: dict[str, Any] = {"priority": constants.PRIORITY_NOTEBOOK}


@dataclass
class Engine:
    """One admission under test. Kueue orders tickets by the second, so ``tick`` lets one pass."""

    admission: Admission
    grain: float

    async def tick(self) -> None:
        await asyncio.sleep(self.grain)

    async def file(self, tenant: str, name: str, count: int = 1, device: Device = SMALL, **changes: Any) -> Ticket:
        return await self.admission.request(ask(tenant, name, {device: count}, **changes))

    async def becomes(self, tenant: str, name: str, state: TicketState) -> Ticket:
        async def reached() -> Ticket | None:
            ticket = await self.admission.get(tenant, name)
            return ticket if ticket.state is state else None

        return await eventually(reached, f"{tenant}/{name} {state}")

    async def admitted(self, tenant: str, name: str, **changes: Any) -> Ticket:
        await self.file(tenant, name, **changes)
        return await self.becomes(tenant, name, ADMITTED)

    async def used(self, tenant: str, device: Device = SMALL) -> int:
        return (await self.admission.usage(tenant)).used.get(device, 0)


def ask(
    tenant: str,
    name: str,
    devices: dict[Device, int],
    *,
    owner: str | None = None,
    user: str = "ada@example.org",
    priority: str = constants.PRIORITY_BATCH,
) -> TicketRequest:
    resources = Resources(100, 2**20, {device.resource: count for device, count in devices.items()})
    kind = constants.KIND_SERVER if priority == constants.PRIORITY_NOTEBOOK else constants.KIND_JOB
    return TicketRequest(
        tenant, name, kind, owner or name, user, "mig-1g.10gb", resources, priority, flavor=SMALL.flavor
    )


async def eventually(look: Callable[[], Awaitable[T | None]], what: str) -> T:
    try:
        async with asyncio.timeout(20):
            while (found := await look()) is None:
                await asyncio.sleep(0.02)
            return found
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None


async def settled() -> None:
    """Long enough that the engine would have admitted more, were it going to."""
    await asyncio.sleep(1.5)
