"""The Platform page in real Chromium on the demo: all teams, a month that is closed, and who may not see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .chromium import picture
from .lab import Demo, patient_browser
from .test_jobs_page import PREFIX, complaints, opened, somebody_else
from .test_team_page import SIZES, reading_well

pytestmark = pytest.mark.browser

PLATFORM = f"{PREFIX}platform"


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    """The page of the platform's administrator."""
    with patient_browser() as context:
        opened(context.pages[0], demo.address + PLATFORM, "rene")
        yield context.pages[0]


def test_it_has_health_and_all_teams(page: Page) -> None:
    health = page.get_by_role("region", name="Health")
    expect(health).to_contain_text("answers")
    expect(health).to_contain_text("2 of 2")
    teams = page.get_by_role("region", name="Teams", exact=True)
    for team in ("Language", "Vision"):
        expect(teams.get_by_role("row").filter(has_text=team)).to_contain_text(re.compile(r"\d+ servers?, \d+ jobs?"))
    expect(page.get_by_text("Open: the month goes on")).to_be_visible()
    assert page.get_by_role("button", name=re.compile("Close the month")).count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_it_reads_well(page: Page, demo: Demo, size: str, scheme: Any) -> None:
    with reading_well(page, size, scheme, f"platform-page/{size}-{scheme}"):
        page.goto(demo.address + PLATFORM)
        expect(page.get_by_role("region", name="Teams", exact=True)).to_be_visible()
        expect(page.get_by_role("table", name=re.compile("hour of the week"))).to_be_visible()


def test_others_read_that_it_is_not_for_them(page: Page, demo: Demo) -> None:
    with somebody_else(page):
        opened(page, demo.address + PLATFORM, "ada")
        expect(page.get_by_text("You are not allowed to see this page")).to_be_visible()
        assert page.get_by_role("region", name="Health").count() == 0
        assert page.get_by_role("link", name="Platform").count() == 0
        assert complaints(page) == []
        picture(page, "platform-page/not-allowed", full=False)
