"""The Approvals page in real Chromium on the demo: a rule holds a job, and two people let it go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from .lab import Demo, patient_browser
from .test_jobs_page import PREFIX, SUBMIT, complaints, opened
from .test_team_page import SIZES, reading_well

pytestmark = pytest.mark.browser

APPROVALS = f"{PREFIX}approvals"
# The demo's rule of cost holds it: so many attempts of a day each.
DEAR = {"profile": "mig-3g.40gb", "command": "echo let go", "retries": 10}


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    """Where people sign in one after the other. Two jobs of ada are held."""
    with patient_browser() as context:
        page = context.pages[0]
        opened(page, demo.address + PREFIX, "ada")
        for name in ("dear one", "dear two"):
            job = page.evaluate(SUBMIT, [PREFIX, {**DEAR, "name": name, "key": name.replace(" ", "-")}])
            assert job.get("state") == "HELD", job
        yield page


def as_person(page: Page, demo: Demo, name: str) -> None:
    page.context.clear_cookies()
    opened(page, demo.address + APPROVALS, name)
    expect(page.get_by_role("heading", name="Approvals")).to_be_visible()


def section(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name, exact=True)


def vote(page: Page, name: str, word: str, comment: str = "") -> None:
    card(page, name).get_by_role("button", name=word, exact=True).click()
    dialog = page.get_by_role("dialog")
    if comment:
        dialog.get_by_role("textbox").fill(comment)
    dialog.get_by_role("button", name=word, exact=True).click()
    expect(dialog).to_have_count(0)


def test_who_asked_sees_for_whom_it_waits_and_cannot_vote(page: Page, demo: Demo) -> None:
    page.goto(demo.address + APPROVALS)
    mine = section(page, "Wait for others").get_by_role("article", name="dear one")
    expect(mine).to_contain_text("It may cost")
    expect(mine).to_contain_text("one of the team's administrators and one of security")
    expect(mine).to_contain_text("You asked for this yourself")
    expect(mine.get_by_role("button")).to_have_count(0)
    mine.get_by_text("What would run").click()
    expect(mine.get_by_role("row").filter(has_text="command")).to_contain_text("echo let go")
    page.goto(f"{demo.address}{PREFIX}")
    expect(page.get_by_text("held until one of the team's administrators").first).to_be_visible()


def test_home_says_how_many_wait_and_leads_there(page: Page, demo: Demo) -> None:
    as_person(page, demo, "noor")
    page.goto(f"{demo.address}/hub/home")
    page.get_by_role("link", name="2 approvals wait for your vote.").click()
    expect(card(page, "dear one")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_it_reads_well(page: Page, demo: Demo, size: str, scheme: Any) -> None:
    with reading_well(page, size, scheme, f"approvals-page/{size}-{scheme}"):
        page.goto(demo.address + APPROVALS)
        card(page, "dear one").get_by_text("What would run").click()
        expect(card(page, "dear one").get_by_role("button", name="Approve", exact=True)).to_be_visible()


def test_two_people_let_it_go_and_the_second_is_in_no_team(page: Page, demo: Demo) -> None:
    as_person(page, demo, "noor")
    vote(page, "dear one", "Approve")
    expect(section(page, "Wait for others").get_by_role("article", name="dear one")).to_contain_text("noor approved it")
    as_person(page, demo, "iris")
    expect(section(page, "Wait for you").get_by_role("article")).to_have_count(2)
    # By keyboard: the question holds the focus, and Escape goes back.
    button = card(page, "dear one").get_by_role("button", name="Approve", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert complaints(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    vote(page, "dear one", "Approve", "the quarter ends")
    decided = section(page, "Decided").get_by_role("article", name="dear one")
    expect(decided).to_contain_text("approved by iris and noor", timeout=20_000)
    expect(decided).to_contain_text("the quarter ends")


def test_a_refusal_needs_a_word_and_ends_the_job_with_it(page: Page, demo: Demo) -> None:
    as_person(page, demo, "iris")
    vote(page, "dear two", "Refuse")
    expect(page.get_by_role("alert").filter(has_text="Say in the comment why you refuse it")).to_be_visible()
    vote(page, "dear two", "Refuse", "too dear")
    decided = section(page, "Decided").get_by_role("article", name="dear two")
    expect(decided).to_contain_text("refused by iris: too dear", timeout=20_000)
    page.context.clear_cookies()
    opened(page, demo.address + PREFIX, "ada")
    expect(page.get_by_text(re.compile("its approval was not given: refused by iris: too dear")).first).to_be_visible()
