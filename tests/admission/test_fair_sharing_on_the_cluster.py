"""Weights on a real Kueue that runs with fair sharing: who gets how much of what another tenant leaves idle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
import pytest_asyncio

from aifactory_hub.admission import KueueAdmission, NotAdmitted
from aifactory_hub.constants import KIND_JOB, KIND_SERVER, PRIORITY_BATCH, PRIORITY_NOTEBOOK
from aifactory_hub.domain.quota import Quota
from aifactory_hub.domain.tickets import Ticket, TicketRequest, TicketState
from aifactory_profiles import Resources

from ..support.kube_objects import LARGE, SMALL, make_tenant
from ..support.kueue import FAIR_SHARING, kueue_with
from ..support.real_cluster import as_admin, own_queues
from . import test_contract_sharing as sharing
from .contract import Engine

pytestmark = pytest.mark.cluster

NLP = Quota({SMALL: 3, LARGE: 1}, {SMALL: 3}, notebooks_borrow=True)

ALL = 8
# "idle" leaves all eight to the two others, of which "heavy" counts three times as much.
TENANTS = {
    "idle": make_tenant("idle", nominal={SMALL: ALL}),
    "heavy": replace(make_tenant("heavy", nominal={}, borrowing={SMALL: ALL}), weight=Decimal(3)),
    "light": make_tenant("light", nominal={}, borrowing={SMALL: ALL}),
}


@dataclass
class Teams:
    """The three tenants on a Kueue with fair sharing, and a hub that keeps its side of the bargain."""

    admission: KueueAdmission
    most: int = 0

    async def file(self, tenant: str, count: int, *, notebooks: bool = False) -> None:
        kind, priority = (KIND_SERVER, PRIORITY_NOTEBOOK) if notebooks else (KIND_JOB, PRIORITY_BATCH)
        resources = Resources(devices={SMALL.resource: 1})
        for number in range(count):
            name = f"{kind}{number}"
            asked = TicketRequest(tenant, name, kind, name, "ada", "p", resources, priority, flavor=SMALL.flavor)
            await self.admission.request(asked)

    async def come_to(self, wanted: Mapping[str, int]) -> None:
        """Until each tenant holds so many and nothing changes any more."""
        still = 0
        async with asyncio.timeout(60):
            while still < 4:
                still = still + 1 if await self._turn() == wanted else 0
                await asyncio.sleep(0.5)

    async def _turn(self) -> dict[str, int]:
        """As a hub does: what is admitted starts and is held, what is evicted stops and waits again."""
        holds: dict[str, int] = {}
        running = 0
        tickets = {tenant: await self.admission.tickets(tenant) for tenant in TENANTS}
        for tenant, theirs in tickets.items():
            mine = [t for t in theirs if t.state is TicketState.ADMITTED or t.active]
            holds[tenant] = len(mine)
            for ticket in mine:
                running += ticket.active
                await self._follow(ticket)
        self.most = max(self.most, running)
        return {tenant: count for tenant, count in holds.items() if count}

    async def _follow(self, ticket: Ticket) -> None:
        if ticket.state is TicketState.EVICTED:
            assert ticket.kind == KIND_JOB, f"{ticket.name}, a notebook, was evicted"
            await self.admission.release(ticket.tenant, ticket.name)
            await self.file(ticket.tenant, ALL)
        elif not ticket.active:
            # Kueue may have given it to a tenant of more weight since it was listed: it waits on.
            with suppress(NotAdmitted):
                await self.admission.hold(ticket.tenant, ticket.name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fair_kueue() -> AsyncIterator[None]:
    async with as_admin() as host, kueue_with(host, FAIR_SHARING):
        yield


@pytest.fixture
async def teams(fair_kueue: None) -> AsyncIterator[Teams]:
    async with as_admin() as host, own_queues(host, TENANTS, fair_sharing=True) as tenants:
        admission = KueueAdmission(host, tenants, "fair")
        yield Teams(admission)
        await admission.close()


async def test_who_counts_three_times_as_much_gets_three_times_as_much(teams: Teams) -> None:
    await asyncio.gather(teams.file("light", ALL), teams.file("heavy", ALL))
    await teams.come_to({"heavy": 6, "light": 2})
    assert teams.most <= ALL


async def test_who_was_there_first_gives_back_what_is_over_its_share_and_no_more(teams: Teams) -> None:
    await teams.file("light", ALL)
    await teams.come_to({"light": ALL})
    await teams.file("heavy", ALL)
    await teams.come_to({"heavy": 6, "light": 2})
    assert teams.most <= ALL


async def test_the_owner_gets_its_own_back_whatever_the_others_weigh(teams: Teams) -> None:
    await teams.file("light", ALL)
    await teams.file("heavy", ALL)
    await teams.come_to({"heavy": 6, "light": 2})
    await teams.file("idle", 4, notebooks=True)
    await teams.come_to({"idle": 4, "heavy": 3, "light": 1})
    await teams.file("idle", ALL, notebooks=True)
    await teams.come_to({"idle": ALL})
    assert teams.most <= ALL


async def test_where_notebooks_borrow_their_tenant_s_jobs_still_go_first(fair_kueue: None) -> None:
    """By shares alone the notebooks would: their queue is further over its own than that of jobs."""
    asked = {"nlp": replace(make_tenant("nlp"), quota=NLP), "vision": make_tenant("vision")}
    async with as_admin() as host, own_queues(host, asked, fair_sharing=True) as tenants:
        admission = KueueAdmission(host, tenants, "fair")
        engine = Engine(admission, 1.1)
        await sharing.test_where_notebooks_borrow_they_can_be_taken_back_after_the_jobs(None, engine)
        await admission.close()
