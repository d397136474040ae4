"""The log of a job in the panel, in real Chromium on the demo: few rows are drawn of many, found, followed, saved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from .chromium import picture
from .lab import Demo, complaints, open_job, panel_of_ada, post, shown

pytestmark = pytest.mark.browser

LINES = 100_000
# What is drawn at most: what a box of 630 pixels can show, and some around it.
DRAWN = 100
MANY = f"seq 1 {LINES} | sed 's/^/line /'; echo 'x{'y' * 400}z'; printf '\\033[31mred\\033[0m end\\n'"


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    """ada's JupyterLab with the panel open."""
    with panel_of_ada(demo) as found:
        yield found


def _open(page: Page, name: str, command: str) -> Locator:
    """The log of a job of this name, which is submitted first."""
    post(page, name, command)
    return open_job(page, name).locator(".aif-Log")


def _from_end(log: Locator) -> float:
    pre = log.locator("pre")
    return float(pre.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight"))


def test_of_many_lines_few_are_drawn(page: Page) -> None:
    log = _open(page, "many", MANY)
    expect(shown(page, ".aif-Job").locator(".aif-Job-head")).to_contain_text("Succeeded")
    expect(log.locator(".ansi-red-fg")).to_have_text("red")
    assert _from_end(log) < 2
    assert 10 < log.locator(".aif-Log-row").count() < DRAWN
    log.locator("pre").focus()
    page.keyboard.press("Home")
    expect(log.locator("pre")).to_contain_text("line 1\n")
    assert log.locator(".aif-Log-row").count() < DRAWN
    expect(log.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
    assert complaints(page, ".aif-Job:visible") == []


def test_a_line_near_the_end_is_found_by_keyboard(page: Page) -> None:
    log = shown(page, ".aif-Job").locator(".aif-Log")
    log.locator("pre").focus()
    page.keyboard.press("Control+f")
    expect(log.get_by_label("Find in the log")).to_be_focused()
    page.keyboard.type("LINE 9999")
    expect(log.locator(".aif-Log-find [role=status]")).to_have_text("1 of 11")
    page.keyboard.press("Enter")
    expect(log.locator("mark[data-current=true]")).to_be_in_viewport()
    expect(log.locator(".aif-Log-row", has=page.locator("mark[data-current=true]"))).to_have_text("line 99990")
    page.keyboard.press("Shift+Enter")
    expect(log.locator(".aif-Log-row", has=page.locator("mark[data-current=true]"))).to_have_text("line 9999")
    picture(page, "lab-log", full=False)
    page.keyboard.press("Escape")
    expect(log.locator("mark")).to_have_count(0)


def test_long_lines_are_wrapped_or_not(page: Page) -> None:
    log = shown(page, ".aif-Job").locator(".aif-Log")
    wide = "box => box.scrollWidth > box.clientWidth + 1"
    log.get_by_role("button", name="Follow").click()
    assert not log.locator("pre").evaluate(wide)
    log.get_by_role("button", name="Wrap").click()
    assert log.locator("pre").evaluate(wide)
    log.get_by_label("Find in the log").fill("yz")
    expect(log.locator("mark[data-current=true]")).to_be_in_viewport()
    log.get_by_role("button", name="Wrap").click()
    expect(log.locator("mark[data-current=true]")).to_be_in_viewport()


def test_all_of_it_is_saved(page: Page) -> None:
    log = shown(page, ".aif-Job").locator(".aif-Log")
    with page.expect_download() as waiting:
        log.get_by_role("link", name="Download").click()
    assert waiting.value.suggested_filename == "many-1.log"
    lines = Path(waiting.value.path()).read_text().splitlines()
    assert lines[0] == "line 1"
    assert len(lines) == LINES + 2


def test_the_end_is_followed_until_one_scrolls_up(page: Page, demo: Demo) -> None:
    go = demo.folder / "go"
    ticks = f"i=0; until test -e {go}; do i=$((i+1)); echo tick $i; sleep 0.1; done; echo over"
    log = _open(page, "ticking", f"seq 1 500; {ticks}")
    job = page.locator(".aif-Job", has=page.locator("h1:text-is('ticking')"))
    pre, follow = job.locator(".aif-Log pre"), log.get_by_role("button", name="Follow")
    expect(pre).to_contain_text("tick 20")
    expect(follow).to_have_attribute("aria-pressed", "true")
    assert _from_end(log) < 30
    pre.hover()
    page.mouse.wheel(0, -400)
    expect(follow).to_have_attribute("aria-pressed", "false")
    left = _from_end(log)
    page.wait_for_function(
        "([box, left]) => box.scrollHeight - box.scrollTop - box.clientHeight > left + 100",
        arg=[pre.element_handle(), left],
    )
    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "true")
    # What comes while another tab is in front is followed, too.
    page.get_by_role("tab", name="many").click()
    expect(pre).to_be_hidden()
    go.touch()
    expect(page.locator(".aif-Row", has_text="ticking")).to_contain_text("Succeeded")
    page.get_by_role("tab", name="ticking").click()
    expect(pre).to_contain_text("over")
    assert _from_end(log) < 2


def test_on_a_phone_the_tools_have_room(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("[data-id=aifactory-hub-panel]").click()  # the side bar and a tab have no room beside each other
    expect(page.locator(".aif-Panel")).to_be_hidden()
    log = shown(page, ".aif-Job").locator(".aif-Log")
    expect(log.get_by_role("link", name="Download")).to_be_visible()
    assert log.evaluate("part => part.scrollWidth <= part.clientWidth + 1")
    picture(page, "lab-log-narrow", full=False)
    page.set_viewport_size({"width": 1280, "height": 900})
