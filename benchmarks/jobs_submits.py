"""How fast a job is taken in: from the request to the answer, which comes when it is in the database."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import httpx

from tests.support.uploads import send_files

from .frame import Report, percentile, summary
from .jobs_peers import Contender, cpu_seconds, dask_gateway, jupyter_scheduler, ours

# Turns that the contenders take one after the other, and how many submissions each makes in all, by clients at once.
_TURNS = 3
_COUNTS = {1: (300, 60), 50: (1500, 150)}
_WITH_ITS_PROCESS = 10


@dataclass
class SubmitResult:
    """What was measured of one: ``seconds`` is the clock's, of all turns together."""

    times: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0


def measure(report: Report, scale: float, before: Path | None) -> None:
    """With one client and with 50, each in turn; ``scale`` makes it shorter. With the checkout ``before`` it is ours
    beside that one's, and nothing else."""
    with tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        folder = Path(text)
        running = {"ours": stack.enter_context(ours(folder / "ours"))}
        if before is not None:
            running["ours, before"] = stack.enter_context(ours(folder / "before", checkout=before))
        else:
            running |= _with_peers(running["ours"], folder, stack)
        for clients, (mine, theirs) in _COUNTS.items():
            counts = {
                name: max(clients, round((mine if name.startswith("ours") else theirs) * scale)) for name in running
            }
            asyncio.run(_in_turns(report, running, clients, counts))
    if before is None:
        _with_its_process(report, scale)


def _with_peers(mine: Contender, folder: Path, stack: ExitStack) -> dict[str, Contender]:
    return {
        "ours, with files": _with_files(mine, asyncio.run(_send(mine))),
        "jupyter-scheduler, no process started": stack.enter_context(jupyter_scheduler(folder / "scheduler")),
        "dask-gateway, no cluster started": stack.enter_context(dask_gateway(folder / "gateway")),
    }


def _with_its_process(report: Report, scale: float) -> None:
    with tempfile.TemporaryDirectory() as text, jupyter_scheduler(Path(text) / "scheduler", starts=True) as whole:
        count = max(2, round(_WITH_ITS_PROCESS * scale))
        asyncio.run(_in_turns(report, {"jupyter-scheduler": whole}, 1, {"jupyter-scheduler": count}))


async def _send(contender: Contender) -> str:
    """Files for its jobs to run with; what they are named by."""
    base, team = contender.submit_url.removesuffix("/jobs"), {"tenant": contender.body()["tenant"]}
    async with httpx.AsyncClient(base_url=base, headers=contender.headers, params=team, trust_env=False) as http:
        return await send_files(http, {"train.py": b"print(1)"})


def _with_files(contender: Contender, digest: str) -> Contender:
    return replace(contender, body=lambda: {**contender.body(), "files": digest})


async def _in_turns(report: Report, running: dict[str, Contender], clients: int, counts: dict[str, int]) -> None:
    found = {name: SubmitResult() for name in running}
    for contender in running.values():
        await _submit(contender, clients, clients, SubmitResult())  # warm
    for _ in range(_TURNS):
        for name, contender in running.items():
            await _submit(contender, clients, max(clients, counts[name] // _TURNS), found[name])
    for name, taken in found.items():
        what = f"submit, {clients} client{'s' * (clients > 1)}, {name} (ms)"
        _tell(report, what, taken, goal=name.startswith("ours"))


async def _submit(contender: Contender, clients: int, count: int, taken: SubmitResult) -> None:
    connector = aiohttp.TCPConnector(limit=clients)
    timeout = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(connector=connector, headers=contender.headers, timeout=timeout) as http:

        async def client() -> None:
            for _ in range(count // clients):
                began = time.perf_counter()
                async with http.post(contender.submit_url, json=contender.body()) as answer:
                    text = await answer.text()
                    assert answer.status in (200, 201), text
                taken.times.append((time.perf_counter() - began) * 1000)

        cpu, began = cpu_seconds(contender.process.pid), time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        taken.seconds += time.perf_counter() - began
        taken.cpu += cpu_seconds(contender.process.pid) - cpu


def _tell(report: Report, what: str, taken: SubmitResult, *, goal: bool) -> None:
    many = len(taken.times)
    row = {"what": what, **summary(taken.times), "p99": round(percentile(taken.times, 99), 1)}
    row |= {"a second": round(many / taken.seconds, 1), "CPU ms each": round(taken.cpu / many * 1000, 2)}
    report.rows.append(row | ({"goal": "500 a second, p99 <= 50"} if goal else {}))
    report.raw[what] = [round(t, 1) for t in taken.times]
