"""The queue on the Platform page in real Chromium, on the demo whose GPUs are cut in the wrong way."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from .chromium import picture
from .lab import Demo, patient_browser, running_demo
from .test_jobs_page import PREFIX, complaints, opened
from .test_team_page import reading_well

pytestmark = pytest.mark.browser

PLATFORM = f"{PREFIX}platform"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo"), scenario="miscut") as running:
        yield running


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    """The page of the platform's administrator."""
    with patient_browser() as context:
        opened(context.pages[0], demo.address + PLATFORM, "rene")
        yield context.pages[0]


def test_it_says_who_waits_and_why_and_what_a_new_cut_would_free(page: Page) -> None:
    queue = page.get_by_role("region", name="Queue", exact=True)
    waiting = queue.get_by_role("region", name="What waits").get_by_role("row")
    expect(waiting).to_have_count(4)
    expect(waiting.nth(1)).to_contain_text(re.compile("notebooks hold 3 of the 3 .* that they may have"))
    expect(queue.get_by_text("1g.10gb: 6 held, 1 free", exact=True)).to_be_visible()
    expect(queue.get_by_text("3g.40gb: 0 held, 2 free (of no use to what waits)", exact=True)).to_be_visible()
    expect(queue).to_contain_text("Cut anew, 1 idle GPU would have room for 2 more.")
    steps = queue.get_by_role("region", name="Steps of the plan").get_by_role("row")
    expect(steps.nth(1)).to_contain_text("simulated-1 1")
    expect(steps.nth(1)).to_contain_text("6 slices")
    expect(queue).to_contain_text("Quotas would no longer be covered: 1 of nlp, vision.")


def test_the_file_is_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    queue = page.get_by_role("region", name="Queue", exact=True)
    queue.get_by_role("button", name="Copy For nvidia-mig-parted").click()
    expect(queue.get_by_text("Copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("version: v1\nmig-configs:\n  recarve-1:\n    - devices: [0]\n"), copied
    assert queue.locator("pre").first.inner_text().strip() == copied.strip()


@pytest.mark.parametrize("size", ["wide", "phone"])
def test_it_reads_well(page: Page, demo: Demo, size: str) -> None:
    with reading_well(page, size, "light", f"queue/{size}-light"):
        page.goto(demo.address + PLATFORM)
        expect(page.get_by_role("region", name="What waits")).to_be_visible()
    with reading_well(page, size, "dark", f"queue/{size}-dark"):
        page.goto(demo.address + PLATFORM)
        expect(page.get_by_role("region", name="What waits")).to_be_visible()


def test_a_teams_page_says_why_its_own_wait(page: Page, demo: Demo) -> None:
    page.context.clear_cookies()
    opened(page, f"{demo.address}{PREFIX}team/nlp", "ada")
    waiting = page.get_by_role("region", name="Waiting").get_by_role("row")
    expect(waiting).to_have_count(3)
    expect(waiting.nth(1)).to_contain_text("somebody of the team")
    expect(waiting.nth(1)).to_contain_text("The team's notebooks hold 3 of the 3")
    assert complaints(page) == []
    picture(page, "queue/team", full=False)
