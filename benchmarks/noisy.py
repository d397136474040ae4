"""A hundred quiet members beside a noisy one: what they wait for, with and without the noise.

    python -m benchmarks.noisy                 # all attacks, several minutes
    python -m benchmarks.noisy --seconds 3 --rounds 2 --attacks streams half-requests

For each attack a service of its own is started. Phases with and without the noise alternate, so that whatever else
happens on the machine meets both. The service, the quiet members and the noisy one are three processes; the noisy one
yields to the others (nice), so that it takes the service's time and not the machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from .frame import Report, percentile
from .noisy_attacks import ATTACKS, run_attack

MEMBERS = 100
# Each quiet member asks something once in so many seconds, on average.
PAUSE = 2.0
GOAL = 1.5
# The limit of the manifest (charts/aifactory-hub/values.yaml), in MiB.
MEMORY_LIMIT = 1024
# What does not answer within this many seconds counts as this long.
TIMEOUT = 10.0
_SETTLE = 1.0


@dataclass
class Service:
    """The service under test."""

    url: str
    process: subprocess.Popen[str]

    def memory(self) -> int:
        """The most that it has held, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) // 1024


@dataclass
class Waits:
    """What quiet members waited for, in ms, and how many requests did not succeed."""

    times: list[float] = field(default_factory=list)
    failed: int = 0


@contextmanager
def running(folder: Path) -> Iterator[Service]:
    """A service with its members, in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.noisy", "--serve", str(folder)]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(folder / "log").open("w"), text=True
    )
    assert process.stdout is not None
    try:
        yield Service(json.loads(process.stdout.readline())["url"], process)
    finally:
        process.kill()
        process.wait()


@contextmanager
def noise(service: Service, attack: str) -> Iterator[None]:
    """The noisy member at work."""
    words = [sys.executable, "-m", "benchmarks.noisy", "--attack", attack, "--url", service.url]
    process = subprocess.Popen(words, preexec_fn=lambda: os.nice(19))
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def serve(folder: Path) -> None:
    """The service, until its parent ends it."""
    from aifactory_hub.service.executors import let_the_event_loop_go_first
    from aifactory_hub.service.gc_tuning import leave_out_what_is_there
    from tests.support.fake_hub import FakeHub, scopes_for
    from tests.support.job_service import running_service

    hub = FakeHub()
    hub.start()
    for number in range(MEMBERS):
        hub.add(f"quiet{number}", f"quiet{number}", scopes_for("nlp"), groups=["tenant-nlp"])
    hub.add("noisy", "noisy", scopes_for("vision"), groups=["tenant-vision"])
    async with running_service(folder, hub=hub, tick=1.0, quiet=30.0) as service:
        leave_out_what_is_there()
        let_the_event_loop_go_first()
        print(json.dumps({"url": service.url}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    await hub.stop()


async def quiet_members(service: Service, seconds: float, waits: Waits) -> None:
    """All of them, asking what people and their notebooks ask."""
    limits = httpx.Limits(max_connections=MEMBERS, max_keepalive_connections=MEMBERS)
    async with httpx.AsyncClient(
        base_url=f"{service.url}api/v1", timeout=TIMEOUT, trust_env=False, limits=limits
    ) as http:
        until = time.monotonic() + seconds
        await asyncio.gather(*(_member(http, number, until, waits) for number in range(MEMBERS)))


async def _member(http: httpx.AsyncClient, number: int, until: float, waits: Waits) -> None:
    chance = random.Random(number)  # noqa: S311
    headers = {"Authorization": f"token quiet{number}"}
    job = {"command": "true", "profile": "mig-1g.10gb"}
    await asyncio.sleep(chance.random() * PAUSE)
    while time.monotonic() < until:
        kind, began = chance.random(), time.perf_counter()
        try:
            if kind < 0.1:
                key = f"{number}-{time.monotonic_ns()}"
                answer = await http.post("/jobs", json={**job, "key": key}, headers=headers)
            elif kind < 0.2:
                answer = await http.post("/jobs/dry-run", json=job, headers=headers)
            else:
                answer = await http.get("/quota" if kind < 0.3 else "/jobs?limit=20", headers=headers)
            ok = answer.status_code < 400
        except httpx.HTTPError:
            ok = False
        waits.times.append((time.perf_counter() - began) * 1000 if ok else TIMEOUT * 1000)
        waits.failed += not ok
        await asyncio.sleep(chance.uniform(0.5, 1.5) * PAUSE)


def measure(report: Report, attack: str, *, seconds: float, rounds: int) -> None:
    """One attack on a service of its own."""
    without, with_noise = Waits(), Waits()
    with tempfile.TemporaryDirectory() as text, running(Path(text)) as service:
        asyncio.run(quiet_members(service, 2.0, Waits()))  # warm
        before = service.memory()
        for _ in range(rounds):
            asyncio.run(quiet_members(service, seconds, without))
            with noise(service, attack):
                time.sleep(_SETTLE)
                asyncio.run(quiet_members(service, seconds, with_noise))
            time.sleep(_SETTLE)
        memory = service.memory()
    report.rows.append(row(attack, without, with_noise, before, memory))
    report.raw[attack] = {
        "without": [round(each, 1) for each in without.times],
        "with": [round(each, 1) for each in with_noise.times],
    }


def row(attack: str, without: Waits, with_noise: Waits, before: int, memory: int) -> dict[str, object]:
    """What is told of one attack; times in ms, memory in MiB."""
    quiet, noisy = percentile(without.times, 99), percentile(with_noise.times, 99)
    return {
        "attack": attack,
        "p50 without": round(percentile(without.times, 50), 1),
        "p99 without": round(quiet, 1),
        "p50 with": round(percentile(with_noise.times, 50), 1),
        "p99 with": round(noisy, 1),
        "ratio p99": round(noisy / quiet, 2),
        "goal": f"<= {GOAL}",
        "failed": f"{with_noise.failed} of {len(with_noise.times)}",
        "memory": f"{before} -> {memory} of {MEMORY_LIMIT}",
        # Of the last minute: what else the machine did is part of every time.
        "load": round(os.getloadavg()[0], 1),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark, or one of its processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each phase")
    parser.add_argument("--rounds", type=int, default=3, help="phases with and without the noise, in turn")
    parser.add_argument("--attacks", nargs="*", choices=list(ATTACKS), default=list(ATTACKS))
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--attack", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve is not None:
        asyncio.run(serve(options.serve))
        return
    if options.attack is not None:
        asyncio.run(run_attack(options.attack, options.url))
        return
    question = f"What do {MEMBERS} quiet members wait for beside a noisy one (ms, MiB)?"
    report = Report("noisy", question, simulated=["the hub's answers", "the cluster"], packages=("tornado", "pydantic"))
    report.notes.append(f"{options.rounds} rounds of {options.seconds:g} s with and without the noise, in turn")
    for attack in options.attacks:
        measure(report, attack, seconds=options.seconds, rounds=options.rounds)
        print(_words(report.rows[-1]), flush=True)
    report.finish()


def _words(told: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in told.items())


if __name__ == "__main__":
    main()
