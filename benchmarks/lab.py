"""The panel in JupyterLab: what it adds to the start, how often it asks, what an hour with 10,000 jobs leaves behind.

Real Chromium, JupyterLab, service and database. The peer is the same JupyterLab without the extension, loaded in turn
in the same browser. The hour is one of the page's own clock, run as fast as its requests are answered.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, CDPSession, Page

from tests.browser.chromium import browser
from tests.lab.conftest import account
from tests.support.jupyterlab import CHECKOUT, Lab, in_thread, running_lab
from tests.support.many_jobs import many_jobs

from .frame import Report, summary

JOBS = 10_000
# Seconds of the page's clock between two polls while a job is under way; 720 of them are an hour.
_STEP = 5


@dataclass(frozen=True)
class Size:
    """How much is measured: starts of each kind, seconds of real time, polls of the hour."""

    starts: int
    idle: int
    hidden: int
    polls: int


WHOLE = Size(starts=20, idle=240, hidden=120, polls=720)
# To see that it works: its numbers are no result.
QUICK = Size(starts=2, idle=30, hidden=10, polls=48)
_HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
  Object.defineProperty(document, 'visibilityState', {value: hidden ? 'hidden' : 'visible', configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def main() -> None:
    """Measure and report. With --quick a tenth of it, to see that it works; that leaves no file in results."""
    words = argparse.ArgumentParser(description=main.__doc__)
    words.add_argument("--quick", action="store_true", help="two minutes instead of a quarter of an hour")
    quick = words.parse_args().quick
    size = QUICK if quick else WHOLE
    subprocess.run([sys.executable, str(CHECKOUT / "labextension/build.py")], check=True)
    report = Report(
        "lab",
        f"What the panel costs in JupyterLab, with {JOBS} jobs",
        simulated=[
            "the cluster and the hub are in memory",
            "the hour of polling is the page's own clock, moved on by 5 s as soon as a poll has been answered. Each of "
            "its 720 polls is a real request that the real service answers, and every timer of the page fires as in an "
            "hour. What piles up in a page piles up by polls and redraws, so a leak shows as in an hour; what the "
            "browser does by the wall's clock (throwing code away, for one) is left out",
            "the page is hidden by its own document.hidden: a browser without a screen has no window to cover",
        ],
        packages=("jupyterlab", "jupyter_server", "playwright"),
    )
    with tempfile.TemporaryDirectory() as folder, in_thread(many_jobs(Path(folder) / "service", JOBS)) as service:
        place, here = Path(folder), account(service.url)
        with (
            running_lab(place / "with", here) as panel,
            running_lab(place / "without", here, extension=False) as plain,
            browser() as context,
        ):
            starts(report, context, panel, plain, size)
            requests(report, context, panel, size)
            hour(report, context, panel, size)
        report.notes.append(f"Load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.")
        report.finish(*([place] if quick else []))


def starts(report: Report, context: BrowserContext, panel: Lab, plain: Lab, size: Size) -> None:
    """In turn, and each first as often as the other, so that both meet the same load; a first look at each fills the
    browser's cache."""
    found: dict[str, list[tuple[float, float]]] = {"with the panel": [], "without": []}
    pair = [("with the panel", panel), ("without", plain)]
    for number in range(size.starts + 1):
        for name, lab in pair if number % 2 else reversed(pair):
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


def requests(report: Report, context: BrowserContext, lab: Lab, size: Size) -> None:
    """With the panel closed, as most of the day, and with the page hidden."""
    page, asked = _open(context, lab)
    page.click("[data-id=aifactory-hub-panel]")
    page.wait_for_timeout(5_000)
    for what, hidden, seconds, goal in (("idle", False, size.idle, "<= 2"), ("hidden", True, size.hidden, "0")):
        page.evaluate(_HIDE, hidden)
        page.wait_for_timeout(2_000)
        asked.clear()
        page.wait_for_timeout(seconds * 1000)
        rate = round(len(asked) * 60 / seconds, 2)
        report.rows.append({"what": f"requests a minute, {what}", "n": seconds, "p50": rate, "goal": goal})
        report.raw[f"requests {what}"] = {"seconds": seconds, "requests": list(asked)}
    page.close()


def hour(report: Report, context: BrowserContext, lab: Lab, size: Size) -> None:
    """All jobs in the list, then an hour of asking every five seconds with one that runs."""
    page, asked = _open(context, lab, clock=True)
    session = context.new_cdp_session(page)
    session.send("Performance.enable")
    began = _in_use(session, lab)
    _load_all(page)
    drawn = page.locator(".aif-Row").count()
    before, kept = time.perf_counter(), [_in_use(session, lab)]
    asked.clear()
    for step in range(1, size.polls + 1):
        with page.expect_response("**/aifactory-hub/overview*"):
            page.clock.run_for(_STEP * 1000)
        if step % (size.polls // 8) == 0:
            kept.append(_in_use(session, lab))
    took, minutes = time.perf_counter() - before, size.polls * _STEP // 60
    report.raw["in use"] = {"at first": began, f"with {JOBS} jobs, then each eighth": kept}
    for name in began:
        row = {"with 100 jobs": began[name], f"with {JOBS}": kept[0][name], f"after {minutes} min": kept[-1][name]}
        report.rows.append({"what": name, **row})
    growth = kept[-1]["heap (MiB)"] - kept[1]["heap (MiB)"]
    report.notes.append(
        f"{drawn} rows are drawn of {JOBS}. {len(asked)} requests in {minutes} minutes of the page's clock, which took "
        f"{took:.0f} s. Heap from the first eighth to the last: {growth:+.1f} MiB."
    )
    page.close()


def _load_all(page: Page) -> None:
    rows = page.locator(".aif-Rows")
    while not page.locator(f"[aria-posinset='{JOBS}']").count():
        rows.evaluate("box => { box.scrollTop = box.scrollHeight; }")
        page.clock.run_for(50)


def _in_use(session: CDPSession, lab: Lab) -> dict[str, float]:
    """What a leak would let grow: the page's heap after its garbage has gone, its nodes and listeners, and the memory
    of the Jupyter server."""
    session.send("HeapProfiler.collectGarbage")
    heap: dict[str, Any] = session.send("Runtime.getHeapUsage")
    counted = {entry["name"]: entry["value"] for entry in session.send("Performance.getMetrics")["metrics"]}
    pages = int(Path(f"/proc/{lab.process.pid}/statm").read_text().split()[1])
    return {
        "heap (MiB)": round(float(heap["usedSize"]) / 2**20, 1),
        "DOM nodes": counted["Nodes"],
        "listeners": counted["JSEventListeners"],
        "Jupyter server (MiB)": round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1),
    }


if __name__ == "__main__":
    main()
