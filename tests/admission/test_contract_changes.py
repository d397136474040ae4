"""What every admission must tell of how tickets change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aifactory_hub.admission import Admission, ChangeStream
from aifactory_hub.domain.tickets import MissedChanges, TicketChange, TicketEvent, TimeSource

from .contract import ADMITTED, EVICTED, GONE, QUEUED, TENANTS, Engine, ask, eventually

E = TicketEvent
# Of the host's clock and ours, and of times in whole seconds.
SKEW = 2.0


@dataclass
class Heard:
    """What one listener has taken so far."""

    changes: list[TicketChange] = field(default_factory=list)
    missed: int = 0

    def of(self, name: str, tenant: str = "vision") -> list[TicketChange]:
        return [c for c in self.changes if (c.ticket.tenant, c.ticket.name) == (tenant, name)]

    def what(self, name: str, tenant: str = "vision") -> list[TicketEvent]:
        """Without what only explains: engines explain at different times."""
        return [c.what for c in self.of(name, tenant) if c.what is not E.EXPLAINED]

    async def until(self, name: str, *whats: TicketEvent, tenant: str = "vision") -> None:
        """Until these are all that was told of the ticket."""
        try:
            async with asyncio.timeout(20):
                while self.what(name, tenant) != list(whats):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{name}: {self.what(name, tenant)}, not {list(whats)}") from None

    async def take(self, stream: ChangeStream) -> None:
        async for change in stream:
            if isinstance(change, MissedChanges):
                self.missed += 1
            else:
                self.changes.append(change)


@asynccontextmanager
async def listening(admission: Admission) -> AsyncIterator[Heard]:
    """A listener, once its admission says that it would hear."""
    heard = Heard()
    with admission.changes() as stream:
        taking = asyncio.create_task(heard.take(stream))
        async with asyncio.timeout(20):
            while any(admission.heard(tenant) is None for tenant in TENANTS):
                await asyncio.sleep(0.02)
        yield heard
        taking.cancel()
        with suppress(asyncio.CancelledError):
            await taking


async def test_a_ticket_s_way_is_told_in_its_order_with_when_and_what_was_before(engine: Engine) -> None:
    async with listening(engine.admission) as heard:
        began = time.time()
        await engine.admitted("vision", "t1")
        await engine.admission.hold("vision", "t1")
        await heard.until("t1", E.QUEUED, E.ADMITTED, E.HELD)
        await engine.admission.release("vision", "t1")
        await heard.until("t1", E.QUEUED, E.ADMITTED, E.HELD, E.RELEASED, E.GONE)
        ended = time.time()
        told = [change for change in heard.of("t1") if change.what is not E.EXPLAINED]
    assert all(began - SKEW <= change.at <= ended + SKEW for change in told)
    engines, others = [c.source for c in told[:2]], [c.source for c in told[2:]]
    assert engines == [TimeSource.ENGINE] * 2, "when it was filed and admitted is what the engine says"
    assert others == [TimeSource.HEARD] * 3
    assert told[0].before is None and told[2].before is ADMITTED and told[-1].before is ADMITTED
    assert {(c.ticket.kind, c.ticket.owner, c.ticket.user) for c in told} == {("job", "t1", "ada@example.org")}
    assert told[0].ticket.filed_at == told[0].at and told[1].ticket.admitted_at == told[1].at
    assert told[-1].ticket.state is GONE and not told[-1].ticket.active


async def test_tickets_of_all_tenants_are_told_of(engine: Engine) -> None:
    async with listening(engine.admission) as heard:
        await engine.admitted("nlp", "t1")
        await engine.admitted("vision", "t1")
        await heard.until("t1", E.QUEUED, E.ADMITTED, tenant="nlp")
        await heard.until("t1", E.QUEUED, E.ADMITTED, tenant="vision")


async def test_a_ticket_that_never_ran_is_gone_without_being_given_back(engine: Engine) -> None:
    async with listening(engine.admission) as heard:
        await engine.file("vision", "big", count=9)
        await heard.until("big", E.QUEUED)
        await engine.admission.release("vision", "big")
        await heard.until("big", E.QUEUED, E.GONE)


async def test_who_is_evicted_and_who_gets_its_place_is_told(engine: Engine) -> None:
    async with listening(engine.admission) as heard:
        for number in range(3):
            await engine.admitted("vision", f"job{number}", priority="batch-low")
            await engine.admission.hold("vision", f"job{number}")
        await engine.tick()
        await engine.file("vision", "urgent", priority="batch-high")

        async def an_evicted_one() -> TicketChange | None:
            return next((change for change in heard.changes if change.what is E.EVICTED), None)

        change = await eventually(an_evicted_one, "one is evicted")
        assert (change.ticket.state, change.ticket.active, change.before) == (EVICTED, True, ADMITTED)
        assert change.ticket.message and change.source is TimeSource.ENGINE
        assert heard.what("urgent") == [E.QUEUED]
        await engine.admission.release("vision", change.ticket.name)
        await heard.until("urgent", E.QUEUED, E.ADMITTED)
        whole = heard.what(change.ticket.name)
        assert whole[:4] == [E.QUEUED, E.ADMITTED, E.HELD, E.EVICTED]
        assert whole[4] is E.RELEASED and whole[-1] is E.GONE


async def test_a_ticket_that_loses_its_place_before_it_ran_is_told_to_wait_again(engine: Engine) -> None:
    async with listening(engine.admission) as heard:
        for number in range(6):
            await engine.admitted("nlp", f"t{number}")
        await engine.admitted("vision", "mine")

        async def one_again() -> TicketChange | None:
            again = (c for c in heard.changes if c.what is E.QUEUED and c.before is ADMITTED)
            return next(again, None)

        change = await eventually(one_again, "one of nlp's waits again")
        assert (change.ticket.tenant, change.ticket.state, change.ticket.active) == ("nlp", QUEUED, False)


async def test_a_listener_begins_with_the_tickets_that_there_are(engine: Engine) -> None:
    await engine.admitted("vision", "before")
    await engine.admission.hold("vision", "before")
    async with listening(engine.admission) as first:
        await first.until("before", E.QUEUED, E.ADMITTED, E.HELD)
        assert [c.before for c in first.of("before")][:3] == [None] * 3
        sources = [c.source for c in first.of("before")][:3]
        assert sources == [TimeSource.ENGINE, TimeSource.ENGINE, TimeSource.NOTICED]
        async with listening(engine.admission) as second:
            await second.until("before", E.QUEUED, E.ADMITTED, E.HELD)
            await engine.admission.release("vision", "before")
            for heard in (first, second):
                await heard.until("before", E.QUEUED, E.ADMITTED, E.HELD, E.RELEASED, E.GONE)
    async with listening(engine.admission) as later:
        await engine.file("vision", "next")
        await later.until("next", E.QUEUED, E.ADMITTED)
        assert later.of("before") == []


async def test_one_that_takes_nothing_is_told_that_it_missed_some_and_keeps_nobody_waiting(engine: Engine) -> None:
    with engine.admission.changes(most=4) as slow:
        async with listening(engine.admission) as heard:
            for number in range(4):
                await engine.admission.request(ask("vision", f"cpu{number}", {}))
            for number in range(4):
                await heard.until(f"cpu{number}", E.QUEUED, E.ADMITTED)
            assert heard.missed == 0
        first = await anext(slow)
        assert isinstance(first, MissedChanges)
        after = await anext(slow)
        assert isinstance(after, TicketChange), "what comes after the gap is told"


async def test_nothing_would_be_heard_before_anybody_listens_nor_of_an_unknown_tenant(engine: Engine) -> None:
    assert [engine.admission.heard(tenant) for tenant in (*TENANTS, "ghost")] == [None] * 3
    async with listening(engine.admission):
        for tenant in TENANTS:
            age = engine.admission.heard(tenant)
            assert age is not None and age < 30
        assert engine.admission.heard("ghost") is None


async def test_close_ends_every_stream_after_what_was_told(engine: Engine) -> None:
    async with listening(engine.admission) as heard:
        await engine.file("vision", "t1", count=9)
        await heard.until("t1", E.QUEUED)
        with engine.admission.changes() as stream:
            await engine.admission.close()
            async with asyncio.timeout(5):
                left = [change async for change in stream]
    assert [c.what for c in left if isinstance(c, TicketChange) and c.what is not E.EXPLAINED] == [E.QUEUED]
