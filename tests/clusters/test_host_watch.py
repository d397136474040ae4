"""The host watch against a real HTTP server that fails in the ways that API servers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from aifactory_hub.clusters import HostWatch, KubeApi, PodChange
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.clusters.host_pod import HostPod, fact_of
from aifactory_hub.clusters.listwatch import Pace
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.domain.tenants import VCluster

from ..support.kube_objects import Json, host_pod
from ..support.kube_server import KubeServer, kube_server

NLP, VISION = VCluster("vc-nlp", "nlp"), VCluster("vc-vision", "vision")
FAST = Pace(watch=2, silence=0.6, first_pause=0.02, longest_pause=0.1)


def pods_of(vcluster: VCluster) -> str:
    return f"/api/v1/namespaces/{vcluster.namespace}/pods"


def put(server: KubeServer, vcluster: VCluster, name: str, **changes: Any) -> Json:
    return server.put(pods_of(vcluster), host_pod(vcluster, name, **changes))


@asynccontextmanager
async def watching(server: KubeServer, **settings: Any) -> AsyncIterator[HostWatch]:
    host = KubeApi(Credential(server.url), connect_timeout=0.5, timeout=1.0)
    watch = HostWatch(host, pace=FAST, **settings)
    watch.start()
    try:
        yield watch
    finally:
        await watch.stop()
        await host.close()


def decoded(pod: Json) -> PodFact:
    """As it goes with a line of the watch."""
    return fact_of(msgspec.convert(pod, HostPod))


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_two_tenants_with_the_same_namespace_and_pod_name_are_told_apart() -> None:
    async with kube_server() as server:
        put(server, NLP, "nb", podIP="10.88.0.12")
        put(server, VISION, "nb", podIP="10.88.0.13")
        async with watching(server) as watch:
            assert await watch.synced(2)
            nlp, vision = watch.pod(NLP, "notebooks", "nb"), watch.pod(VISION, "notebooks", "nb")
            assert nlp is not None and vision is not None
            assert (nlp.ip, vision.ip) == ("10.88.0.12", "10.88.0.13")
            assert watch.pods(VISION) == [vision]


async def test_changes_arrive_in_order_and_only_the_selected_pods_do() -> None:
    async with kube_server() as server:
        server.put("/api/v1/namespaces/kube-system/pods", {"metadata": {"name": "etcd"}, "spec": {"containers": []}})
        async with watching(server) as watch:
            assert await watch.synced(2)
            seen: list[PodChange] = []
            unsubscribe = watch.subscribe(seen.append)
            put(server, NLP, "nb", phase="Pending")
            put(server, NLP, "nb", phase="Running")
            server.remove(f"{pods_of(NLP)}/nb-x-notebooks-x-nlp")
            await until(lambda: len(seen) == 3)
            assert [(c.before and c.before.phase, c.after and c.after.phase) for c in seen] == [
                (None, "Pending"),
                ("Pending", "Running"),
                ("Running", None),
            ]
            unsubscribe()
            put(server, NLP, "other")
            await until(lambda: watch.pod(NLP, "notebooks", "other"))
            assert len(seen) == 3 and watch.skipped == 0


async def test_bookmarks_keep_a_quiet_watch_fresh_and_it_is_resumed_without_a_new_list() -> None:
    async with kube_server(bookmark_every=0.2) as server:
        put(server, NLP, "nb")
        async with watching(server) as watch:
            assert await watch.synced(2)
            await until(lambda: sum("watch" in query for _, _, query in server.requests) >= 2)
            lists = [query for _, path, query in server.requests if path == "/api/v1/pods" and "watch" not in query]
            assert len(lists) == 1
            put(server, NLP, "second")
            await until(lambda: watch.pod(NLP, "notebooks", "second"))


@pytest.mark.parametrize("how", ["status", "event"])
async def test_410_leads_to_a_new_list_which_finds_what_was_deleted(how: str) -> None:
    async with kube_server() as server:
        put(server, NLP, "stays")
        put(server, NLP, "goes")
        async with watching(server) as watch:
            await until(lambda: len(watch.pods()) == 2)
            seen: list[PodChange] = []
            watch.subscribe(seen.append)
            # Down while a pod is deleted, and the deletion is forgotten before the watch comes back.
            await server.stop()
            server.remove(f"{pods_of(NLP)}/goes-x-notebooks-x-nlp")
            server.compact()
            server.faults.gone = how
            await server.start()
            await until(lambda: seen)
            server.faults.gone = None
            assert [(c.before and c.before.name, c.after) for c in seen] == [("goes", None)]
            assert watch.pod(NLP, "notebooks", "stays") is not None
            put(server, NLP, "new")
            await until(lambda: watch.pod(NLP, "notebooks", "new"))


async def test_a_watch_that_goes_silent_is_given_up_and_nothing_is_missed() -> None:
    async with kube_server() as server, watching(server) as watch:
        assert await watch.synced(2)
        server.faults.silent = True
        # The server forgets whoever watches now: a bookmark may still come before the silence begins.
        await asyncio.sleep(0.7)
        put(server, NLP, "nb")
        await asyncio.sleep(0.2)
        assert watch.pod(NLP, "notebooks", "nb") is None
        server.faults.silent = False
        await until(lambda: watch.pod(NLP, "notebooks", "nb"))


@pytest.mark.parametrize("status", [429, 500, 503, 401, 403])
async def test_it_never_gives_up_while_the_api_fails_and_unknown_is_not_gone(status: int) -> None:
    async with kube_server() as server:
        put(server, NLP, "nb")
        async with watching(server, stale_after=0.5) as watch:
            assert await watch.synced(2)
            assert not watch.stale
            server.faults.status = status
            await server.stop()
            await server.start()
            await until(lambda: watch.stale)
            assert watch.last_error is not None
            assert watch.pod(NLP, "notebooks", "nb") is not None, "what was known is kept"
            server.faults.status = None
            await until(lambda: not watch.stale)
            assert watch.last_error is None


async def test_a_host_that_is_down_at_first_is_found_later() -> None:
    async with kube_server() as server:
        await server.stop()
        async with watching(server) as watch:
            assert not await watch.synced(0.5)
            assert watch.stale and watch.last_sync is None
            put(server, NLP, "nb")
            await server.start()
            assert await watch.synced(3)
            assert watch.pod(NLP, "notebooks", "nb") is not None


async def test_a_bad_object_is_skipped_and_counted_and_what_was_known_of_it_is_kept() -> None:
    async with kube_server() as server:
        put(server, NLP, "nb")
        bad = host_pod(NLP, "bad")
        bad["metadata"]["annotations"] = {}
        server.put(pods_of(NLP), bad)
        async with watching(server) as watch:
            assert await watch.synced(2)
            assert watch.skipped == 1
            assert [pod.name for pod in watch.pods()] == ["nb"]
            server.patch(f"{pods_of(NLP)}/nb-x-notebooks-x-nlp", {"spec": {"containers": "not a list"}})
            put(server, NLP, "later")
            await until(lambda: watch.pod(NLP, "notebooks", "later"))
            assert watch.skipped == 2
            assert watch.pod(NLP, "notebooks", "nb") is not None


async def test_lists_of_many_pages_are_read_whole() -> None:
    async with kube_server(page_size=3) as server:
        for number in range(10):
            put(server, NLP, f"nb-{number}")
        async with watching(server) as watch:
            assert await watch.synced(2)
            assert len(watch.pods()) == 10


async def test_a_pod_made_anew_under_its_name_is_not_lost() -> None:
    async with kube_server() as server:
        old = put(server, NLP, "nb")["metadata"]["uid"]
        async with watching(server) as watch:
            await until(lambda: watch.pod(NLP, "notebooks", "nb"))
            server.remove(f"{pods_of(NLP)}/nb-x-notebooks-x-nlp")
            new = put(server, NLP, "nb")["metadata"]["uid"]
            pod = await watch.wait_for(NLP, "notebooks", "nb", lambda pod: pod is not None and pod.uid == new, 3)
            assert pod is not None and new != old


async def test_wait_for_says_gone_only_when_the_host_says_so() -> None:
    async with kube_server() as server:
        put(server, NLP, "nb")
        async with watching(server, stale_after=0.5) as watch:
            assert await watch.synced(2)
            await server.stop()
            await until(lambda: watch.stale)
            with pytest.raises(TimeoutError):
                await watch.wait_for(NLP, "notebooks", "never-was", lambda pod: pod is None, 0.3)
            server.remove(f"{pods_of(NLP)}/nb-x-notebooks-x-nlp")
            await server.start()
            assert await watch.wait_for(NLP, "notebooks", "nb", lambda pod: pod is None, 5) is None


async def test_changed_wakes_up_and_misses_nothing() -> None:
    async with kube_server() as server, watching(server) as watch:
        assert await watch.synced(2)
        seen = watch.version
        assert await watch.changed(seen, 0.05) == seen
        put(server, NLP, "nb")
        assert await watch.changed(seen, 3) > seen


def test_the_main_container_speaks_for_the_pod_whatever_the_order() -> None:
    pod = host_pod(NLP, "nb")
    pod["metadata"]["uid"] = "u1"
    pod["status"]["containerStatuses"][1]["state"] = {
        "terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-22T11:00:00Z"}
    }
    fact = decoded(pod)
    assert (fact.exit_code, fact.reason, fact.waiting) == (137, "OOMKilled", None)
    assert (fact.vcluster, fact.namespace, fact.name, fact.uid) == ("nlp", "notebooks", "nb", "u1")
    assert fact.ready and fact.ip == "10.88.0.12" and fact.node == "node-1"


def test_a_guest_token_in_an_annotation_is_kept_nowhere() -> None:
    pod = host_pod(NLP, "nb")
    pod["metadata"]["uid"] = "u1"
    assert "guest token" not in repr(decoded(pod))


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("no labels", lambda pod: pod["metadata"].pop("labels")),
        ("no annotations", lambda pod: pod["metadata"].pop("annotations")),
        ("no containers", lambda pod: pod["spec"].update(containers=[])),
        ("status is a list", lambda pod: pod.update(status=["Running"])),
        ("conditions are text", lambda pod: pod["status"].update(conditions="Ready")),
    ],
)
def test_an_object_of_another_shape_is_an_error_and_no_fact(name: str, spoil: Callable[[Json], object]) -> None:
    pod = host_pod(NLP, "nb")
    pod["metadata"]["uid"] = "u1"
    spoil(pod)
    with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
        decoded(pod)
