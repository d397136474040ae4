"""Random steps of a hub on the real Kueue, with kills of both, beside a tenant that makes pods past it.

``python -m tests.admission.real_steps FOLDER [STEPS [SECONDS]]``, in the test cluster's network, does a piece of so
many steps, or as many as it can in that time, and adds it to FOLDER, whose sums are told at its end. What etcd saw is
judged afterwards, version by version.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from aifactory_hub.admission.translate import JOB_UID_LABEL
from aifactory_hub.clusters import ApiError, KubeApi
from aifactory_hub.constants import LABEL_HUB
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.registry.host_quota import device_ceiling
from benchmarks.frame import machine

from ..support.kube_objects import LARGE, SMALL
from ..support.kueue import kill_kueue, kueue_is_back
from ..support.real_cluster import as_admin, own_queues, running_cluster
from .history import Judge, Version, judged, versions
from .real_hub import HUB, OURS, THEIRS, WHOSE, Hub, Pods, make_pods_past_the_hub
from .steps import three_tenants

WATCHED = {"jobs.batch": f"{LABEL_HUB}={HUB}", "pods": WHOSE, "workloads.kueue.x-k8s.io": JOB_UID_LABEL}
LAST = "last"
# A hub is killed from outside after so many seconds.
LIVES = (5.0, 20.0)
# Seconds after which a slot must not be taken any more whose owner is gone.
SLOW = 60.0
KUEUE_KILLS = 5


@dataclass
class Piece:
    """Some steps with their faults, and what came of them."""

    steps: int
    seed: int
    kueue_kills: int
    folder: Path
    seconds: float = inf
    done: Counter[str] = field(default_factory=Counter)
    given_back: list[tuple[int, float]] = field(default_factory=list)

    def run(self) -> Judge:
        """Make queues of its own, do the steps, judge what etcd saw, and remove it all."""
        return asyncio.run(self._run())

    async def _run(self) -> Judge:
        async with as_admin() as host, own_queues(host, three_tenants()) as tenants:
            await _make_ceilings(host, tenants)
            watches = [self._watch(kind, selector) for kind, selector in WATCHED.items()]
            try:
                await self._with_a_tenant_beside(host, tenants)
                await kueue_is_back(host)
                slow = await self._end(host, tenants)
                await self._seen_to_the_end(host, tenants)
            finally:
                for watch in watches:
                    watch.terminate()
                    watch.wait()
        self._read_log()
        return self._judge({tenant.vcluster.namespace: name for name, tenant in tenants.items()}, slow)

    def _judge(self, namespaces: Mapping[str, str], slow: float) -> Judge:
        quotas = {name: tenant.quota for name, tenant in three_tenants().items()}
        history = (version for version in self._versions() if version.key[1] != LAST)
        judge = judged(quotas, namespaces, history, kueue_dies=self.kueue_kills > 0)
        slowest = max([slow, *(seconds for _, seconds in self.given_back)])
        if slowest > SLOW:
            judge.broken.append(f"slots were taken for {slowest:.0f} s after their hub was gone")
        if left := [*judge.tickets, *judge.pods, *judge.others]:
            judge.broken.append(f"left at the end: {left}")
        return judge

    def told(self, judge: Judge) -> dict[str, Any]:
        """The piece as plain values."""

        def of(word: str) -> dict[str, int]:
            return {what.removeprefix(f"{word} "): n for what, n in sorted(self.done.items()) if what.startswith(word)}

        return {
            "seed": self.seed,
            "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "steps": sum(of("step").values()),
            "outcomes": of("step"),
            "faults": {**{f"hub died {where}": n for where, n in of("died").items()}, **of("killed")},
            "pods past the hub": of("beside"),
            "starts after a fault": len(self.given_back),
            "tickets that they gave back": sum(count for count, _ in self.given_back),
            "longest until given back, s": max((seconds for _, seconds in self.given_back), default=0.0),
            "versions": dict(judge.seen),
            "times over Kubernetes' own ceiling": judge.over_ceiling,
            "violations": judge.broken,
        }

    def _watch(self, kind: str, selector: str) -> subprocess.Popen[bytes]:
        cluster = running_cluster()
        argv = [cluster.kubectl, "--kubeconfig", str(cluster.admin_kubeconfig), "get", kind, "-A", "-l", selector]
        with (self.folder / f"{kind}.json").open("wb") as out:
            return subprocess.Popen([*argv, "--watch", "--output-watch-events", "-o", "json"], stdout=out)

    async def _with_a_tenant_beside(self, host: KubeApi, tenants: Mapping[str, Tenant]) -> None:
        self._log.touch()
        pods = Pods(host, tenants, THEIRS)
        beside = asyncio.create_task(make_pods_past_the_hub(pods, random.Random(self.seed), self._write))
        try:
            await self._steps(host, tenants)
            if beside.done():
                beside.result()
        finally:
            beside.cancel()
            with suppress(asyncio.CancelledError):
                await beside
        for tenant in tenants:
            for name in await pods.names(tenant):
                await pods.delete(tenant, name)

    async def _steps(self, host: KubeApi, tenants: Mapping[str, Tenant]) -> None:
        dice, number, since = random.Random(self.seed), 0, time.time()
        kills = [self.steps * (n + 1) // (self.kueue_kills + 1) for n in range(self.kueue_kills)]
        ends = time.monotonic() + self.seconds
        while self._count() < self.steps and time.monotonic() < ends:
            child = self._fork(tenants, self.seed * 1000 + number, since)
            number, repaired = number + 1, self._count(b"repaired ")
            lives = min(time.monotonic() + dice.uniform(*LIVES), ends)
            while _alive(child):
                # Before it has repaired all, what it found stays as old as it is.
                if self._count(b"repaired ") > repaired:
                    since = time.time()
                await asyncio.sleep(0.1)
                if kills and self._count() >= kills[0]:
                    kills.pop(0)
                    self.done["killed Kueue"] += await kill_kueue(host)
                if time.monotonic() > lives or self._count() >= self.steps:
                    os.kill(child, signal.SIGKILL)
                    await _ended(child)
                    self.done["killed the hub from outside"] += 1
                    break

    @property
    def _log(self) -> Path:
        return self.folder / "done.txt"

    def _write(self, line: str) -> None:
        """Appended whole, whoever else writes."""
        out = os.open(self._log, os.O_WRONLY | os.O_APPEND)
        os.write(out, f"{line}\n".encode())
        os.close(out)

    def _count(self, word: bytes = b"step ") -> int:
        return self._log.read_bytes().count(word)

    def _read_log(self) -> None:
        for line in self._log.read_text().splitlines():
            if line.startswith("repaired"):
                _, count, seconds = line.split()
                self.given_back.append((int(count), float(seconds)))
            else:
                self.done[line] += 1

    def _fork(self, tenants: Mapping[str, Tenant], seed: int, since: float) -> int:
        child = os.fork()
        if child:
            return child
        try:
            # Nothing of the parent's event loop is ours.
            asyncio.events._set_running_loop(None)
            asyncio.run(self._be_a_hub(tenants, seed, since))
        finally:
            os._exit(1)

    async def _be_a_hub(self, tenants: Mapping[str, Tenant], seed: int, since: float) -> None:
        async with as_admin() as host:
            await Hub(host, tenants, random.Random(seed), self._write, since=since).run()

    async def _end(self, host: KubeApi, tenants: Mapping[str, Tenant]) -> float:
        """A last hub starts, and all ends. Returns how many seconds the last slot took to be free."""
        began = time.monotonic()
        hub = _last_hub(host, tenants)
        await hub.clear_up(everything=True)
        while any([(await hub.admission.usage(tenant)).used for tenant in tenants]):
            await asyncio.sleep(0.2)
        return time.monotonic() - began

    async def _seen_to_the_end(self, host: KubeApi, tenants: Mapping[str, Tenant]) -> None:
        """Until the watches have written what was written last."""
        pods, first = Pods(host, tenants, OURS), next(iter(tenants))
        await pods.create(first, LAST, {})
        await pods.delete(first, LAST)
        async with asyncio.timeout(60):
            while not self._all_is_seen():
                await asyncio.sleep(0.5)

    def _all_is_seen(self) -> bool:
        """Workloads are not waited for: each is gone a moment after its Job."""
        there: dict[tuple[str, str, str], bool] = {}
        for version in self._versions():
            if version.kind == "Workload":
                continue
            there[(version.kind, *version.key)] = version.there
        return any(name == LAST for _, _, name in there) and not any(there.values())

    def _versions(self) -> list[Version]:
        return versions(*(self.folder / f"{kind}.json" for kind in WATCHED))


def _last_hub(host: KubeApi, tenants: Mapping[str, Tenant]) -> Hub:
    return Hub(host, tenants, random.Random(0), lambda _: None, mortal=False)


async def _make_ceilings(host: KubeApi, tenants: Mapping[str, Tenant]) -> None:
    """The ResourceQuota that the product renders for each tenant, and what else a pod's creation waits for."""
    for tenant in tenants.values():
        path = f"/api/v1/namespaces/{tenant.vcluster.namespace}"
        hard = device_ceiling(tenant, (SMALL, LARGE))
        await host.create(f"{path}/resourcequotas", {"metadata": {"name": "ceiling"}, "spec": {"hard": hard}})
        async with asyncio.timeout(30):
            while not await _is_ready_for_pods(host, path):
                await asyncio.sleep(0.2)


async def _is_ready_for_pods(host: KubeApi, namespace: str) -> bool:
    try:
        await host.get(f"{namespace}/serviceaccounts/default")
    except ApiError:
        return False
    quota = await host.get(f"{namespace}/resourcequotas/ceiling")
    return "used" in (quota.get("status") or {})


def _alive(child: int) -> bool:
    return os.waitpid(child, os.WNOHANG) == (0, 0)


async def _ended(child: int) -> None:
    while _alive(child):
        await asyncio.sleep(0.01)


def run_piece(steps: int, *, seed: int, kueue_kills: int, seconds: float = inf) -> tuple[Piece, Judge]:
    """One piece in a folder of its own, which stays for a look at it if anything was wrong."""
    folder = Path(tempfile.mkdtemp(prefix="steps-"))
    piece = Piece(steps, seed, kueue_kills, folder, seconds)
    judge = piece.run()
    if judge.broken or judge.over_ceiling:
        print(f"what etcd saw: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return piece, judge


def main() -> None:
    """A piece, added to what earlier pieces came to."""
    folder, steps, seconds = Path(sys.argv[1]), int((sys.argv[2:] or ["2500"])[0]), float((sys.argv[3:] or ["inf"])[0])
    folder.mkdir(parents=True, exist_ok=True)
    seed, began = secrets.randbelow(10**6), time.monotonic()
    piece, judge = run_piece(steps, seed=seed, kueue_kills=KUEUE_KILLS, seconds=seconds)
    told = piece.told(judge) | {"seconds": round(time.monotonic() - began)}
    (folder / f"{seed}.json").write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told, indent=1))
    pieces = [json.loads(file.read_text()) for file in folder.glob("*.json")]
    sums = {
        "steps": sum(each["steps"] for each in pieces),
        "faults": sum(n for each in pieces for n in each["faults"].values()),
        "versions judged": sum(n for each in pieces for n in each["versions"].values()),
        "times over Kubernetes' own ceiling": sum(len(each["times over Kubernetes' own ceiling"]) for each in pieces),
        "violations": sum(len(each["violations"]) for each in pieces),
    }
    print(f"{len(pieces)} pieces: {', '.join(f'{count} {what}' for what, count in sums.items())}")


if __name__ == "__main__":
    main()
