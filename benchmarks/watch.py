"""Watching 10,000 pods of 1,000 tenants: our host watch beside kubespawner's reflector, on the same events.

Both get what an API server sends, in pieces as a socket gives them, and do with it what they do in a hub: ours decodes
each pod to the facts that decisions need, the reflector keeps the whole object. The network is left out: it costs both
the same. Twice: events that change nothing which we keep (most of a pod's events), and events that each do.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kubernetes_asyncio.watch import Watch

from aifactory_hub.clusters.answers import WholeLines
from aifactory_hub.clusters.host_watch import HostWatch

from .frame import Report, summary

PODS, TENANTS = 10_000, 1_000
ROUNDS = 2
# What one read of a busy socket returns.
PIECE = 64 * 1024
Json = dict[str, Any]


def pod(number: int, version: int, ready: bool) -> Json:
    """A notebook's pod as the host shows it, with what the syncer, kubespawner and kubelet put into one."""
    tenant = f"team-{number % TENANTS}"
    name = f"nb-user-{number}"
    env = [{"name": f"JUPYTERHUB_SETTING_{i}", "value": f"https://hub.example/value/{i}"} for i in range(28)]
    managed: Json = {f"f:field{i}": {f"f:part{j}": {} for j in range(6)} for i in range(16)}
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": f"{name}-x-notebooks-x-{tenant}",
            "namespace": f"vc-{tenant}",
            "uid": f"00000000-0000-0000-0000-{number:012d}",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {
                "vcluster.loft.sh/managed-by": tenant,
                "vcluster.loft.sh/namespace": "notebooks",
                "component": "singleuser-server",
                "aifactory-hub.io/hub": "hub",
                "aifactory-hub.io/owner-kind": "server",
                "aifactory-hub.io/owner": f"user-{number}",
                "aifactory-hub.io/tenant": tenant,
                "aifactory-hub.io/profile": "mig-1g.10gb",
            },
            "annotations": {
                "vcluster.loft.sh/object-name": name,
                "vcluster.loft.sh/object-namespace": "notebooks",
                "vcluster.loft.sh/object-uid": f"11111111-0000-0000-0000-{number:012d}",
                "vcluster.loft.sh/labels": "x" * 400,
                "hub.jupyter.org/username": f"user-{number}",
            },
            "managedFields": [{"manager": m, "fieldsV1": managed} for m in ("syncer", "kubelet")],
        },
        "spec": {
            "containers": [
                {
                    "name": "notebook",
                    "image": "registry.example/notebook:2026.1",
                    "env": env,
                    "resources": {"limits": {"nvidia.com/mig-1g.10gb": "1", "cpu": "4", "memory": "16Gi"}},
                    "volumeMounts": [{"name": "home", "mountPath": "/home/jovyan"}],
                }
            ],
            "nodeName": f"node-{number % 100}",
            "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": f"home-user-{number}"}}],
            "tolerations": [{"key": f"key-{i}", "operator": "Exists", "effect": "NoExecute"} for i in range(4)],
        },
        "status": {
            "phase": "Running",
            "podIP": f"10.{number // 65536}.{number // 256 % 256}.{number % 256}",
            "conditions": [
                {"type": kind, "status": str(ready or kind != "Ready"), "lastTransitionTime": "2026-01-01T00:00:03Z"}
                for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
            "containerStatuses": [
                {
                    "name": "notebook",
                    "ready": True,
                    "restartCount": 0,
                    "image": "registry.example/notebook:2026.1",
                    "imageID": "sha256:" + "0" * 64,
                    "containerID": "containerd://" + "0" * 64,
                    "state": {"running": {"startedAt": "2026-01-01T00:00:02Z"}},
                }
            ],
        },
    }


def pieces(version: int, ready: bool) -> Iterator[bytes]:
    """One event for each pod, as the socket gives them: the ends of pieces are not the ends of lines."""
    waiting = b""
    for number in range(PODS):
        event = {"type": "MODIFIED", "object": pod(number, version + number, ready)}
        waiting += json.dumps(event, separators=(",", ":")).encode() + b"\n"
        while len(waiting) >= PIECE:
            yield waiting[:PIECE]
            waiting = waiting[PIECE:]
    yield waiting


class Ours:
    """What ``HostWatch`` does with a piece of its watch."""

    def __init__(self) -> None:
        self.lines = WholeLines()
        self.watch = HostWatch(SimpleNamespace(server="host"))  # type: ignore[arg-type]

    def feed(self, piece: bytes) -> None:
        self.watch._watch.take(self.lines.feed(piece))

    def kept(self) -> int:
        return len(self.watch.pods())


class Reflector:
    """What ``ResourceReflector`` does with one: its library's decoding, then the whole object is kept."""

    def __init__(self) -> None:
        self.lines = WholeLines()
        self.watch = Watch.__new__(Watch)
        self.resources: dict[str, Json] = {}

    def feed(self, piece: bytes) -> None:
        for line in bytes(self.lines.feed(piece)).splitlines():
            resource = self.watch.unmarshal_event(line, None)["raw_object"]
            self.resources["{}/{}".format(resource["metadata"]["namespace"], resource["metadata"]["name"])] = resource

    def kept(self) -> int:
        return len(self.resources)


CONTENDERS: dict[str, Callable[[], Ours | Reflector]] = {"ours": Ours, "kubespawner": Reflector}


def resident() -> int:
    """Bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def measure(name: str) -> dict[str, Any]:
    """Events a second of CPU time, and memory, of one contender in this process."""
    contender = CONTENDERS[name]()
    gc.collect()
    before = resident()
    for piece in pieces(0, True):
        contender.feed(piece)
    gc.collect()
    memory = resident() - before
    rates: dict[str, list[float]] = {"same": [], "changed": []}
    ready = True
    for round_ in range(1, 2 * ROUNDS + 1):
        kind = "changed" if round_ % 2 == 0 else "same"
        ready = ready if kind == "same" else not ready
        batch = list(pieces(round_ * PODS, ready))
        begun = time.process_time()
        for piece in batch:
            contender.feed(piece)
        rates[kind].append(PODS / (time.process_time() - begun))
    if contender.kept() != PODS:
        raise RuntimeError(f"{name} keeps {contender.kept()} pods of {PODS}")
    size = sum(map(len, batch)) / PODS
    return {"events_per_cpu_second": rates, "bytes_per_pod": memory / PODS, "line_bytes": size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", choices=CONTENDERS, help="measure one in this process, print JSON")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    raw = {}
    for name in CONTENDERS:
        # A process of its own for each: memory that one gave back to Python is not the other's.
        argv = [sys.executable, "-m", "benchmarks.watch", "--measure", name]
        raw[name] = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    lists = {"ours": 0, "kubespawner": "one each 10 s of quiet, or 30 s"}
    rows = [
        {
            "watch": name,
            **{
                f"events a CPU second, {kind}": round(summary(found["events_per_cpu_second"][short])["p50"])
                for short, kind in (("same", "nothing new"), ("changed", "each new"))
            },
            "KB a pod": round(found["bytes_per_pod"] / 1024, 2),
            "periodic lists": lists[name],
        }
        for name, found in raw.items()
    ]
    size = raw["ours"]["line_bytes"]
    notes = [f"an event is {size / 1024:.1f} KB of JSON; CPU time of one process, so other load matters less"]
    question = f"What do {PODS} pods of {TENANTS} tenants cost to watch?"
    Report("watch", question, rows, raw, notes, simulated=["the events: made, not recorded"]).finish()


if __name__ == "__main__":
    main()
