"""What a watch tells beyond what is there now: the state in which an object went, and what happened before it began."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from aifactory_hub.clusters import HostWatch, KubeApi, PodChange
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.clusters.listwatch import Pace, Source
from aifactory_hub.domain.tenants import VCluster

from ..support.kube_objects import host_pod
from ..support.kube_server import KubeServer, kube_server

NLP = VCluster("vc-nlp", "nlp")
PODS = f"/api/v1/namespaces/{NLP.namespace}/pods"
FAST = Pace(watch=2, silence=0.6, first_pause=0.02, longest_pause=0.1)
ENDED = {"name": "notebook", "state": {"terminated": {"exitCode": 137, "finishedAt": "2026-11-22T11:00:00Z"}}}


def path(name: str) -> str:
    return f"{PODS}/{name}-x-notebooks-x-nlp"


@asynccontextmanager
async def listening(
    server: KubeServer, since: str | None = None, *, replays: bool = True
) -> AsyncIterator[tuple[HostWatch, list[PodChange]]]:
    host = KubeApi(Credential(server.url), connect_timeout=0.5, timeout=1.0)
    watch, heard = HostWatch(host, pace=FAST), list[PodChange]()
    watch.subscribe(heard.append, replays=replays)
    watch.start(since)
    try:
        assert await watch.synced(2)
        yield watch, heard
    finally:
        await watch.stop()
        await host.close()


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def told(changes: list[PodChange]) -> list[tuple[str, str]]:
    """Which pods, and how they were heard of, in order."""
    return [(c.source.value, (c.after or c.last or c.before).name) for c in changes]  # type: ignore[union-attr]


async def position_after(server: KubeServer, *names: str) -> str:
    """The position of a watch that has heard of these pods and then ends."""
    async with listening(server) as (watch, _):
        for name in names:
            server.put(PODS, host_pod(NLP, name))
        await until(lambda: len(watch.pods()) == len(names))
        assert watch.position is not None
        return watch.position


async def test_a_deleted_pod_is_told_with_the_state_in_which_it_went() -> None:
    async with kube_server() as server, listening(server) as (watch, heard):
        server.put(PODS, host_pod(NLP, "nb"))
        await until(lambda: watch.pod(NLP, "notebooks", "nb"))
        server.remove(path("nb"), {"status": {"phase": "Failed", "containerStatuses": [ENDED]}})
        await until(lambda: len(heard) == 2)
        gone = heard[1]
        assert gone.before is not None and gone.before.exit_code is None
        assert gone.after is None and gone.source is Source.WATCH
        assert gone.last is not None
        assert (gone.last.exit_code, gone.last.finished_at) == (137, "2026-11-22T11:00:00Z")


async def test_a_pod_that_a_list_no_longer_holds_has_no_last_state() -> None:
    async with kube_server() as server:
        server.put(PODS, host_pod(NLP, "nb"))
        async with listening(server) as (watch, heard):
            await server.stop()
            server.remove(path("nb"))
            server.compact()
            await server.start()
            await until(lambda: not watch.pods())
            gone = heard[-1]
            assert gone.before is not None and gone.last is None and gone.source is Source.LIST


async def test_a_watch_that_resumes_tells_all_that_happened_meanwhile_and_keeps_to_what_is_there_now() -> None:
    async with kube_server(bookmark_every=0.1) as server:
        since = await position_after(server, "stays", "went")
        server.remove(path("went"), {"status": {"phase": "Failed", "containerStatuses": [ENDED]}})
        server.put(PODS, host_pod(NLP, "short"))
        server.remove(path("short"))
        server.put(PODS, host_pod(NLP, "stays", podIP="10.88.0.99"))
        async with listening(server, since) as (watch, heard):
            await until(lambda: watch.resumed is not None)
            assert watch.resumed is True
            assert told(heard) == [
                ("list", "stays"),
                ("replay", "went"),
                ("replay", "short"),
                ("replay", "short"),
                ("replay", "stays"),
            ]
            assert heard[1].last is not None and heard[1].last.exit_code == 137
            assert [pod.name for pod in watch.pods()] == ["stays"]
            server.put(PODS, host_pod(NLP, "later"))
            await until(lambda: watch.pod(NLP, "notebooks", "later"))
            assert told(heard)[5:] == [("watch", "later")]


async def test_a_replay_never_takes_a_pod_back_to_an_older_state() -> None:
    async with kube_server() as server:
        since = await position_after(server, "nb")
        for number in range(1, 30):
            server.put(PODS, host_pod(NLP, "nb", podIP=f"10.88.1.{number}"))
        async with listening(server, since) as (watch, heard):
            ips = set()
            watch.subscribe(lambda change: ips.add(pod.ip if (pod := watch.pod(NLP, "notebooks", "nb")) else None))
            await until(lambda: watch.resumed)
            assert len([c for c in heard if c.source is Source.REPLAY]) == 29
            pod = watch.pod(NLP, "notebooks", "nb")
            assert pod is not None and pod.ip == "10.88.1.29"
            assert ips <= {"10.88.1.29"}


async def test_a_process_that_ends_amid_a_replay_starts_it_again() -> None:
    async with kube_server(bookmark_every=60) as server:
        since = await position_after(server, "nb")
        server.put(PODS, host_pod(NLP, "nb", podIP="10.88.1.1"))
        server.faults.silent = True
        async with listening(server, since) as (watch, _):
            assert watch.position == since and watch.resumed is None
            server.faults.silent = False
            await until(lambda: watch.position != since)
            assert int(watch.position or 0) > int(since)


@pytest.mark.parametrize("how", ["status", "event"])
async def test_changes_that_are_no_longer_kept_are_missed_knowingly(how: str) -> None:
    async with kube_server() as server:
        since = await position_after(server, "nb")
        server.remove(path("nb"))
        server.put(PODS, host_pod(NLP, "other"))
        server.compact()
        server.faults.gone = how
        async with listening(server, since) as (watch, heard):
            await until(lambda: watch.resumed is not None)
            server.faults.gone = None
            assert watch.resumed is False
            assert told(heard) == [("list", "other")]
            server.put(PODS, host_pod(NLP, "later"))
            await until(lambda: watch.pod(NLP, "notebooks", "later"))


async def test_who_did_not_ask_for_replays_hears_none() -> None:
    async with kube_server(bookmark_every=0.1) as server:
        since = await position_after(server, "nb")
        server.put(PODS, host_pod(NLP, "nb", podIP="10.88.1.1"))
        async with listening(server, since, replays=False) as (watch, heard):
            await until(lambda: watch.resumed)
            assert told(heard) == [("list", "nb")]


async def test_no_listener_silences_another(caplog: pytest.LogCaptureFixture) -> None:
    async with kube_server() as server, listening(server) as (watch, heard):
        end, second = watch.subscribe(_raises), list[PodChange]()
        watch.subscribe(second.append)
        with caplog.at_level(logging.ERROR):
            server.put(PODS, host_pod(NLP, "nb"))
            await until(lambda: second)
        assert told(heard) == told(second) == [("watch", "nb")]
        assert "a listener to changes of /api/v1/pods failed" in caplog.text
        end()
        end()
        caplog.clear()
        server.put(PODS, host_pod(NLP, "other"))
        await until(lambda: len(second) == 2)
        assert not caplog.text and len(heard) == 2


def _raises(change: PodChange) -> None:
    raise ValueError("a fault of a listener")
