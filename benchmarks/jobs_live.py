"""What 10,000 jobs that only run cost: memory and CPU of the whole service, and what of it is the queue of due jobs."""

from __future__ import annotations

import asyncio
import tempfile
import time
import tracemalloc
from contextlib import ExitStack
from pathlib import Path

from aifactory_hub.admission.in_process import InProcessAdmission
from aifactory_hub.engines.memory import MemoryEngine
from tests.support.job_service import Folder, make_context, make_registry

from .frame import Report, summary
from .jobs_peers import cpu_seconds, ours, resident_mib
from .jobs_service import fill_running

LIVE = 10_000
# Every job is looked at twice until its team is heard: within a minute where nothing else runs. In seconds.
_SETTLE, _WATCH = 150.0, 60.0


def memory(report: Report, scale: float, before: Path | None) -> None:
    """The same service with no job and with many, and that of the checkout ``before`` with as many, at the same time;
    ``scale`` scales the jobs and the time."""
    live = round(LIVE * scale)
    with tempfile.TemporaryDirectory() as text:
        folder, checkouts = Path(text), {"": None} if before is None else {"": None, ", before": before}
        with ExitStack() as stack:
            started = {"no job": stack.enter_context(ours(folder / "idle", "--live", "0"))}
            for suffix, checkout in checkouts.items():
                busy = ours(folder / f"busy{suffix}", "--live", str(live), checkout=checkout)
                started[f"{live} running jobs{suffix}"] = stack.enter_context(busy)
            time.sleep(_SETTLE * scale)
            pids = {name: contender.process.pid for name, contender in started.items()}
            used, began = {name: cpu_seconds(pid) for name, pid in pids.items()}, time.perf_counter()
            time.sleep(_WATCH * scale)
            took = time.perf_counter() - began
            for name, pid in pids.items():
                cpu = (cpu_seconds(pid) - used[name]) / took * 100
                mib = {"n": 1, "p50": round(resident_mib(pid), 1)}
                report.rows.append({"what": f"whole service, {name}: resident memory (MiB)", **mib})
                report.rows.append({"what": f"whole service, {name}: of one core (%)", "n": 1, "p50": round(cpu, 2)})


def due_jobs(report: Report, scale: float, _before: Path | None) -> None:
    """A pass in which nothing is due, one over all of them, and the memory of the queue of due jobs."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_agenda(report, Path(folder), round(LIVE * scale)))


async def _agenda(report: Report, folder: Path, live: int) -> None:
    registry = make_registry()
    context = make_context(Folder(folder), registry, InProcessAdmission(registry.tenants), MemoryEngine())
    fill_running(context.jobs.db, live)
    reconciler = context.reconciler
    tracemalloc.start()
    await reconciler._compare()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    for one in reconciler._due_jobs.values():
        for job_id in one.jobs():
            one.put(job_id, float("inf"))
    idle, whole = [], []
    for _ in range(20):
        began = time.process_time()
        for tenant in reconciler._due_jobs:
            await reconciler._pass(tenant)
        idle.append((time.process_time() - began) * 1000)
    for _ in range(2):
        began = time.process_time()
        await asyncio.to_thread(context.jobs.live)
        whole.append((time.process_time() - began) * 1000)
    context.jobs.close()
    name = f"{live} running jobs"
    report.rows.append({"what": f"a tick, {name}, nothing due (CPU ms)", **summary(idle)})
    report.rows.append({"what": f"reading all {live}, as each tick did before (CPU ms)", **summary(whole)})
    report.rows.append({"what": f"memory of the due_jobs of {name} (MiB)", "n": 1, "p50": round(held / 2**20, 2)})
