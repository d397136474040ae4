"""What a witness writes of the host's pods, against what was true, with kills and with times when nobody watched."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from aifactory_hub.clusters import HostWatch, KubeApi
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.clusters.listwatch import Pace
from aifactory_hub.domain.months import utc
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.domain.tenants import VCluster
from aifactory_hub.domain.usage import FactKind, Hold, Possession, Source
from aifactory_hub.metering.witness import Witness
from aifactory_hub.store import migrate, open_db
from aifactory_hub.store.ledger import Ledger
from aifactory_hub.store.ledger_rows import hold_of

from ..support.kube_objects import host_pod
from ..support.kube_server import KubeServer, kube_server

NLP = VCluster("vc-nlp", "nlp")
PODS = f"/api/v1/namespaces/{NLP.namespace}/pods"
FAST = Pace(watch=1, silence=0.6, first_pause=0.02, longest_pause=0.1)


@pytest.fixture
def db(tmp_path: Any) -> Engine:
    db = open_db(f"sqlite:///{tmp_path}/service.sqlite")
    migrate(db)
    return db


@dataclass
class Cluster:
    """Pods of the API server, and the truth of what they held. ``now`` moves when the test says so."""

    server: KubeServer
    now: int = 1_790_000_000
    truth: dict[str, tuple[int, int | None]] = field(default_factory=dict)

    def path(self, name: str) -> str:
        return f"{PODS}/{name}-x-notebooks-x-nlp"

    def create(self, name: str) -> str:
        """A pod that waits for a node; its uid."""
        pod = host_pod(NLP, name)
        pod["metadata"]["creationTimestamp"] = utc(self.now)
        pod["spec"] = {"containers": [{"name": "notebook", "resources": {"limits": {"nvidia.com/mig-1g.10gb": "1"}}}]}
        pod["status"] = {"phase": "Pending", "conditions": []}
        stored: dict[str, Any] = self.server.put(PODS, pod)
        return str(stored["metadata"]["uid"])

    def bind(self, name: str, uid: str) -> None:
        condition = {"type": "PodScheduled", "status": "True", "lastTransitionTime": utc(self.now)}
        status = {"phase": "Running", "conditions": [condition], **self._ran()}
        self.server.patch(self.path(name), {"spec": {"nodeName": "n1"}, "status": status})
        self.truth[uid] = (self.now, None)

    def end(self, name: str, uid: str, *, delete: bool = False) -> None:
        """Its container ends; with ``delete`` that is seen in the event that says that it is gone, and never before."""
        status = {"phase": "Succeeded", **self._ran(finishedAt=utc(self.now))}
        self.truth[uid] = (self.truth[uid][0], self.now)
        if delete:
            self.server.remove(self.path(name), {"status": status})
        else:
            self.server.patch(self.path(name), {"status": status})

    def vanish(self, name: str, uid: str) -> None:
        """Deleted by force: it never says when its container ended."""
        self.truth[uid] = (self.truth[uid][0], self.now)
        self.server.remove(self.path(name))

    def _ran(self, **ended: str) -> dict[str, Any]:
        state = {"terminated": {"exitCode": 0, **ended}} if ended else {"running": {"startedAt": utc(self.now)}}
        return {"containerStatuses": [{"name": "notebook", "state": state}]}


async def whose(pod: PodFact) -> Possession | None:
    return Possession("nlp", "ada", "mig-1g.10gb", "server", "ada", pod.name, devices=dict(pod.devices))


@asynccontextmanager
async def witnessing(cluster: Cluster, ledger: Ledger) -> AsyncIterator[Witness]:
    """A witness of a process of its own, which is killed at the end."""
    host = KubeApi(Credential(cluster.server.url), connect_timeout=0.5, timeout=1.0)
    watch = HostWatch(host, pace=FAST)
    witness = Witness(watch, ledger, whose, asyncio.to_thread, now=lambda: cluster.now + 0.5)
    await witness.start()
    running = asyncio.create_task(witness.run())
    try:
        assert await watch.synced(5)
        yield witness
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await watch.stop()
        await host.close()


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def holds(ledger: Ledger) -> dict[str, Hold]:
    with ledger.db.connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM usage_holds"))
        return {row.pod: hold_of(row._mapping) for row in rows}


def known(ledger: Ledger) -> dict[str, tuple[int, int | None]]:
    return {pod: (hold.start, hold.end) for pod, hold in holds(ledger).items()}


async def test_a_life_is_metered_from_its_node_to_its_end(db: Engine) -> None:
    ledger = Ledger(db)
    async with kube_server(bookmark_every=0.1) as server:
        cluster = Cluster(server)
        async with witnessing(cluster, ledger) as witness:
            uid = cluster.create("nb")
            cluster.now += 40
            cluster.bind("nb", uid)
            await until(lambda: known(ledger) == cluster.truth)
            cluster.now += 600
            cluster.end("nb", uid)
            await until(lambda: known(ledger) == cluster.truth)
            assert holds(ledger)[uid].possession.devices == {"nvidia.com/mig-1g.10gb": 1}
            assert holds(ledger)[uid].ended_by is FactKind.ENDED
            server.remove(cluster.path("nb"))
            await until(lambda: witness.heard_at() >= cluster.now - 2)
            assert [fact.kind for fact in ledger.facts(uid)] == [FactKind.BOUND, FactKind.STARTED, FactKind.ENDED]


async def test_a_pod_that_is_deleted_by_force_holds_until_then(db: Engine) -> None:
    ledger = Ledger(db)
    async with kube_server(bookmark_every=0.1) as server:
        cluster = Cluster(server)
        async with witnessing(cluster, ledger):
            uid = cluster.create("nb")
            cluster.bind("nb", uid)
            cluster.now += 70
            cluster.vanish("nb", uid)
            await until(lambda: known(ledger) == cluster.truth)
        hold = holds(ledger)[uid]
        assert (hold.ended_by, hold.source, hold.uncertain) == (FactKind.GONE, Source.WATCH, 0)


async def test_what_happened_while_nobody_watched_is_told_afterwards_to_the_second(db: Engine) -> None:
    ledger = Ledger(db)
    async with kube_server(bookmark_every=0.1) as server:
        cluster = Cluster(server)
        async with witnessing(cluster, ledger) as witness:
            uid = cluster.create("nb")
            cluster.bind("nb", uid)
            await until(lambda: known(ledger) == cluster.truth and witness.heard_at())
        cluster.now += 300
        short = cluster.create("short")
        cluster.bind("short", short)
        cluster.now += 30
        cluster.end("short", short, delete=True)
        cluster.end("nb", uid, delete=True)
        cluster.now += 100
        async with witnessing(cluster, ledger):
            await until(lambda: known(ledger) == cluster.truth)
        assert {hold.uncertain for hold in holds(ledger).values()} == {0}
        assert {hold.source for hold in holds(ledger).values()} == {Source.REPLAY}


async def test_where_nobody_could_know_the_seconds_are_named_and_not_counted(db: Engine) -> None:
    ledger = Ledger(db)
    async with kube_server(bookmark_every=0.1) as server:
        cluster = Cluster(server)
        async with witnessing(cluster, ledger) as witness:
            uid = cluster.create("nb")
            cluster.bind("nb", uid)
            cluster.now += 50
            await until(lambda: known(ledger) == cluster.truth and witness.heard_at() >= cluster.now - 2, 30)
        cluster.now += 300
        cluster.end("nb", uid, delete=True)
        server.compact()
        cluster.now += 60
        async with witnessing(cluster, ledger):
            await until(lambda: holds(ledger)[uid].end is not None)
        hold, (start, end) = holds(ledger)[uid], cluster.truth[uid]
        assert end is not None and hold.end is not None and hold.latest_end is not None
        assert (hold.start, hold.ended_by, hold.source) == (start, FactKind.GONE, Source.LIST)
        assert hold.end <= end <= hold.latest_end == cluster.now
        assert hold.end in range(start + 47, start + 51)


async def test_a_database_that_is_away_loses_nothing(db: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(db)
    append = ledger.append
    failures: list[Any] = []

    def away(*arguments: Any) -> int:
        if len(failures) < 2:
            failures.append(arguments)
            raise OSError("the disk is full")
        return append(*arguments)

    monkeypatch.setattr(ledger, "append", away)
    monkeypatch.setattr("aifactory_hub.metering.witness._PAUSE", 0.05)
    async with kube_server(bookmark_every=0.1) as server:
        cluster = Cluster(server)
        async with witnessing(cluster, ledger):
            uid = cluster.create("nb")
            cluster.bind("nb", uid)
            await until(lambda: known(ledger) == cluster.truth)
    assert len(failures) == 2


@pytest.mark.parametrize("seed", range(6))
async def test_any_lives_under_kills_and_lost_watches_are_metered_to_the_second(db: Engine, seed: int) -> None:
    """Pods come, run, end, are deleted with and without a word, while the witness is killed and its watch is broken."""
    chance, ledger = random.Random(seed), Ledger(db)
    async with kube_server(bookmark_every=0.1) as server:
        cluster, living, serial = Cluster(server), dict[str, str](), 0
        for _ in range(5):
            async with witnessing(cluster, ledger) as witness:
                for _ in range(chance.randint(1, 12)):
                    serial += 1
                    step(cluster, living, chance, f"p{serial}", seen=True)
                    await asyncio.sleep(chance.choice((0, 0, 0.03, 0.1)))
                    if chance.random() < 0.1:
                        await server.stop()
                        await server.start()
                if chance.random() < 0.5:
                    await until(lambda: known(ledger) == cluster.truth)
                    await until(lambda: witness.heard_at() >= cluster.now - 2, 30)
            for _ in range(chance.randint(0, 5)):
                serial += 1
                step(cluster, living, chance, f"p{serial}", seen=False)
        async with witnessing(cluster, ledger):
            for name, uid in living.items():
                cluster.now += 1
                cluster.end(name, uid)
            await until(lambda: known(ledger) == cluster.truth)
    assert sum(hold.uncertain for hold in holds(ledger).values()) == 0
    assert ledger.verify().problem is None


def step(cluster: Cluster, living: dict[str, str], chance: random.Random, name: str, *, seen: bool) -> None:
    cluster.now += chance.randint(0, 90)
    what = chance.choice(["begin", "begin", "end", "delete", "waits"])
    if what == "begin":
        living[name] = cluster.create(name)
        cluster.now += chance.randint(0, 20)
        cluster.bind(name, living[name])
    elif what == "waits":
        cluster.create(name)
        if chance.random() < 0.5:
            cluster.server.remove(cluster.path(name))
    elif living:
        ended = chance.choice(sorted(living))
        cluster.end(ended, living.pop(ended), delete=what == "delete")
