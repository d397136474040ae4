"""A sweep with metrics in the panel and in a cell, in real Chromium on the demo."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .chromium import picture
from .lab import CALL, SLICE, Demo, complaints, panel_of_ada, shown, side

pytestmark = pytest.mark.browser

# A cell that submits two jobs, which report for some seconds; the second one becomes NaN.
PROGRAM = """
import math, os, time
from aifactory_hub.client import report
rate = float(os.environ['RATE'])
for step in range(60):
    loss = math.exp(-rate * step / 10) if rate < 1 or step < 40 else math.nan
    report(step / 0.6, metrics={'loss': loss, 'accuracy': 1 - 0.9 * math.exp(-step / 20) * rate}, step=step * 50)
    time.sleep(0.2)
"""
CELL = f"""
from aifactory_hub.client import sweep
open('curve.py', 'w').write({PROGRAM!r})
runs = sweep('RATE={{rate}} python curve.py', {{'rate': [0.5, 1.0]}}, profile='{SLICE}', name='curve')
runs
"""


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    """ada's JupyterLab with the panel open."""
    with panel_of_ada(demo) as found:
        yield found


def _theme(page: Page, name: str) -> None:
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu-item[data-type=submenu]", has_text=re.compile("^Theme$")).click()
    page.locator(".lm-Menu-item", has_text=re.compile(f"^{name}$")).click()
    page.wait_for_timeout(500)


def _run(page: Page, source: str) -> None:
    plain: dict[str, object] = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": []}
    cell = {**plain, "execution_count": None, "source": source}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": [cell]}
    body = {"type": "file", "format": "text", "content": json.dumps(content)}
    assert page.evaluate(CALL, ["PUT", "api/contents/runs.ipynb", body])["status"] == 201
    side(page, "filebrowser")
    page.locator(".jp-DirListing-item", has_text="runs.ipynb").dblclick()
    expect(page.locator(".jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator")).to_have_attribute(
        "data-status", "idle"
    )
    side(page, "aifactory-hub-panel")
    notebook = page.locator(".jp-NotebookPanel:visible")
    notebook.locator(".jp-InputArea-editor").first.click()
    # A kernel that says that it is idle may still be about to be connected; what is run then is dropped.
    while "[ ]" in notebook.locator(".jp-InputPrompt").first.inner_text():
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator(".lm-Menu-item[data-command='runmenu:run-all']").click()
        page.wait_for_timeout(2_000)


def test_a_sweep_of_a_cell_is_in_the_panel_at_once_and_its_table_is_live(page: Page) -> None:
    asked: list[float] = []
    page.on("request", lambda request: asked.append(time.monotonic()) if "/aifactory-hub/" in request.url else None)
    _run(page, CELL)
    output = page.locator(".jp-NotebookPanel:visible .jp-OutputArea")
    expect(output.locator("table")).to_contain_text("rate")
    submitted = time.monotonic()
    expect(page.locator(".aif-Row", has_text="curve [rate=1.0]")).to_be_visible()
    assert time.monotonic() - submitted < 2.5
    expect(output.locator("table")).to_contain_text("loss")
    picture(page, "lab-sweep-cell", full=False)


def test_a_job_s_tab_draws_its_metrics_while_it_runs(page: Page) -> None:
    page.locator(".aif-Row", has_text="curve [rate=0.5]").click()
    job = shown(page, ".aif-Job")
    charts = job.locator(".aif-Curve")
    expect(charts).to_have_count(2)
    first = charts.nth(1).locator("path").get_attribute("d") or ""
    expect(job).to_contain_text("Succeeded")
    expect(charts.nth(1).locator("path")).not_to_have_attribute("d", first)
    expect(page.locator(".aif-Row", has_text="curve [rate=0.5]")).to_contain_text("loss 0.0523")
    plot = charts.nth(1).locator(".aif-Curve-plot")
    plot.focus()
    page.keyboard.press("End")
    expect(charts.nth(1).locator(".aif-Curve-reading")).to_contain_text("Step 2950")
    job.get_by_label("Logarithmic").check()
    job.get_by_text("The points as a table").click()
    expect(job.locator("table caption").first).to_contain_text("accuracy, attempt 1")
    job.get_by_text("The points as a table").click()
    picture(page, "lab-metrics", full=False)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_a_sweep_is_compared(page: Page, theme: str) -> None:
    _theme(page, theme)
    if theme == "JupyterLab Light":
        shown(page, ".aif-Job").get_by_role("button", name="Compare the sweep").click()
    runs = shown(page, ".aif-Runs")
    expect(runs.locator("tbody tr")).to_have_count(2)
    expect(runs).to_contain_text("NaN")
    expect(runs.locator(".aif-Curve").nth(1).locator("path")).to_have_count(2)
    expect(runs).to_contain_text("20 points are not drawn: they are NaN or infinite")
    runs.locator(".aif-Curve-plot").nth(0).hover(position={"x": 200, "y": 60})
    expect(runs.locator(".aif-Curve-reading").nth(0)).to_contain_text("curve [rate=1.0]")
    picture(page, "lab/runs" if theme.endswith("Light") else "lab/runs-dark", full=False)
    assert complaints(page, ".aif-Runs:visible", ".aif-Panel") == []


def test_the_table_is_sorted_filtered_and_saved(page: Page) -> None:
    runs = shown(page, ".aif-Runs")
    runs.get_by_role("button", name="accuracy").click()
    expect(runs.get_by_role("columnheader", name="accuracy")).to_have_attribute("aria-sort", "ascending")
    expect(runs.locator("tbody th").first).to_have_text("curve [rate=1.0]")
    runs.get_by_role("searchbox").fill("rate<1")
    expect(runs.locator("tbody tr")).to_have_count(1)
    expect(runs).to_contain_text("1 of 2 jobs")
    with page.expect_download() as waiting:
        runs.get_by_role("button", name="Save as CSV").click()
    text = Path(waiting.value.path()).read_text()
    assert text.splitlines()[0] == "Name,State,Profile,rate,loss,accuracy"
    assert text.count("\n") == 2
    runs.get_by_role("searchbox").fill("")
    runs.get_by_label("Draw curve [rate=1.0]").uncheck()
    expect(runs.locator(".aif-Curve").nth(0).locator("path")).to_have_count(1)


def test_with_nothing_under_way_it_asks_twice_a_minute(page: Page) -> None:
    asked: list[str] = []
    page.wait_for_timeout(6_000)
    page.on("request", lambda request: asked.append(request.url) if "/aifactory-hub/" in request.url else None)
    page.wait_for_timeout(60_000)
    assert len(asked) <= 3, asked
