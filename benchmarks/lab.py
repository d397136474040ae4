"""The panel in JupyterLab: what it adds to the start, how often it asks, what an hour with 10,000 jobs leaves behind.

Real Chromium, JupyterLab, service and database. The peer is the same JupyterLab without the extension, loaded in turn
in the same browser. The hour is one of the page's own clock, run as fast as its requests are answered.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, CDPSession, Page
from sqlalchemy import insert

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.store import JobRecord
from aifactory_hub.store.jobs import row_values
from aifactory_hub.store.models import JobRow
from tests.browser.chromium import browser
from tests.lab.conftest import HUB_TOKEN, account
from tests.support.fake_hub import FakeHub, scopes_for
from tests.support.job_service import RunningService, running_service
from tests.support.jupyterlab import CHECKOUT, Lab, in_thread, running_lab

from .frame import Report, summary

JOBS = 10_000
ROUNDS = 7
# Seconds of real time.
_IDLE, _HIDDEN = 120, 60
# Of the page's clock: an hour in the panel's steps while a job is under way.
_STEP, _STEPS = 5, 720
_HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
  Object.defineProperty(document, 'visibilityState', {value: hidden ? 'hidden' : 'visible', configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def main() -> None:
    """Measure and report."""
    subprocess.run([sys.executable, str(CHECKOUT / "labextension/build.py")], check=True)
    report = Report(
        "lab",
        f"What the panel costs in JupyterLab, with {JOBS} jobs",
        simulated=["the cluster and the hub are in memory; the hour of polling is the page's clock, run faster"],
        packages=("jupyterlab", "jupyter_server", "playwright"),
    )
    with tempfile.TemporaryDirectory() as folder, in_thread(many_jobs(Path(folder) / "service")) as service:
        place, here = Path(folder), account(service.url)
        with (
            running_lab(place / "with", here) as panel,
            running_lab(place / "without", here, extension=False) as plain,
            browser() as context,
        ):
            starts(report, context, panel, plain)
            requests(report, context, panel)
            hour(report, context, panel)
    report.finish()


@asynccontextmanager
async def many_jobs(folder: Path) -> AsyncIterator[RunningService]:
    """A service with that many jobs of ada's; the newest says that it runs."""
    hub = FakeHub()
    hub.start()
    hub.add(HUB_TOKEN, "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    try:
        async with running_service(folder, hub=hub, reconciling=False) as service:
            rows = [{**row_values(_job(n)), "journaled": 1} for n in range(JOBS)]
            with service.context.jobs.engine.begin() as connection:
                connection.execute(insert(JobRow), rows)
            yield service
    finally:
        await hub.stop()


def _job(number: int) -> JobRecord:
    at = 1.7e9 + number
    ended = JobRecord(
        id=f"j{number:012x}",
        tenant="nlp",
        owner="ada",
        name=f"train-{number % 97}",
        command="python train.py --learning-rate 0.001",
        profile="mig-1g.10gb",
        key=f"k{number}",
        request_digest="d" * 64,
        submitted_at=at,
        state=JobState.SUCCEEDED,
        finished_at=at + 60,
        cleaned_at=at + 60,
    )
    last = number == JOBS - 1
    return replace(ended, state=JobState.RUNNING, finished_at=None, cleaned_at=None) if last else ended


def starts(report: Report, context: BrowserContext, panel: Lab, plain: Lab) -> None:
    """In turn, so that both meet the same load; a first look at each fills the browser's cache."""
    found: dict[str, list[tuple[float, float]]] = {"with the panel": [], "without": []}
    for number in range(ROUNDS + 1):
        for name, lab in (("with the panel", panel), ("without", plain)):
            took = _start(context, lab)
            if number:
                found[name].append(took)
    for index, what in ((0, "page ready (ms)"), (1, "CPU of the page's main thread (ms)")):
        numbers = {name: [took[index] for took in taken] for name, taken in found.items()}
        for name, values in numbers.items():
            report.rows.append({"what": f"start, {name}: {what}", **summary(values, digits=0)})
            report.raw[f"start {name} {what}"] = values
        differences = [a - b for a, b in zip(numbers["with the panel"], numbers["without"], strict=True)]
        row = {"what": f"added to the start: {what}", **summary(differences, digits=0)}
        report.rows.append({**row, "goal": "p50 <= 100"})


def _start(context: BrowserContext, lab: Lab) -> tuple[float, float]:
    page = context.new_page()
    try:
        session = context.new_cdp_session(page)
        session.send("Performance.enable")
        page.goto(f"{lab.url}&reset", wait_until="commit")
        page.wait_for_selector(".jp-Launcher", timeout=120_000)
        ready = float(page.evaluate("performance.now()"))
        metrics = {entry["name"]: entry["value"] for entry in session.send("Performance.getMetrics")["metrics"]}
        return ready, metrics["TaskDuration"] * 1000
    finally:
        page.close()


def _open(context: BrowserContext, lab: Lab, *, clock: bool = False) -> tuple[Page, list[str]]:
    """Its page with the panel shown, and the requests of ours that it makes from now on."""
    page, asked = context.new_page(), list[str]()
    if clock:
        page.clock.install()
    page.set_default_timeout(120_000)
    page.on("request", lambda request: asked.append(request.url) if "/aifactory-hub/" in request.url else None)
    page.goto(lab.url)
    page.wait_for_selector(".jp-Launcher")
    tab = page.locator("[data-id=aifactory-hub-panel]")
    if tab.get_attribute("aria-selected") != "true":
        tab.click()
    page.wait_for_selector(".aif-Row")
    return page, asked


def requests(report: Report, context: BrowserContext, lab: Lab) -> None:
    """With the panel closed, as most of the day, and with the page hidden."""
    page, asked = _open(context, lab)
    page.click("[data-id=aifactory-hub-panel]")
    page.wait_for_timeout(5_000)
    for what, hidden, seconds, goal in (("idle", False, _IDLE, "<= 2"), ("hidden", True, _HIDDEN, "0")):
        page.evaluate(_HIDE, hidden)
        page.wait_for_timeout(2_000)
        asked.clear()
        page.wait_for_timeout(seconds * 1000)
        rate = round(len(asked) * 60 / seconds, 2)
        report.rows.append({"what": f"requests a minute, {what}", "n": seconds, "p50": rate, "goal": goal})
        report.raw[f"requests {what}"] = {"seconds": seconds, "requests": list(asked)}
    page.close()


def hour(report: Report, context: BrowserContext, lab: Lab) -> None:
    """All jobs in the list, then an hour of asking every five seconds with one that runs."""
    page, asked = _open(context, lab, clock=True)
    session = context.new_cdp_session(page)
    began = _heap(session)
    rows = page.locator(".aif-Rows")
    while True:
        rows.evaluate("box => { box.scrollTop = box.scrollHeight; }")
        page.clock.run_for(200)
        page.wait_for_load_state("networkidle")
        if page.locator(f"[aria-posinset='{JOBS}']").count():
            break
    drawn = page.locator(".aif-Row").count()
    full, before, heaps = _heap(session), time.perf_counter(), []
    for step in range(_STEPS):
        with page.expect_response("**/aifactory-hub/overview*"):
            page.clock.run_for(_STEP * 1000)
        if step % 90 == 89:
            heaps.append(round(_heap(session), 1))
    took = time.perf_counter() - before
    report.raw["heap (MiB)"] = {"at first": began, f"with {JOBS} jobs": full, "each 7.5 minutes": heaps}
    what = f"heap of the page (MiB): with 100 jobs, with {JOBS}, after the hour"
    report.rows.append({"what": what, "n": len(asked), "p50": round(began, 1), "p95": round(full, 1), "max": heaps[-1]})
    report.notes.append(
        f"{drawn} rows are drawn of {JOBS}. {_STEPS} polls of the hour took {took:.0f} s. Growth from the first eighth "
        f"of the hour to its end: {heaps[-1] - heaps[0]:+.1f} MiB. Requests in the last line's n."
    )
    page.close()


def _heap(session: CDPSession) -> float:
    """MiB in use after the garbage has been taken away."""
    session.send("HeapProfiler.collectGarbage")
    found: dict[str, Any] = session.send("Runtime.getHeapUsage")
    return float(found["usedSize"]) / 2**20


if __name__ == "__main__":
    main()
