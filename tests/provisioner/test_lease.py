"""Of several replicas one works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from aifactory_hub.clusters import KubeApi
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.provisioner import lease as module
from aifactory_hub.provisioner.lease import LASTS, Lease

from ..support.kube_server import KubeServer, kube_server

PATH = "/apis/coordination.k8s.io/v1/namespaces/aifactory-system/leases/p"


class Pair:
    """Two replicas with clocks that the test moves."""

    def __init__(self, server: KubeServer, api: KubeApi) -> None:
        self.server, self.api, self.now = server, api, 0.0
        self.a, self.b = (Lease(api, "p", name, lambda: self.now) for name in "ab")

    @property
    def holder(self) -> str:
        return str(self.server._objects[PATH]["spec"]["holderIdentity"])


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with kube_server() as server:
        api = KubeApi(Credential(server=server.url, token="t"))
        try:
            yield Pair(server, api)
        finally:
            await api.close()


async def test_the_first_has_it_until_it_says_nothing_for_too_long(pair: Pair) -> None:
    assert await pair.a._try() is True and await pair.b._try() is False
    pair.now += LASTS - 1
    assert await pair.a._try() is True, "it renews"
    assert await pair.b._try() is False
    pair.now += LASTS - 1
    assert await pair.b._try() is False, "what counts is when it was renewed last"
    pair.now += 2
    assert await pair.b._try() is True and pair.holder == "b"
    assert await pair.a._try() is False


async def test_what_is_given_back_is_had_at_once(pair: Pair) -> None:
    await pair.a._try()
    await pair.b.release()
    assert pair.holder == "a", "nobody gives back what is another's"
    await pair.a.release()
    assert await pair.b._try() is True


async def test_of_two_that_take_it_at_the_same_moment_one_has_it(pair: Pair) -> None:
    await pair.a._try()
    pair.now += 100
    c = Lease(pair.api, "p", "c", lambda: pair.now)
    await asyncio.gather(pair.b._try(), c._try())
    pair.now += LASTS + 1
    assert sorted([await pair.b._try(), await c._try()], key=str) == [False, True]


async def test_a_host_that_does_not_answer_says_neither_yes_nor_no(pair: Pair) -> None:
    pair.server.faults.status = 503
    assert await pair.a._try() is None


async def test_work_ends_when_the_lease_is_lost_in_the_middle(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEWS", 0.01)
    started, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    task = asyncio.create_task(pair.a.run(work))
    async with asyncio.timeout(20):
        await started.wait()
        pair.server.patch(PATH, {"spec": {"holderIdentity": "b", "renewTime": "now"}})
        await ended.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert pair.holder == "b"


async def test_work_ends_when_nobody_can_say_whether_it_is_still_held(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEWS", 0.01)
    started, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    task = asyncio.create_task(pair.a.run(work))
    async with asyncio.timeout(20):
        await started.wait()
        pair.server.faults.status = 503
        await asyncio.sleep(0.05)
        assert not ended.is_set(), "a moment's silence ends nothing"
        pair.now += module.GIVES_UP
        await ended.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
