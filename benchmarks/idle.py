"""Idle servers: how many that are used are stopped, of a million, and how long a look at 10,000 servers takes.

The servers are made by chance, each with the truth about it: ``tests/support/idle_traces.py``. A look reads the ledger
(SQLite on this disk) and decodes Prometheus' answers as they come from the wire; nothing is sent over a network.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from aifactory_hub.domain.idle import Report as Said
from aifactory_hub.domain.idle import judge, may_stop
from aifactory_hub.domain.idle_ladder import IdleRules
from aifactory_hub.domain.names import server_id
from aifactory_hub.domain.pod_samples import PodPlace, PodSamples, Reading, Series, samples_of
from aifactory_hub.domain.usage import Attribution, FactKind, Possession, Source, UsageFact
from aifactory_hub.registry.model import IdleConfig
from aifactory_hub.service.idle.activity import ServerKey
from aifactory_hub.service.idle.watch import IdleWatch
from aifactory_hub.store import migrate, open_db
from aifactory_hub.store.idle_acts import IdleActs
from aifactory_hub.store.ledger import Ledger
from aifactory_hub.telemetry.prometheus import read_answer
from tests.support.idle_traces import AFTER, NOW, traces

from .frame import Report, summary

TRACES, SERVERS, ROUNDS = 1_000_000, 10_000, 5
TARGETS = {"used and stopped": 0, "a look, s": 2.0}
_VALUES = {"count": "91", "engine": "0.001", "engine_high": "0.001", "dram": "0", "memory": "12582912"}
_POD_VALUES = {"cpu": "0.01", "pod_memory": "1e9"}


def judged(count: int) -> dict[str, Any]:
    """Of ``count`` servers: how many are busy, idle and unknown, and how many are stopped that are used."""
    found: Counter[str] = Counter()
    began, spent = time.perf_counter(), 0.0
    for each in traces(seed=1, count=count):
        start = time.perf_counter()
        verdict = judge(each.seen, after=AFTER, now=NOW)
        stopped = may_stop(each.seen, verdict, NOW)
        spent += time.perf_counter() - start
        found[type(verdict).__name__.lower()] += 1
        found["used and stopped"] += each.used and stopped
        found["unused and stopped"] += stopped and not each.used
        found["unused"] += not each.used
    return {**found, "us a server": round(spent / count * 1e6, 1), "s": round(time.perf_counter() - began, 1)}


class Answers:
    """Prometheus' answers about all servers, as bytes."""

    def __init__(self, count: int) -> None:
        labels = [_labels(number) for number in range(count)]
        self._content = {name: _answer(labels, value) for name, value in _VALUES.items()}
        pods = [{name: each[name] for name in ("namespace", "pod")} for each in labels]
        self._content |= {name: _answer(pods, value) for name, value in _POD_VALUES.items()}
        gpus = [{"UUID": f"GPU-{number}"} for number in range(count // 7 + 1)]
        self._content |= {name: _answer(gpus, "0") for name in ("xid", "cut_known")}
        self._content["up"] = _answer([{"instance": f"node-{number}:9400"} for number in range(count // 50 + 1)], "1")

    async def read(self, pods: Mapping[str, PodPlace], after: float) -> Mapping[str, PodSamples]:
        """See Telemetry."""
        return await asyncio.to_thread(self._read, pods)

    def _read(self, pods: Mapping[str, PodPlace]) -> Mapping[str, PodSamples]:
        fields = {
            name: [Series(labels, value) for labels, value in read_answer(200, content)]
            for name, content in self._content.items()
        }
        return samples_of(Reading(expected=92, **fields), pods)

    async def close(self) -> None:
        """Nothing is open."""


def _labels(number: int) -> dict[str, str]:
    return {
        "UUID": f"GPU-{number // 7}",
        "instance": f"node-{number // 50}:9400",
        "GPU_I_ID": str(number % 7),
        "GPU_I_PROFILE": "1g.10gb",
        "exported_namespace": "vc-nlp",
        "exported_pod": f"nb-{number}",
        "namespace": "vc-nlp",
        "pod": f"nb-{number}",
    }


def _answer(labels: list[dict[str, str]], value: str) -> bytes:
    result = [{"metric": each, "value": [1.0, value]} for each in labels]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


async def looks(folder: Path, count: int, rounds: int) -> list[tuple[float, float]]:
    """Seconds, and of them of the processor, of each look at ``count`` servers.

    All are idle: the first writes a notice for each.
    """
    db = open_db(f"sqlite:///{folder}/service.sqlite")
    migrate(db)
    ledger, names = Ledger(db), [f"user-{number}" for number in range(count)]
    ledger.append([_bound(number, name) for number, name in enumerate(names)])
    config = IdleConfig(IdleRules())
    watch = IdleWatch(
        lambda: config,
        ledger,
        lambda holds: {hold.pod: PodPlace("vc-nlp", hold.possession.name) for hold in holds},
        Answers(count),
        IdleActs(db),
        None,
        lambda: NOW,
    )
    for name in names:
        watch.activity.take(
            ServerKey(name, ""), Said("lab", busy=False, last_used=0.0, received_at=NOW - 3000, since=0)
        )
        watch.activity.take(ServerKey(name, ""), Said("lab", busy=False, last_used=0.0, received_at=NOW - 5, since=0))
    taken = []
    for _ in range(rounds):
        start, spent = time.perf_counter(), time.process_time()
        await watch.tick()
        taken.append((time.perf_counter() - start, time.process_time() - spent))
    assert sum(each.place.stop_at is not None for each in watch.seen.values()) == count
    db.dispose()
    return taken


def _bound(number: int, name: str) -> UsageFact:
    whose = Possession(
        "nlp",
        name,
        "mig-1g.10gb",
        "server",
        server_id(name, ""),
        f"nb-{number}",
        devices={"h100/mig-1g.10gb": 1},
        gpus=Fraction(1, 7),
        attribution=Attribution.TICKET,
    )
    start = int(NOW) - 36_000
    return UsageFact.exact(f"pod-{number}", FactKind.BOUND, Source.WATCH, start, start, possession=whose)


def main() -> None:
    """Both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=TRACES)
    parser.add_argument("--servers", type=int, default=SERVERS)
    asked = parser.parse_args()
    told = judged(asked.traces)
    with tempfile.TemporaryDirectory() as folder:
        taken = asyncio.run(looks(Path(folder), asked.servers, ROUNDS))
    report = Report(
        "idle",
        "How many used servers are stopped, and how long does a look take?",
        simulated=["servers, their reports and samples of GPUs"],
        packages=("msgspec", "SQLAlchemy"),
    )
    report.rows = [
        {"what": f"{asked.traces} servers judged", **told},
        {"what": f"first look at {asked.servers} servers, a notice for each, s", "p50": round(taken[0][0], 2)},
        {"what": f"later looks at {asked.servers} servers, s", **summary([each for each, _ in taken[1:]])},
        {"what": "of it of the processor, s", **summary([spent for _, spent in taken[1:]])},
    ]
    report.raw = {"looks": taken}
    report.notes = [f"target: {name} <= {target}" for name, target in TARGETS.items()]
    report.finish()


if __name__ == "__main__":
    main()
