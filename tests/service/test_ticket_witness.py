"""The demo's witness: a ticket that is held stands for its pod."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

import pytest

from aifactory_hub.admission import InProcessAdmission
from aifactory_hub.demo.site import SMALL, Ports, tenants_yaml
from aifactory_hub.domain.tickets import TicketRequest
from aifactory_hub.domain.usage import FactKind, Hold
from aifactory_hub.registry import RegistryProvider
from aifactory_hub.registry.load import read_registry
from aifactory_hub.service.metering.ticket_witness import TicketWitness
from aifactory_hub.store import migrate, open_db
from aifactory_hub.store.ledger import Ledger
from aifactory_hub.store.usage_reports import UsageReports

REGISTRY = read_registry(tenants_yaml(Ports(1, 2, 3, 4, 5)), "demo")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    db = open_db(f"sqlite:///{tmp_path}/service.sqlite")
    migrate(db)
    return Ledger(db)


@asynccontextmanager
async def process(ledger: Ledger, now: Callable[[], float]) -> AsyncIterator[InProcessAdmission]:
    """A process of the demo, whose tickets end with it."""
    admission = InProcessAdmission(REGISTRY.tenants)
    witness = TicketWitness(admission, RegistryProvider(REGISTRY), ledger, now)
    await witness.start()
    running = asyncio.create_task(witness.run())
    await asyncio.sleep(0)
    try:
        yield admission
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await admission.close()


def request(name: str) -> TicketRequest:
    profile = REGISTRY.catalogue.profile(SMALL)
    return TicketRequest("nlp", name, "server", name, "ada", SMALL, profile.requests, "notebook", flavor=profile.flavor)


async def held(ledger: Ledger, condition: Callable[[list[Hold]], bool]) -> list[Hold]:
    async with asyncio.timeout(10):
        while not condition(found := UsageReports(ledger.db).holds(0, 2**40)):
            await asyncio.sleep(0.02)
    return found


async def test_a_ticket_is_metered_from_when_it_is_held_to_when_it_is_given_back(ledger: Ledger) -> None:
    async with process(ledger, lambda: 2_000_000_000.0) as admission:
        await admission.request(request("a"))
        assert UsageReports(ledger.db).holds(0, 2**40) == []
        await admission.hold("nlp", "a")
        (hold,) = await held(ledger, lambda holds: bool(holds))
        assert (hold.possession.user, hold.possession.profile, hold.end) == ("ada", SMALL, None)
        assert (hold.possession.gpus, hold.possession.simulated) == (Fraction(1, 7), True)
        await admission.release("nlp", "a")
        (hold,) = await held(ledger, lambda holds: holds[0].end is not None)
        assert (hold.ended_by, hold.uncertain) == (FactKind.ENDED, 0)


async def test_what_an_earlier_process_held_ended_between_its_last_word_and_now(ledger: Ledger) -> None:
    now = 2_000_000_000.0
    async with process(ledger, lambda: now) as admission:
        await admission.request(request("a"))
        await admission.hold("nlp", "a")
        (hold,) = await held(ledger, lambda holds: bool(holds))
    later = max(now, hold.start) + 600
    async with process(ledger, lambda: later):
        (hold,) = await held(ledger, lambda holds: holds[0].end is not None)
    assert hold.ended_by is FactKind.GONE
    assert hold.latest_end == later
    assert hold.start <= (hold.end or 0) <= later
