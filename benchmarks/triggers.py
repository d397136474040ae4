"""How fast deliveries of Git hosts are answered at 500 a second, and how long a push takes to its first step's run."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from aifactory_hub.domain.git_hooks import Provider
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.registry.model import GitConfig, Registry
from aifactory_hub.service.background.periodic import PeriodicTasks
from aifactory_hub.service.trigger_request_types import TriggerRequest
from tests.support.deliveries import BODIES, headers_of
from tests.support.fake_hub import FakeHub, scopes_for
from tests.support.job_service import RunningService, make_registry, running_service
from tests.support.pipelines import VERSION
from tests.support.repositories import Repository

from .frame import Report, percentile, summary

TRIGGERS = 50
PIPELINE = f"{VERSION}steps: {{a: {{profile: mig-1g.10gb, command: 'true'}}}}"


async def send(calls: list[tuple[str, dict[str, str], str]], rate: float, seconds: float) -> dict[str, Any]:
    """Deliveries at a steady rate, whether or not earlier ones are answered; milliseconds from when each was due."""
    took: list[float] = []
    statuses: dict[int, int] = {}
    connector = aiohttp.TCPConnector(limit=200)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(number: int, due: float) -> None:
            url, headers, body = calls[number % len(calls)]
            async with session.post(url, data=body.encode(), headers=headers) as answer:
                await answer.read()
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
            took.append((time.monotonic() - due) * 1000)

        tasks, began = [], time.monotonic() + 0.5
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.append(asyncio.create_task(one(number, due)))
        await asyncio.gather(*tasks)
    return {"took": took, "statuses": statuses}


def client() -> None:
    """The sender, in a process of its own: what to send comes on standard input."""
    asked = json.load(sys.stdin)
    print(json.dumps(asyncio.run(send(asked["calls"], asked["rate"], asked["seconds"]))))


async def deliveries(service: RunningService, rate: float, seconds: float) -> dict[str, Any]:
    """Answers to deliveries of many triggers, each signed; a body has 8 KB."""
    body = json.dumps({**BODIES[Provider.GITHUB], "filling": "x" * 7000})
    calls = []
    for number in range(TRIGGERS):
        request = TriggerRequest(key=str(number), url=f"https://git.invalid/a/{number}", provider=Provider.GITHUB)
        made = service.context.triggers.desk.make("ada", "nlp", request)
        assert not isinstance(made, Refusal), made
        secret = service.context.triggers.keys.secret(made[0])
        headers = headers_of(Provider.GITHUB, body.encode(), secret)
        calls.append((f"{service.url}hooks/{made[0].hook}", headers, body))
    argv = [sys.executable, "-m", "benchmarks.triggers", "--client"]
    process = await asyncio.create_subprocess_exec(*argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    asked = json.dumps({"calls": calls, "rate": rate, "seconds": seconds}).encode()
    began = time.process_time()
    output, _ = await process.communicate(asked)
    found: dict[str, Any] = json.loads(output)
    return {**found, "cpu_ms": (time.process_time() - began) * 1000 / len(found["took"])}


async def pushes(service: RunningService, repository: Repository, count: int) -> list[float]:
    """Seconds from the end of a push to the run of its first step, the quiet time of half a second included."""
    context = service.context
    request = TriggerRequest(
        key="local", url=str(repository.bare), provider=Provider.LOCAL, quiet=0.5, per_hour=1000, branches=["main"]
    )
    made = context.triggers.desk.make("ada", "nlp", request)
    assert not isinstance(made, Refusal), made
    calls = {"triggers": (1.0, context.triggers.tick), "pipelines": (1.0, context.pipelines.runner.tick)}
    tasks = [asyncio.create_task(PeriodicTasks(calls).run()), asyncio.create_task(context.reconciler.run())]
    took = []
    while (found := context.triggers.stored.get(made[0].id)) is None or found.watched_at is None:
        await asyncio.sleep(0.05)
    for number in range(count):
        before = len(service.engine.created)
        await asyncio.to_thread(repository.commit, {"a": str(number)})
        await asyncio.to_thread(repository.push)
        began = time.monotonic()
        # As a delivery does.
        context.triggers.stored.ring([made[0].id], now=context.clock())
        while len(service.engine.created) == before:
            await asyncio.sleep(0.01)
        took.append(time.monotonic() - began)
        last = service.engine.created[-1]
        service.engine.end(last.tenant, last.run_id, 0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await context.triggers.watcher.settle()
    return took


async def measure(report: Report, rate: float, seconds: float, count: int) -> None:
    """Both, in one service."""
    hub = FakeHub()
    hub.start()
    hub.add("ada", "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        repository = Repository.at(folder / "repositories")
        repository.commit({".aifactory/pipeline.yaml": PIPELINE})
        repository.push()
        git = GitConfig(hosts=("git.invalid",), folders=(str(repository.bare.parent),))

        def registry(url: str) -> Registry:
            return replace(make_registry(service=url), git=git)

        async with running_service(folder / "service", hub=hub, registry=registry, reconciling=False) as service:
            took = await pushes(service, repository, count)
            found = await deliveries(service, rate, seconds)
    await hub.stop()
    answered = found["took"]
    told = {**summary(answered), "p99": round(percentile(answered, 99), 2)}
    report.rows.append({"what": f"a delivery answered, {rate:.0f} a second, ms", **told})
    report.rows.append({"what": "from a push to the run of its first step, s", **summary(took)})
    report.notes.append(f"CPU time of the service for one delivery: {found['cpu_ms']:.2f} ms")
    report.notes.append(f"answers by status: {found['statuses']}; measured from when each delivery was due")
    report.raw |= {"delivery_ms": [round(each, 1) for each in answered[::10]], "push_s": took}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--client", action="store_true")
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--pushes", type=int, default=10)
    asked = parser.parse_args()
    if asked.client:
        client()
        return
    report = Report(
        "triggers",
        "How fast are deliveries answered, and how long does a push take to its first step?",
        simulated=["the cluster: the engine is in memory, so the run is there at once"],
        packages=("tornado", "sqlalchemy"),
    )
    asyncio.run(measure(report, asked.rate, asked.seconds, asked.pushes))
    report.finish()


if __name__ == "__main__":
    main()
