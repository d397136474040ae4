"""Random steps of a hub on the real Kueue, with kills of both: what etcd saw is judged afterwards, version by version.

``python -m tests.admission.real_steps FOLDER [STEPS [SECONDS]]``, in the test cluster's network, does a piece of so
many steps, or as many as it can in that time, and adds it to FOLDER's sums, which are told at its end. A ConfigMap
stands for each pod.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from aifactory_hub.admission import AdmissionUnavailable, KueueAdmission, NotAdmitted, UserLimitReached
from aifactory_hub.clusters import ApiError, ApiUnreachable, KubeApi
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.domain.tickets import Repair, TicketState, repair_of

from ..support.real_cluster import as_admin, own_queues, running_cluster
from .history import Judge, Version, versions
from .steps import NAMES, Walk, three_tenants

HUB = "steps"
LABEL = f"aifactory-hub.io/hub={HUB}"
WATCHED = ("jobs.batch", "configmaps")
LAST = "last"
# Servers that the hub works on at once.
AT_ONCE = 8
# A hub dies at one of so many moments between two calls, and is killed from outside after so many seconds.
DIES, LIVES = 60, (5.0, 20.0)
# Seconds after which a slot must not be taken any more whose owner is gone.
SLOW = 60.0


@dataclass
class Hub:
    """One process of a hub, until it dies. What it did goes to ``log`` at once, so that it outlives it."""

    host: KubeApi
    tenants: Mapping[str, Tenant]
    dice: random.Random
    log: Callable[[str], object]
    mortal: bool = True
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Not long: while Kueue is away other steps go on.
        self.admission = KueueAdmission(self.host, self.tenants, HUB, patience=1.0)
        self._asks = Walk(self.admission, self.tenants, self.dice)

    async def run(self) -> None:
        """Repair what an earlier process left, then do steps until killed."""
        await self.clear_up(everything=False)
        await asyncio.gather(*(self._worker() for _ in range(AT_ONCE)))

    async def clear_up(self, *, everything: bool) -> None:
        """As a start of the hub does: a ticket without a pod goes, and a pod without a right to run."""
        for tenant in self.tenants:
            while True:
                try:
                    await self._clear(tenant, everything=everything)
                    break
                except (AdmissionUnavailable, ApiUnreachable, ApiError):
                    await asyncio.sleep(0.5)

    async def _clear(self, tenant: str, *, everything: bool) -> None:
        pods = set() if everything else await self._pods(tenant)
        if everything:
            for name in await self._pods(tenant):
                await self._delete_pod(tenant, name)
        for ticket in await self.admission.tickets(tenant):
            if ticket.name not in pods:
                await self.admission.release(tenant, ticket.name)

    async def _worker(self) -> None:
        while True:
            tenant, name = self.dice.choice(list(self.tenants)), f"t{self.dice.randrange(NAMES)}"
            what = self.dice.choice(("request", "request", "start", "start", "stop", "look"))
            async with self._locks.setdefault(f"{tenant}/{name}", asyncio.Lock()):
                try:
                    await getattr(self, f"_{what}")(tenant, name)
                except UserLimitReached:
                    what = "limited"
                except NotAdmitted:
                    what = "not admitted"
                except (AdmissionUnavailable, ApiUnreachable):
                    what = "Kueue or the API was away"
                    await asyncio.sleep(0.2)
            self.log(what)

    async def _request(self, tenant: str, name: str) -> None:
        if name not in await self._pods(tenant):
            await self.admission.request(self._asks.request(tenant, name))
            self._may_die("after filing")

    async def _start(self, tenant: str, name: str) -> None:
        if name in await self._pods(tenant) or not await self._is_admitted(tenant, name):
            return
        self._may_die("before holding")
        await self.admission.hold(tenant, name)
        self._may_die("between ticket and pod")
        await self._create_pod(tenant, name)
        self._may_die("after the pod")

    async def _is_admitted(self, tenant: str, name: str) -> bool:
        """Within a moment, as for a start that somebody waits for."""
        await self.admission.request(self._asks.request(tenant, name))
        for _ in range(10):
            if (await self.admission.get(tenant, name)).state is TicketState.ADMITTED:
                return True
            await asyncio.sleep(0.2)
        return False

    async def _stop(self, tenant: str, name: str) -> None:
        await self._delete_pod(tenant, name)
        self._may_die("before giving back")
        await self.admission.release(tenant, name)

    async def _look(self, tenant: str, name: str) -> None:
        if name not in await self._pods(tenant):
            return
        ticket = await self.admission.get(tenant, name)
        if repair_of(ticket) is Repair.GIVE_WAY:
            await self._stop(tenant, name)

    def _may_die(self, where: str) -> None:
        if self.mortal and not self.dice.randrange(DIES):
            self.log(f"died {where}")
            os.kill(os.getpid(), signal.SIGKILL)

    def _maps(self, tenant: str) -> str:
        return f"/api/v1/namespaces/{self.tenants[tenant].vcluster.namespace}/configmaps"

    async def _pods(self, tenant: str) -> set[str]:
        found = await self.host.get(self._maps(tenant), {"labelSelector": LABEL})
        return {item["metadata"]["name"] for item in found["items"]}

    async def _create_pod(self, tenant: str, name: str) -> None:
        key, _, value = LABEL.partition("=")
        try:
            await self.host.create(self._maps(tenant), {"metadata": {"name": name, "labels": {key: value}}})
        except ApiError as error:
            if error.status != 409:
                raise

    async def _delete_pod(self, tenant: str, name: str) -> None:
        await self.host.delete(f"{self._maps(tenant)}/{name}")


@dataclass
class Piece:
    """Some steps with their faults, and what came of them."""

    steps: int
    seed: int
    kueue_kills: int
    folder: Path
    seconds: float = inf
    done: Counter[str] = field(default_factory=Counter)

    def run(self) -> Judge:
        """Make queues of its own, do the steps, judge what etcd saw, and remove it all."""
        return asyncio.run(self._run())

    async def _run(self) -> Judge:
        tenants = three_tenants()
        async with as_admin() as host, own_queues(host, tenants) as moved:
            watches = [self._watch(kind) for kind in WATCHED]
            try:
                await self._steps(host, moved)
                await kueue_is_back(host)
                slow = await self._end(host, moved)
                await self._seen_to_the_end(host, moved)
            finally:
                for watch in watches:
                    watch.terminate()
                    watch.wait()
        namespaces = {tenant.vcluster.namespace: name for name, tenant in moved.items()}
        judge = Judge({name: tenant.quota for name, tenant in tenants.items()}, namespaces)
        for version in self._versions():
            if version.key[0] in namespaces and version.key[1] != LAST:
                judge.take(version)
        if slow > SLOW:
            judge.broken.append(f"slots were taken for {slow:.0f} s after the hub was gone")
        if judge.tickets or judge.pods:
            judge.broken.append(f"left at the end: {[*judge.tickets, *judge.pods]}")
        return judge

    def _watch(self, kind: str) -> subprocess.Popen[bytes]:
        cluster = running_cluster()
        argv = [cluster.kubectl, "--kubeconfig", str(cluster.admin_kubeconfig), "get", kind, "-A", "-l", LABEL]
        with (self.folder / f"{kind}.json").open("wb") as out:
            return subprocess.Popen([*argv, "--watch", "--output-watch-events", "-o", "json"], stdout=out)

    async def _steps(self, host: KubeApi, tenants: Mapping[str, Tenant]) -> None:
        dice, log, number = random.Random(self.seed), self.folder / "done.txt", 0
        log.touch()
        kills = [self.steps * (n + 1) // (self.kueue_kills + 1) for n in range(self.kueue_kills)]
        ends = time.monotonic() + self.seconds
        while (so_far := self._count(log)) < self.steps and time.monotonic() < ends:
            child = self._fork(tenants, self.seed * 1000 + number, log)
            number += 1
            lives = time.monotonic() + dice.uniform(*LIVES)
            while _alive(child):
                await asyncio.sleep(0.2)
                so_far = self._count(log)
                if kills and so_far >= kills[0]:
                    kills.pop(0)
                    self.done["Kueue killed"] += await kill_kueue(host)
                if time.monotonic() > min(lives, ends) or so_far >= self.steps:
                    os.kill(child, signal.SIGKILL)
                    await _ended(child)
                    self.done["hub killed from outside"] += 1
                    break
        self.done.update(log.read_text().splitlines())

    @staticmethod
    def _count(log: Path) -> int:
        return sum(not line.startswith("died") for line in log.read_text().splitlines())

    def _fork(self, tenants: Mapping[str, Tenant], seed: int, log: Path) -> int:
        child = os.fork()
        if child:
            return child
        try:
            # Nothing of the parent's event loop is ours.
            asyncio.events._set_running_loop(None)
            asyncio.run(_be_a_hub(tenants, seed, log))
        finally:
            os._exit(1)

    async def _end(self, host: KubeApi, tenants: Mapping[str, Tenant]) -> float:
        """A last hub starts, and all ends. Returns how many seconds the last slot took to be free."""
        began = time.monotonic()
        hub = Hub(host, tenants, random.Random(self.seed), lambda _: None, mortal=False)
        await hub.clear_up(everything=True)
        while any([(await hub.admission.usage(tenant)).used for tenant in tenants]):
            await asyncio.sleep(0.2)
        return time.monotonic() - began

    async def _seen_to_the_end(self, host: KubeApi, tenants: Mapping[str, Tenant]) -> None:
        """Until the watches have written what was written last."""
        hub = Hub(host, tenants, random.Random(0), lambda _: None, mortal=False)
        first = next(iter(tenants))
        await hub._create_pod(first, LAST)
        await hub._delete_pod(first, LAST)
        async with asyncio.timeout(60):
            while not self._all_is_seen():
                await asyncio.sleep(0.5)

    def _all_is_seen(self) -> bool:
        there: dict[tuple[str, str, str], bool] = {}
        for version in self._versions():
            there[(version.kind, *version.key)] = version.there
        return any(name == LAST for _, _, name in there) and not any(there.values())

    def _versions(self) -> list[Version]:
        return versions(*(self.folder / f"{kind}.json" for kind in WATCHED))


def _alive(child: int) -> bool:
    return os.waitpid(child, os.WNOHANG) == (0, 0)


async def _ended(child: int) -> None:
    while _alive(child):
        await asyncio.sleep(0.01)


async def _be_a_hub(tenants: Mapping[str, Tenant], seed: int, log: Path) -> None:
    out = os.open(log, os.O_WRONLY | os.O_APPEND)
    async with as_admin() as host:
        await Hub(host, tenants, random.Random(seed), lambda what: os.write(out, f"{what}\n".encode())).run()


async def kill_kueue(host: KubeApi) -> int:
    """End Kueue's only pod at once, without a chance to say goodbye. Returns how many that were."""
    pods = "/api/v1/namespaces/kueue-system/pods"
    found = (await host.get(pods))["items"]
    for pod in found:
        at_once = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
        await host._call("DELETE", f"{pods}/{pod['metadata']['name']}", None, at_once)
    return len(found)


async def kueue_is_back(host: KubeApi) -> None:
    """Wait until Kueue's pod is ready, for whoever needs it next."""
    async with asyncio.timeout(120):
        while True:
            pods = (await host.get("/api/v1/namespaces/kueue-system/pods"))["items"]
            if pods and all(_is_ready(pod) for pod in pods):
                return
            await asyncio.sleep(0.5)


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def run_piece(steps: int, *, seed: int, kueue_kills: int, seconds: float = inf) -> tuple[Piece, Judge]:
    """One piece in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        piece = Piece(steps, seed, kueue_kills, Path(folder), seconds)
        return piece, piece.run()


def main() -> None:
    """A piece, added to what earlier pieces came to."""
    folder, steps, seconds = Path(sys.argv[1]), int((sys.argv[2:] or ["2500"])[0]), float((sys.argv[3:] or ["inf"])[0])
    folder.mkdir(parents=True, exist_ok=True)
    seed, began = secrets.randbelow(10**6), time.monotonic()
    piece, judge = run_piece(steps, seed=seed, kueue_kills=3, seconds=seconds)
    told: dict[str, Any] = {
        "seed": seed,
        "seconds": round(time.monotonic() - began),
        "steps": sum(count for what, count in piece.done.items() if "died" not in what and "killed" not in what),
        "done": dict(piece.done),
        "seen": dict(judge.seen),
        "violations": judge.broken,
    }
    (folder / f"{seed}.json").write_text(json.dumps(told, indent=2))
    print(json.dumps(told, indent=2))
    pieces = [json.loads(file.read_text()) for file in folder.glob("*.json")]
    faults = sum(n for each in pieces for what, n in each["done"].items() if "died" in what or "killed" in what)
    print(
        f"{len(pieces)} pieces: {sum(p['steps'] for p in pieces)} steps, {faults} faults, "
        f"{sum(n for p in pieces for n in p['seen'].values())} versions judged, "
        f"{sum(len(p['violations']) for p in pieces)} violations"
    )


if __name__ == "__main__":
    main()
