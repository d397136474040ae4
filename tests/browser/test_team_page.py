"""The Team page in real Chromium on the demo: what is held now, a stop with a word, the month, the bill's evidence."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .chromium import picture
from .lab import SLICE, Demo, patient_browser
from .test_jobs_page import PREFIX, SUBMIT, complaints, opened, sideways, somebody_else

pytestmark = pytest.mark.browser

TEAM = f"{PREFIX}team/nlp"
# 200 % on a screen of 1280 x 900 leaves half of both.
SIZES = {"wide": (1280, 900), "phone": (390, 844), "zoomed": (640, 450)}


@contextmanager
def reading_well(page: Page, size: str, scheme: Any, name: str) -> Iterator[None]:
    """The page in this size and scheme, in which it is opened; then nothing sticks out and axe has no complaint."""
    width, height = SIZES[size]
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": height})
    yield
    assert sideways(page) <= 0
    assert complaints(page) == []
    picture(page, name, full=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    """The page of ada's team, as its admin noor sees it. A job of ada runs."""
    with patient_browser() as context:
        page = context.pages[0]
        opened(page, demo.address + PREFIX, "ada")
        job = {"profile": SLICE, "name": "long", "key": "long", "command": "sleep 900"}
        assert "id" in page.evaluate(SUBMIT, [PREFIX, job])
        context.clear_cookies()
        opened(page, demo.address + TEAM, "noor")
        yield page


def held(page: Page) -> Any:
    return page.get_by_role("region", name="Held").get_by_role("row")


def choose_month(page: Page, before: int) -> None:
    """So many before this one, which may be seconds old. The one two before is closed on every day."""
    page.get_by_label("Month", exact=True).select_option(index=before)


def test_an_admin_sees_who_holds_what_and_the_month_of_the_team(page: Page) -> None:
    expect(page).to_have_title("Team Language")
    expect(held(page).filter(has_text="ada")).to_contain_text("job j")
    expect(page.get_by_role("heading", name="Usage of the team")).to_be_visible()
    choose_month(page, 1)
    members = page.get_by_role("table", name="By member")
    expect(members).to_contain_text("ada")
    expect(members).to_contain_text("EUR")
    expect(page.get_by_role("img", name=re.compile("Hours held on each day"))).to_be_visible()
    expect(page.get_by_role("region", name="Hours of the week")).to_be_visible()
    heat = page.get_by_role("table", name=re.compile("hour of the week"))
    assert heat.get_by_role("cell").count() >= 7 * 24
    assert heat.locator("[data-shade='4']").count() > 0


def test_a_line_of_the_bill_leads_to_each_pod_and_its_evidence(page: Page) -> None:
    choose_month(page, 2)
    bill = page.get_by_role("region", name=re.compile("^Bill of"))
    expect(bill).to_contain_text("Closed")
    bill.get_by_role("button", name=re.compile("^Pods of ada")).first.click()
    pods = page.get_by_role("region", name=re.compile("^Pods of ada"))
    pods.get_by_role("button", name=re.compile("^Evidence of")).first.click()
    evidence = page.get_by_role("region", name="Evidence", exact=True)
    expect(evidence).to_contain_text("A node was chosen")
    expect(evidence).to_contain_text("Its last container ended")
    expect(evidence).to_contain_text("made for the demo")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download as CSV").click()
    rows = list(csv.reader(Path(waiting.value.path()).read_text().splitlines()))
    assert len(rows) > 3
    assert any("ada" in row for row in rows)
    assert complaints(page) == []
    picture(page, "team-page/evidence", full=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_it_reads_well(page: Page, demo: Demo, size: str, scheme: Any) -> None:
    with reading_well(page, size, scheme, f"team-page/{size}-{scheme}"):
        page.goto(demo.address + TEAM)
        expect(held(page).filter(has_text="ada")).to_be_visible()
        expect(page.get_by_role("table", name=re.compile("hour of the week"))).to_be_visible()
        expect(page.get_by_role("link", name="Download as CSV")).to_be_visible()


def test_a_member_sees_the_load_and_only_their_own_usage(page: Page, demo: Demo) -> None:
    with somebody_else(page):
        opened(page, demo.address + TEAM, "mika")
        expect(held(page).filter(has_text="ada")).to_be_visible()
        expect(page.get_by_role("heading", name="My usage in this team")).to_be_visible()
        choose_month(page, 1)
        expect(page.get_by_role("table", name="By profile")).to_be_visible()
        expect(page.get_by_role("region", name="My pods")).to_be_visible()
        usage = page.locator("section[aria-labelledby=aif-month]")
        assert "lena" not in usage.inner_text()
        assert page.get_by_role("heading", name=re.compile("^Bill of")).count() == 0
        assert held(page).filter(has_text="ada").get_by_role("button").count() == 0
        assert complaints(page) == []


def test_the_keyboard_alone_stops_a_job_with_a_word_to_its_owner(page: Page, demo: Demo) -> None:
    page.goto(demo.address + TEAM)
    row = held(page).filter(has_text="ada").filter(has=page.get_by_role("button"))
    stop = row.get_by_role("button", name=re.compile("^Stop job"))
    job = str(row.get_by_role("link").first.inner_text()).split()[-1]
    stop.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=re.compile(f"Stop job {job} of ada"))
    expect(dialog).to_be_visible()
    assert complaints(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    stop.focus()
    page.keyboard.press("Enter")
    dialog.get_by_role("textbox").focus()
    page.keyboard.type("The demo needs it")
    picture(page, "team-page/stop", full=False)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"Job {job} of ada is being stopped.")).to_be_visible()
    expect(row).to_have_count(0)
    with somebody_else(page):
        opened(page, f"{demo.address}{PREFIX}jobs/{job}", "ada")
        expect(page.locator(".aif-Job-head")).to_contain_text("by noor: The demo needs it")


def test_another_teams_page_is_refused_in_words(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.address}{PREFIX}team/vision")
    expect(page.get_by_text("You are in no team 'vision'")).to_be_visible()
    assert complaints(page) == []


def test_each_page_leads_to_the_others(page: Page, demo: Demo) -> None:
    page.goto(demo.address + PREFIX)
    page.get_by_role("link", name="Team Language").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Team Language")
    page.get_by_role("link", name="Jobs of the team").click()
    page.wait_for_url(re.compile(r"\?team=nlp$"))
    page.get_by_role("link", name="Home", exact=True).click()
    expect(page.locator("#af-month")).to_contain_text(re.compile(r"This month: (0 min|[\d.]+ (min|h), \d+\.\d\d EUR)"))
    expect(page.locator("#af-jobs")).to_contain_text("You have no jobs yet")
    assert complaints(page) == []
    picture(page, "team-page/home", full=True)
    page.get_by_role("link", name="Team Language", exact=True).click()
    page.wait_for_url(re.compile(f"{TEAM}$"))
    assert page.get_by_role("link", name="Platform").count() == 0
