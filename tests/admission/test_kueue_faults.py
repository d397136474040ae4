"""Kueue's tickets when the API server or Kueue itself misbehaves; the healthy ways are in the contract's tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub import constants
from aifactory_hub.admission import AdmissionRefused, AdmissionUnavailable, KueueAdmission, NotAdmitted
from aifactory_hub.admission.translate import JOB_UID_LABEL
from aifactory_hub.clusters import KubeApi
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.domain.tenants import VCluster
from aifactory_hub.domain.tickets import TicketRequest, TicketState
from aifactory_profiles import Resources

from ..support.kube_objects import SMALL, make_tenant
from ..support.kube_server import KubeServer, kube_server

JOBS = "/apis/batch/v1/namespaces/vc-nlp/jobs"
WORKLOADS = "/apis/kueue.x-k8s.io/v1beta2/namespaces/vc-nlp/workloads"
WEBHOOK_DOWN = {"code": 500, "message": 'failed calling webhook "mjob.kb.io": connect: connection refused'}


def ask(name: str = "t1", owner: str = "ada") -> TicketRequest:
    resources = Resources(100, 1, {SMALL.resource: 1})
    return TicketRequest(
        "nlp", name, "server", owner, "ada@x", "mig-1g.10gb", resources, constants.PRIORITY_BATCH, flavor=SMALL.flavor
    )


@asynccontextmanager
async def kueue(server: KubeServer, *, hub: str = "hub-1", timeout: float = 5.0) -> AsyncIterator[KueueAdmission]:
    host = KubeApi(Credential(server.url), connect_timeout=0.5, timeout=1.0)
    admission = KueueAdmission(host, {"nlp": make_tenant("nlp")}, hub, timeout=timeout)
    try:
        yield admission
    finally:
        await admission.close()
        await host.close()


def admit(server: KubeServer, name: str = "t1") -> None:
    server.patch(f"{JOBS}/{name}", {"spec": {"suspend": False}})


def job(server: KubeServer, name: str = "t1") -> dict[str, Any]:
    return next(found for found in server.objects(JOBS) if found["metadata"]["name"] == name)


async def test_a_webhook_that_is_away_for_a_moment_delays_a_ticket_and_no_more() -> None:
    async with kube_server() as server, kueue(server) as admission:
        failures = iter(range(2))
        server.hooks.append(
            lambda method, *_: WEBHOOK_DOWN if method == "POST" and next(failures, None) is not None else None
        )
        assert (await admission.request(ask())).state is TicketState.QUEUED
        assert len(server.objects(JOBS)) == 1


async def test_a_webhook_that_stays_away_is_unavailable_after_the_patience() -> None:
    async with kube_server() as server, kueue(server, timeout=0.5) as admission:
        server.hooks.append(lambda method, *_: WEBHOOK_DOWN if method == "POST" else None)
        with pytest.raises(AdmissionUnavailable, match="failed calling webhook"):
            await admission.request(ask())


async def test_a_create_whose_answer_got_lost_is_found_by_its_name() -> None:
    async with kube_server() as server, kueue(server) as admission:
        server.faults.delay = 1.5
        filing = asyncio.create_task(admission.request(ask()))
        await asyncio.sleep(0.3)
        server.faults.delay = 0
        first = await filing
        assert (await admission.request(ask())).uid == first.uid
        assert len(server.objects(JOBS)) == 1


@pytest.mark.parametrize(("code", "message"), [(403, "exceeded quota: count/jobs"), (422, "Invalid value")])
async def test_what_the_api_refuses_is_refused_at_once(code: int, message: str) -> None:
    async with kube_server() as server, kueue(server) as admission:
        server.hooks.append(lambda method, *_: {"code": code, "message": message} if method == "POST" else None)
        with pytest.raises(AdmissionRefused, match=message):
            await admission.request(ask())


async def test_hold_takes_effect_only_on_the_version_that_was_seen_admitted() -> None:
    async with kube_server() as server, kueue(server) as admission:
        await admission.request(ask())
        admit(server)

        def evict_just_before(method: str, path: str, _: dict[str, Any]) -> None:
            if method == "PATCH" and path.endswith("/status"):
                server.hooks.clear()
                server.patch(f"{JOBS}/t1", {"spec": {"suspend": True}})

        server.hooks.append(evict_just_before)
        with pytest.raises(NotAdmitted):
            await admission.hold("nlp", "t1")
        assert "status" not in job(server)


@pytest.mark.parametrize(
    ("conditions", "kept"),
    [
        ({"QuotaReserved": "True", "Admitted": "True"}, True),
        ({"QuotaReserved": "True", "Evicted": "False"}, True),  # taken back once, and admitted again
        ({"QuotaReserved": "True", "Evicted": "True"}, False),
        ({"QuotaReserved": "False"}, False),
    ],
)
async def test_hold_lets_go_of_what_kueue_has_given_to_another_while_the_job_does_not_say_so(
    conditions: dict[str, str], kept: bool
) -> None:
    async with kube_server() as server, kueue(server) as admission:
        ticket = await admission.request(ask())
        admit(server)
        told = [{"type": kind, "status": status, "message": ""} for kind, status in conditions.items()]
        body = {"metadata": {"name": "w", "labels": {JOB_UID_LABEL: ticket.uid}}, "status": {"conditions": told}}
        server.put(WORKLOADS, body)
        if kept:
            await admission.hold("nlp", "t1")
        else:
            with pytest.raises(NotAdmitted, match="taken back"):
                await admission.hold("nlp", "t1")
        assert job(server)["status"]["active"] == int(kept)


async def test_a_ticket_that_was_held_and_lost_its_quota_is_not_held_again_and_stays_as_it_is() -> None:
    async with kube_server() as server, kueue(server) as admission:
        ticket = await admission.request(ask())
        admit(server)
        server.patch(f"{JOBS}/t1", {"status": {"active": 1, "ready": 1}})
        taken = [{"type": "QuotaReserved", "status": "False", "message": ""}]
        metadata = {"name": "w", "labels": {JOB_UID_LABEL: ticket.uid}}
        server.put(WORKLOADS, {"metadata": metadata, "status": {"conditions": taken}})
        with pytest.raises(NotAdmitted, match="taken back"):
            await admission.hold("nlp", "t1")
        assert job(server)["status"]["active"] == 1, "a pod may live on it"


async def test_hold_lets_go_when_nothing_can_be_known_of_the_quota() -> None:
    async with kube_server() as server, kueue(server) as admission:
        await admission.request(ask())
        admit(server)
        gone = {"code": 503, "message": "no answer"}
        server.hooks.append(lambda method, path, _: gone if path.startswith(WORKLOADS) else None)
        with pytest.raises(AdmissionUnavailable):
            await admission.hold("nlp", "t1")
        assert job(server)["status"]["active"] == 0


async def test_hold_never_sets_a_start_time() -> None:
    async with kube_server() as server, kueue(server) as admission:
        await admission.request(ask())
        admit(server)
        await admission.hold("nlp", "t1")
        assert job(server)["status"] == {"active": 1, "ready": 1}


async def test_release_says_that_nothing_runs_before_it_deletes() -> None:
    async with kube_server() as server, kueue(server) as admission:
        await admission.request(ask())
        admit(server)
        await admission.hold("nlp", "t1")
        server.requests.clear()
        await admission.release("nlp", "t1")
        assert [method for method, _, _ in server.requests] == ["GET", "PATCH", "DELETE"]
        assert server.objects(JOBS) == []


async def test_another_hubs_ticket_is_left_alone_and_still_counted() -> None:
    async with kube_server() as server, kueue(server) as ours, kueue(server, hub="hub-2") as theirs:
        await theirs.request(ask())
        admit(server)
        assert (await ours.get("nlp", "t1")).state is TicketState.GONE
        await ours.release("nlp", "t1")
        with pytest.raises(NotAdmitted):
            await ours.hold("nlp", "t1")
        with pytest.raises(AdmissionRefused, match="taken"):
            await ours.request(ask())
        assert await ours.tickets("nlp") == []
        assert (await ours.usage("nlp")).used == {SMALL: 1}, "both hubs share the tenant's quota"
        assert len(server.objects(JOBS)) == 1


async def test_a_job_that_is_no_ticket_is_never_touched() -> None:
    async with kube_server() as server, kueue(server) as admission:
        server.put(JOBS, {"metadata": {"name": "t1"}, "spec": {"template": {"spec": {"containers": [{}]}}}})
        with pytest.raises(AdmissionRefused, match="taken"):
            await admission.request(ask())
        await admission.release("nlp", "t1")
        assert len(server.objects(JOBS)) == 1


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_what_is_not_known_is_unavailable_and_never_gone(status: int) -> None:
    async with kube_server() as server, kueue(server, timeout=0.3) as admission:
        await admission.request(ask())
        server.faults.status = status
        for of_one in (admission.get, admission.hold, admission.release):
            with pytest.raises(AdmissionUnavailable):
                await of_one("nlp", "t1")
        for of_all in (admission.usage, admission.tickets):
            with pytest.raises(AdmissionUnavailable):
                await of_all("nlp")
        assert await admission.position("nlp", "t1") is None


async def test_watch_outlives_a_short_outage_and_ends_in_unavailable_after_a_long_one() -> None:
    async with kube_server() as server, kueue(server, timeout=1.5) as admission:
        await admission.request(ask())
        watch = admission.watch("nlp", "t1")
        assert (await anext(watch)).state is TicketState.QUEUED
        await server.stop()
        await asyncio.sleep(0.3)
        await server.start()
        admit(server)
        assert (await anext(watch)).state is TicketState.ADMITTED
        await server.stop()
        with pytest.raises(AdmissionUnavailable):
            await anext(watch)


async def test_a_ticket_filed_again_under_its_name_ends_the_watch_of_the_old_one() -> None:
    async with kube_server() as server, kueue(server) as admission:
        old = await admission.request(ask())
        watch = admission.watch("nlp", "t1")
        assert (await anext(watch)).uid == old.uid
        await admission.release("nlp", "t1")
        assert (await admission.request(ask())).uid != old.uid
        last = await anext(watch)
        assert (last.state, last.uid) == (TicketState.GONE, old.uid)


async def test_many_watchers_share_one_feed_which_ends_with_the_last() -> None:
    async with kube_server() as server, kueue(server) as admission:
        await asyncio.gather(*(admission.request(ask(f"t{number}", f"o{number}")) for number in range(20)))
        watches = [admission.watch("nlp", f"t{number}") for number in range(20)]
        await asyncio.gather(*(anext(watch) for watch in watches))
        await asyncio.sleep(0.3)
        assert sum("watch" in query for _, _, query in server.requests) == 2
        for watch in watches:
            await watch.aclose()  # type: ignore[attr-defined]
        assert admission._feeds == {}


async def test_a_page_s_numbers_come_from_one_watch_and_by_asking_until_it_has_begun() -> None:
    async with kube_server() as server, kueue(server) as ours, kueue(server, hub="hub-2") as theirs:
        await ours.request(ask("mine"))
        await theirs.request(ask("theirs", "bob"))
        admit(server, "theirs")
        first = await ours.overview("nlp")
        assert [ticket.name for ticket in first.tickets] == ["mine"]
        assert first.usage.used == {SMALL: 1}, "both hubs share the tenant's quota"
        async with asyncio.timeout(10):
            while ours._overviews["nlp"].age is None:
                await asyncio.sleep(0.02)
        server.requests.clear()
        admit(server, "mine")
        async with asyncio.timeout(10):
            while (seen := await ours.overview("nlp")).usage.used != {SMALL: 2}:
                await asyncio.sleep(0.02)
        assert [ticket.name for ticket in seen.tickets] == ["mine"] and seen.age < 5
        assert not [query for method, _, query in server.requests if method == "GET" and "watch" not in query]


async def test_a_watch_that_has_gone_silent_is_not_believed() -> None:
    async with kube_server() as server, kueue(server) as admission:
        await admission.request(ask())
        await admission.overview("nlp")
        feed = admission._overviews["nlp"]
        async with asyncio.timeout(10):
            while feed.age is None:
                await asyncio.sleep(0.02)
        feed._jobs.last_sync = -1000.0
        server.faults.status = 503
        with pytest.raises(AdmissionUnavailable):
            await admission.overview("nlp")


async def test_the_overview_of_a_tenant_that_is_gone_or_moved_ends() -> None:
    async with kube_server() as server, kueue(server) as admission:
        await admission.overview("nlp")
        first = admission._overviews["nlp"]
        admission.follow({"nlp": make_tenant("nlp", nominal={SMALL: 9})})
        assert admission._overviews["nlp"] is first, "another quota changes nothing of it"
        admission.follow({"nlp": replace(make_tenant("nlp"), vcluster=VCluster("vc-other", "nlp"))})
        assert "nlp" not in admission._overviews and admission._namespace("nlp") == "vc-other"
        admission.forget("nlp")
        await asyncio.gather(*admission._ending)
        assert first._jobs._task is None
