"""How Kueue's tickets change, as told when watches come late, end or are away; the healthy ways are in the contract."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aifactory_hub.admission import ChangeStream, KueueAdmission
from aifactory_hub.admission.translate import JOB_UID_LABEL, job_for
from aifactory_hub.domain.tickets import TicketChange, TicketEvent, TimeSource

from ..support.kube_objects import make_tenant
from ..support.kube_server import KubeServer, kube_server
from .test_kueue_faults import JOBS, WORKLOADS, admit, ask, job, kueue

E, ENGINE, HEARD, NOTICED = TicketEvent, TimeSource.ENGINE, TimeSource.HEARD, TimeSource.NOTICED
# A moment that no clock here shows.
THEN = 1_700_000_000.0


@asynccontextmanager
async def listening(admission: KueueAdmission) -> AsyncIterator[ChangeStream]:
    with admission.changes() as stream:
        async with asyncio.timeout(10):
            while admission.heard("nlp") is None:
                await asyncio.sleep(0.01)
        yield stream


async def told(stream: ChangeStream, many: int) -> list[tuple[TicketEvent, TimeSource]]:
    """The next changes: what each was, and where its time is from."""
    found = []
    async with asyncio.timeout(10):
        for _ in range(many):
            change = await anext(stream)
            assert isinstance(change, TicketChange)
            found.append((change.what, change.source))
    return found


async def nothing_more(stream: ChangeStream) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await anext(stream)


def explain(server: KubeServer, name: str = "t1", **conditions: str) -> None:
    """The ticket's Workload, with conditions that changed THEN."""
    at = datetime.fromtimestamp(THEN, UTC).isoformat().replace("+00:00", "Z")
    listed = [
        {"type": kind, "status": status, "lastTransitionTime": at, "message": f"about {kind}"}
        for kind, status in conditions.items()
    ]
    labels = {JOB_UID_LABEL: job(server, name)["metadata"]["uid"]}
    server.put(WORKLOADS, {"metadata": {"name": f"job-{name}", "labels": labels}, "status": {"conditions": listed}})


def hold(server: KubeServer, name: str = "t1") -> None:
    server.patch(f"{JOBS}/{name}", {"status": {"active": 1}})


async def test_when_it_was_admitted_is_what_its_workload_says_even_if_that_comes_a_moment_later() -> None:
    async with kube_server() as server, kueue(server) as admission, listening(admission) as stream:
        await admission.request(ask())
        assert await told(stream, 1) == [(E.QUEUED, HEARD)], "this server writes no creationTimestamp"
        admit(server)
        await nothing_more(stream)
        explain(server, QuotaReserved="True", Admitted="True")
        async with asyncio.timeout(5):
            change = await anext(stream)
        assert isinstance(change, TicketChange)
        assert (change.what, change.source, change.at) == (E.ADMITTED, ENGINE, THEN)
        await nothing_more(stream)


async def test_without_a_word_of_its_workload_it_is_told_a_moment_later_by_our_clock() -> None:
    async with kube_server() as server, kueue(server) as admission, listening(admission) as stream:
        await admission.request(ask())
        await told(stream, 1)
        began = time.time()
        admit(server)
        async with asyncio.timeout(5):
            change = await anext(stream)
        assert isinstance(change, TicketChange)
        assert (change.what, change.source) == (E.ADMITTED, HEARD) and change.at >= began


async def test_what_follows_at_once_is_not_told_before_what_waits_for_its_workload() -> None:
    async with kube_server() as server, kueue(server) as admission, listening(admission) as stream:
        await admission.request(ask())
        admit(server)
        hold(server)
        assert await told(stream, 3) == [(E.QUEUED, HEARD), (E.ADMITTED, HEARD), (E.HELD, HEARD)]
        await admission.request(ask("t2", "o2"))
        admit(server, "t2")
        server.remove(f"{JOBS}/t2")
        assert await told(stream, 3) == [(E.QUEUED, HEARD), (E.ADMITTED, HEARD), (E.GONE, HEARD)]


async def test_another_reason_to_wait_is_told_as_no_more_than_that() -> None:
    async with kube_server() as server, kueue(server) as admission, listening(admission) as stream:
        await admission.request(ask())
        explain(server, QuotaReserved="False")
        assert [what for what, _ in await told(stream, 2)] == [E.QUEUED, E.EXPLAINED]
        server.remove(f"{WORKLOADS}/job-t1")
        await nothing_more(stream)


async def test_what_happened_while_the_watch_was_away_is_told_as_noticed() -> None:
    async with kube_server() as server, kueue(server) as admission:
        for name in ("stays", "goes", "starts", "again"):
            await admission.request(ask(name, name))
        async with listening(admission) as stream:
            await told(stream, 4)
            await server.stop()
            server.remove(f"{JOBS}/goes")
            again = job(server, "again")
            server.remove(f"{JOBS}/again")
            server.put(JOBS, {**again, "metadata": {**again["metadata"], "uid": "another"}})
            explain(server, "starts", Admitted="True")
            admit(server, "starts")
            hold(server, "starts")
            server.compact()
            await server.start()
            found: dict[str, list[Any]] = {}
            async with asyncio.timeout(20):
                while sum(map(len, found.values())) < 5:
                    change = await anext(stream)
                    assert isinstance(change, TicketChange)
                    # A Workload that is listed before its Job explains that first.
                    if change.what is not E.EXPLAINED:
                        found.setdefault(change.ticket.name, []).append((change.what, change.source))
            await nothing_more(stream)
        assert found["goes"] == [(E.GONE, NOTICED)]
        assert found["again"] == [(E.GONE, NOTICED), (E.QUEUED, NOTICED)]
        assert found["starts"] == [(E.ADMITTED, ENGINE), (E.HELD, NOTICED)]
        assert set(found) == {"goes", "again", "starts"}


async def test_a_watch_that_is_resumed_tells_what_it_hears_as_heard() -> None:
    async with kube_server() as server, kueue(server) as admission:
        await admission.request(ask())
        async with listening(admission) as stream:
            await told(stream, 1)
            await server.stop()
            server.remove(f"{JOBS}/t1")
            await server.start()
            assert await told(stream, 1) == [(E.GONE, HEARD)]


async def test_another_hub_s_tickets_are_not_told_of() -> None:
    async with (
        kube_server() as server,
        kueue(server) as ours,
        kueue(server, hub="hub-2") as theirs,
        listening(ours) as stream,
    ):
        await theirs.request(ask("theirs", "bob"))
        admit(server, "theirs")
        await ours.request(ask("mine"))
        change = await anext(stream)
        assert isinstance(change, TicketChange) and change.ticket.name == "mine"
        server.remove(f"{JOBS}/theirs")
        await nothing_more(stream)


async def test_a_tenant_that_is_served_later_is_told_of_too() -> None:
    async with kube_server() as server, kueue(server) as admission, listening(admission) as stream:
        assert admission.heard("old") is None
        admission.serve(make_tenant("old"))
        async with asyncio.timeout(10):
            while admission.heard("old") is None:
                await asyncio.sleep(0.01)
        server.put(JOBS.replace("vc-nlp", "vc-old"), job_for(replace(ask(), tenant="old"), "hub-1"))
        change = await anext(stream)
        assert isinstance(change, TicketChange) and change.ticket.tenant == "old"


async def test_silence_is_seen_and_tells_of_no_ticket_that_it_had_gone() -> None:
    async with kube_server() as server, kueue(server) as admission:
        assert admission.heard("nlp") is None, "nobody listens yet"
        await admission.request(ask())
        async with listening(admission) as stream:
            await told(stream, 1)
            await server.stop()
            await asyncio.sleep(0.5)
            silent = admission.heard("nlp")
            assert silent is not None and silent >= 0.4
            await nothing_more(stream)
            await server.start()


async def test_workloads_that_can_not_be_listed_keep_no_ticket_from_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aifactory_hub.admission.ticket_watch._FIRST_WORKLOADS", 0.2)
    async with kube_server() as server, kueue(server) as admission:
        refused = {"code": 403, "message": "no right"}
        server.hooks.append(lambda method, path, _: refused if method == "GET" and "kueue" in path else None)
        async with listening(admission) as stream:
            await admission.request(ask())
            assert await told(stream, 1) == [(E.QUEUED, HEARD)]
