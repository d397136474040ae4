"""The panel with 10,000 jobs, in real Chromium: real JupyterLab, service and rows of its database."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import CDPSession, Locator, Page, expect

from ..lab.conftest import account
from ..support.jupyterlab import CHECKOUT, in_thread, running_lab
from ..support.many_jobs import NAMES, many_jobs
from .chromium import picture
from .lab import TIMEOUT, complaints, patient_browser

pytestmark = pytest.mark.browser

JOBS, PAGE = 10_000, 100
# What is drawn at most: what a window of 900 pixels can show, and some around it.
DRAWN = 40


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """The requests for jobs, as they are made."""
    return []


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, asked: list[str]) -> Iterator[Page]:
    """ada's JupyterLab with the panel open."""
    subprocess.run([sys.executable, str(CHECKOUT / "labextension/build.py")], check=True, timeout=900)
    place = tmp_path_factory.mktemp("many")
    with (
        in_thread(many_jobs(place / "service", JOBS)) as service,
        running_lab(place / "lab", account(service.url)) as lab,
        patient_browser() as context,
    ):
        found = context.pages[0]
        found.on("request", lambda request: asked.append(request.url) if "/api/jobs?" in request.url else None)
        found.goto(lab.url)
        found.click("[data-id=aifactory-hub-panel]")
        found.wait_for_selector(".aif-Row")
        yield found


def test_all_are_reached_by_scrolling_and_few_are_drawn(page: Page, asked: list[str]) -> None:
    memory = page.context.new_cdp_session(page)
    before = _heap(memory)
    rows = page.locator(".aif-Rows")
    expect(page.locator(".aif-Row").first).to_contain_text("Running")
    deadline = time.monotonic() + 3 * TIMEOUT / 1000
    while not page.locator(f"[aria-posinset='{JOBS}']").count():
        assert time.monotonic() < deadline, len(asked)
        rows.evaluate("box => { box.scrollTop = box.scrollHeight; }")
        page.wait_for_timeout(30)
    # The first page comes with the overview, and each of the others is asked for once.
    assert len(set(asked)) == len(asked) == JOBS / PAGE - 1
    assert page.locator(".aif-Row").count() <= DRAWN
    expect(page.locator(".aif-Row").last).to_have_attribute("aria-setsize", str(JOBS))
    assert _heap(memory) - before < 64


def test_the_middle_is_shown_at_once_and_asks_nothing(page: Page, asked: list[str]) -> None:
    known, rows = len(asked), page.locator(".aif-Rows")
    rows.evaluate("box => { box.scrollTop = box.scrollHeight / 2; }")
    expect(page.locator(f"[aria-posinset='{JOBS // 2 + 3}']")).to_be_visible()
    rows.focus()
    page.keyboard.press("Home")
    first = page.locator("[aria-posinset='1']")
    expect(first).to_have_attribute("aria-selected", "true")
    expect(rows).to_have_attribute("aria-activedescendant", str(first.get_attribute("id")))
    page.keyboard.press("End")
    expect(page.locator(f"[aria-posinset='{JOBS}']")).to_be_visible()
    assert page.locator(".aif-Row").count() <= DRAWN
    assert len(asked) == known
    assert complaints(page, ".aif-Panel") == []


def test_a_filter_is_the_service_s_and_typing_asks_once(page: Page) -> None:
    overviews: list[str] = []
    page.on("request", lambda request: overviews.append(request.url) if "text=" in request.url else None)
    page.get_by_label("Filter by name or command").press_sequentially("train-42", delay=20)
    expect(_posed(page, 1)).to_contain_text("train-42")
    assert len(overviews) == 1
    page.locator(".aif-Rows").evaluate("box => { box.scrollTop = box.scrollHeight; }")
    found = len(range(42, JOBS, NAMES))
    expect(_posed(page, found)).to_have_attribute("aria-setsize", str(found))
    expect(page.locator(".aif-Row-name").last).to_have_text("train-42")
    page.get_by_label("State").select_option(label="Failed")
    expect(page.locator(".aif-Jobs")).to_contain_text("No matching jobs")
    page.get_by_label("State").select_option(label="All states")
    page.get_by_label("Filter by name or command").fill("")
    expect(_posed(page, 1)).to_contain_text("Running")


def test_nothing_is_asked_while_the_page_is_hidden(page: Page) -> None:
    requests: list[str] = []
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'));"
    )
    page.wait_for_timeout(1_000)
    page.on("request", lambda request: requests.append(request.url) if "/aifactory-hub/" in request.url else None)
    # A job is under way, so that a panel that is seen would have asked twice.
    page.wait_for_timeout(11_000)
    assert requests == []
    with page.expect_response(re.compile("/aifactory-hub/overview")):
        page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'));")
    picture(page, "lab-many", full=False)


def _posed(page: Page, place: int) -> Locator:
    return page.locator(f"[aria-posinset='{place}']")


def _heap(session: CDPSession) -> float:
    """MiB in use after the garbage has been taken away."""
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 2**20
