"""The page on which people choose what they get mail about, in real Chromium on the demo: which sends no mail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .lab import Demo, patient_browser
from .test_jobs_page import PREFIX, complaints, opened
from .test_team_page import SIZES, reading_well

pytestmark = pytest.mark.browser

NOTIFICATIONS = f"{PREFIX}notifications"


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    """Home of noor, who administers a team."""
    with patient_browser() as context:
        opened(context.pages[0], demo.address + NOTIFICATIONS, "noor")
        yield context.pages[0]


def test_home_leads_to_it_and_it_says_why_no_mail_comes(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.address}/hub/home")
    page.get_by_role("link", name="Choose what you get mail about").click()
    expect(page.get_by_role("heading", name="Notifications", level=1)).to_be_visible()
    expect(page.get_by_role("region", name="Where it goes")).to_contain_text("This site sends no mail.")
    current = page.get_by_role("navigation").get_by_role("link", name="Notifications")
    expect(current).to_have_attribute("aria-current", "page")


def test_who_administers_a_team_reads_how_its_chat_is_set(page: Page) -> None:
    chats = page.get_by_role("region", name="Chats of teams")
    expect(chats.get_by_role("listitem")).to_contain_text(["no chat"])
    expect(chats).to_contain_text("An administrator of the hub sets the chat of a team in tenants.yaml")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_it_reads_well(page: Page, demo: Demo, size: str, scheme: Any) -> None:
    with reading_well(page, size, scheme, f"notifications-page/{size}-{scheme}"):
        page.goto(demo.address + NOTIFICATIONS)
        expect(page.get_by_role("checkbox", name="a job of mine failed")).to_be_checked()


def test_each_change_is_saved_at_once_with_the_keyboard(page: Page, demo: Demo) -> None:
    page.goto(demo.address + NOTIFICATIONS)
    status = page.get_by_role("status").filter(has_text="Saved.")
    held = page.get_by_role("checkbox", name="a job of mine is held")
    held.focus()
    page.keyboard.press("Space")
    expect(status).to_have_text("Saved. You get mail about 9 of these 11.")
    expect(held).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("checkbox", name="somebody else cancelled")).to_be_focused()
    page.reload()
    expect(held).not_to_be_checked()
    expect(page.get_by_role("radio", name="the site's default")).to_be_checked()
    page.get_by_role("radio", name="the site's default").focus()
    page.keyboard.press("ArrowDown")
    expect(status).to_have_text("Saved. You get no mail.")
    page.get_by_role("radio", name="what waits for me, and jobs that succeeded").check()
    expect(status).to_have_text("Saved. You get mail about all of these.")
    expect(held).to_be_checked()
    assert complaints(page) == []


def test_what_was_not_saved_is_said_and_what_holds_is_shown(page: Page, demo: Demo) -> None:
    page.goto(demo.address + NOTIFICATIONS)
    failed = page.get_by_role("checkbox", name="a job of mine failed")
    expect(failed).to_be_checked()
    page.route(
        "**/api/v1/notifications", lambda route: route.abort() if route.request.method == "PUT" else route.continue_()
    )
    failed.click()
    expect(page.get_by_role("alert")).to_contain_text("This was not saved. The job service does not answer now.")
    expect(failed).to_be_checked()
    page.unroute_all(behavior="wait")
    failed.click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_have_text(
        "Saved. You get mail about 10 of these 11."
    )
    expect(page.get_by_role("alert")).to_have_text("")
