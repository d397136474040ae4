"""The hub dies at every single step of a start and of a stop; what the next hub makes of it is whole.

A step is a call to the cluster or the quota engine, on either side of it: between two of them nothing outside changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from aifactory_hub.domain.orphans import ServerKey
from aifactory_hub.domain.tenants import Role

from .hub_in_memory import HubInMemory, make_hub

CHOICE = {"tenant": "nlp", "profile": "mig-1g.10gb"}
# More than a start and a stop have steps.
MANY = 80
LIFE: ContextVar[int] = ContextVar("LIFE", default=0)


# What waits for ever is kept: collected as garbage, it would run its `finally` in the middle of the next life.
KEPT: list[asyncio.Event] = []


async def never() -> None:
    """Does not return."""
    KEPT.append(asyncio.Event())
    await KEPT[-1].wait()


class Fate:
    """Counts the calls of the hub's first life, and ends it at the ``last`` one: before it, or after."""

    def __init__(self, hub: HubInMemory) -> None:
        self.calls: list[str] = []
        self.life = 1
        self.last: int | None = None
        self.after = False
        self.died = asyncio.Event()
        for owner, names in (
            (hub.cluster.apis["nlp"], ("object", "list", "create_object", "delete")),
            (hub.cluster, ("get", "api", "check")),
            (hub.admission, ("request", "get", "hold", "release", "usage", "tickets")),
        ):
            for name in names:
                setattr(owner, name, self._mortal(name, getattr(owner, name)))

    def _mortal(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def step(*arguments: Any, **named: Any) -> Any:
            await self._may_go_on()
            number = len(self.calls)
            doomed = LIFE.get() == 1 and number == self.last
            if LIFE.get() == 1:
                self.calls.append(name)
            if doomed and not self.after:
                await self._die()
            answer = await call(*arguments, **named)
            if doomed:
                await self._die()
            return answer

        return step

    async def _may_go_on(self) -> None:
        if LIFE.get() not in (0, self.life):
            # Of a process that is no more.
            await never()

    async def _die(self) -> None:
        self.life = 2
        self.died.set()
        await never()


async def one_life(hub: HubInMemory, fate: Fate, *, stop: bool) -> bool:
    """Start a server, with ``stop`` also stop it; whether the hub died of it."""

    async def live() -> None:
        LIFE.set(1)
        ada = hub.people["ada"]
        await ada.spawn("", options=CHOICE)
        if stop:
            await ada.stop("")

    living = asyncio.ensure_future(live())
    dying = asyncio.ensure_future(fate.died.wait())
    await asyncio.wait([living, dying], return_when=asyncio.FIRST_COMPLETED)
    dying.cancel()
    if living.done():
        await living
    return fate.died.is_set()


async def next_life(hub: HubInMemory) -> None:
    """What JupyterHub does at its start with the servers in its database, then the keeper's rounds."""
    LIFE.set(2)
    hub.db.rollback()
    hub.restart()
    ada = hub.people["ada"]
    if ada.orm_spawners[""].server is not None and await ada.spawner.poll() is not None:
        await ada.stop("")
    orphans = hub.process.orphans
    for now in (8.0, 23.0):
        await orphans.collect_tickets(hub.host_cluster)
        await orphans.collect_pods(hub.host_cluster, now)
    assert orphans.orphans == []


async def check_whole(hub: HubInMemory, point: str) -> None:
    """Server, pod and ticket: all of them, or none; and no volume was touched."""
    ada = hub.people["ada"]
    server = ada.orm_spawners[""].server is not None
    pods, tickets = hub.cluster.pods_in("nlp"), await hub.admission.tickets("nlp")
    assert (server, len(pods), len(tickets)) in ((True, 1, 1), (False, 0, 0)), point
    if server:
        assert await ada.spawner.poll() is None, point
        assert list(hub.process.servers()) == [tickets[0].name], point
        assert set(hub.process.servers().values()) == {ServerKey("nlp", "ada")}, point
    assert not [line for line in hub.cluster.journal if "delete persistentvolumeclaims" in line], point


@pytest.fixture
async def hubs() -> AsyncIterator[Callable[[], HubInMemory]]:
    """Makes hubs with ada in nlp; forgets them all at the end."""
    made: list[HubInMemory] = []

    def make() -> HubInMemory:
        # A busy machine may let a start wait for seconds.
        made.append(make_hub(start_timeout=60))
        made[-1].person("ada", nlp=Role.MEMBER)
        return made[-1]

    yield make
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    # What they would still do, as a start that is called off does, belongs to a process that is no more.
    await asyncio.wait(others, timeout=1) if others else None
    KEPT.clear()
    for hub in made:
        await hub.close()
        hub.db.close()
    type(made[0].people["ada"].spawner).hub_process = None


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("stop", [False, True], ids=["start", "start and stop"])
async def test_a_hub_that_dies_at_any_step_leaves_nothing_half(
    hubs: Callable[[], HubInMemory], stop: bool, after: bool
) -> None:
    wanted = {"request", "hold", "create_object"} | ({"release"} if stop else set())
    tried: list[str] = []
    # A look at the world that comes in between moves the calls by one, so that one of them may be passed over.
    for _ in range(3):
        once = await die_at_each(hubs, stop=stop, after=after)
        assert 10 <= len(once) < MANY
        tried += once
        if wanted <= set(tried):
            break
    assert wanted <= set(tried)
    assert stop or "release" not in tried


async def die_at_each(hubs: Callable[[], HubInMemory], *, stop: bool, after: bool) -> list[str]:
    """One life for each call of a whole life, ended at that call; the calls."""
    tried: list[str] = []
    for number in range(MANY):
        hub = hubs()
        fate = Fate(hub)
        fate.last, fate.after = number, after
        if not await one_life(hub, fate, stop=stop):
            break
        tried.append(fate.calls[number])
        await next_life(hub)
        await check_whole(hub, f"step {number}, {fate.calls[number]}, of {fate.calls}")
    return tried
