"""The hub's own ledger, and what the job service takes from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from aifactory_hub.domain.possessions import Claim
from aifactory_hub.domain.usage import Attribution, FactKind, Possession, Source, UsageFact
from aifactory_hub.metering.hub_ledger import HubLedger, read_answer
from aifactory_hub.service.metering.hub_facts import HubFacts
from aifactory_hub.store import migrate, open_db
from aifactory_hub.store.ledger import HUB, Ledger
from aifactory_hub.store.usage_reports import UsageReports

ADA = Possession("nlp", "ada", "small", "server", "ada", attribution=Attribution.TICKET)


def fact(kind: FactKind, at: int, source: Source = Source.WATCH, *, pod: str = "p1", **more: Any) -> UsageFact:
    whose = ADA if kind is FactKind.BOUND else None
    return replace(UsageFact.exact(pod, kind, source, at, at, possession=whose), **more)


BOUND, ENDED = fact(FactKind.BOUND, 100), fact(FactKind.ENDED, 200)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    db = open_db(f"sqlite:///{tmp_path}/service.sqlite")
    migrate(db)
    return Ledger(db)


@dataclass
class Hub:
    """Answers like the hub, from a ledger that can be lost."""

    ledger: HubLedger
    asked: list[int] = field(default_factory=list)
    status: int = 200

    async def answer(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "token secret"
        self.asked.append(int(request.query["after"]))
        if self.status != 200:
            return web.Response(status=self.status)
        return web.json_response(self.ledger.answer(self.asked[-1]))


async def nobody(_tenant: str, _run: str) -> Claim | None:
    return None


@asynccontextmanager
async def asking(hub: Hub, ledger: Ledger, claim: Any = nobody) -> AsyncIterator[HubFacts]:
    app = web.Application()
    app.router.add_get("/hub/aifactory/api/usage-facts", hub.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    facts = HubFacts(f"http://127.0.0.1:{port}/hub/api", "secret", ledger, claim)
    try:
        yield facts
    finally:
        await facts.close()
        await runner.cleanup()


async def test_what_only_the_hub_saw_is_taken_and_what_is_known_is_not_taken_again(
    ledger: Ledger, tmp_path: Path
) -> None:
    hub = Hub(HubLedger.open(tmp_path / "hub"))
    hub.ledger.append([BOUND, ENDED, fact(FactKind.BOUND, 300, pod="p2"), fact(FactKind.ENDED, 350, pod="p2")])
    ledger.append([BOUND])
    # The service came back too late: it knows of the first pod's end only that it was before 900.
    ledger.append([fact(FactKind.GONE, 150, Source.LIST, latest=900)])
    async with asking(hub, ledger) as facts:
        assert await facts.take() == 3
        assert await facts.take() == 0
        hub.ledger.append([fact(FactKind.BOUND, 400, pod="p3")])
        assert await facts.take() == 1
    holds = {hold.pod: (hold.start, hold.end, hold.uncertain) for hold in UsageReports(ledger.db).holds(0, 1000)}
    assert holds == {"p1": (100, 200, 0), "p2": (300, 350, 0), "p3": (400, None, 0)}
    assert [each.source for each in ledger.facts("p1")] == [Source.WATCH, Source.LIST, Source.HUB]
    assert hub.asked == [0, 4, 4]


async def test_a_hub_that_lost_its_ledger_is_read_from_its_begin(ledger: Ledger, tmp_path: Path) -> None:
    hub = Hub(HubLedger.open(tmp_path / "first"))
    hub.ledger.append([BOUND, ENDED])
    async with asking(hub, ledger) as facts:
        assert await facts.take() == 2
        hub.ledger = HubLedger.open(tmp_path / "second")
        hub.ledger.append([fact(FactKind.BOUND, 500, pod="p9")])
        assert await facts.take() == 1
    position = ledger.position(of=HUB)
    assert position is not None
    assert position.version == f"{hub.ledger.id}:1"


@pytest.mark.parametrize("status", [404, 403, 500])
async def test_a_hub_that_does_not_say_is_asked_again(ledger: Ledger, tmp_path: Path, status: int) -> None:
    hub = Hub(HubLedger.open(tmp_path / "hub"), status=status)
    hub.ledger.append([BOUND])
    async with asking(hub, ledger) as facts:
        assert await facts.take() == 0
        hub.status = 200
        assert await facts.take() == 1


async def test_whose_a_job_is_the_service_knows_itself(ledger: Ledger, tmp_path: Path) -> None:
    hub = Hub(HubLedger.open(tmp_path / "hub"))
    label = replace(ADA, user="eve", kind="job", owner="j1", attribution=Attribution.LABEL)
    hub.ledger.append([replace(BOUND, possession=label)])

    async def claim(tenant: str, run: str) -> Claim | None:
        assert (tenant, run) == ("nlp", "j1")
        return Claim("ada", "small", Attribution.JOB)

    async with asking(hub, ledger, claim) as facts:
        await facts.take()
    hold = UsageReports(ledger.db).hold("p1")
    assert hold is not None
    assert (hold.possession.user, hold.possession.attribution) == ("ada", Attribution.JOB)


def test_the_hub_keeps_the_last_days_and_what_goes_on(tmp_path: Path) -> None:
    hub = HubLedger.open(tmp_path)
    hub.append([BOUND, ENDED, fact(FactKind.BOUND, 300, pod="p2")])
    assert hub.forget(now=200 + 8 * 86400) == 2
    name, rows, more = read_answer(b'{"id": "x", "facts": [], "more": false}')
    assert (name, rows, more) == ("x", [], False)
    assert [row["pod"] for row in hub.answer(0)["facts"]] == ["p2"]
    assert hub.forget(now=200 + 8 * 86400) == 0
    again = HubLedger.open(tmp_path)
    assert (again.id, again.append([fact(FactKind.ENDED, 900, pod="p2")])) == (hub.id, 1)
    assert [row["seq"] for row in again.answer(0)["facts"]] == [3, 4]
