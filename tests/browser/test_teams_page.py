"""The page on which people ask for a team, in real Chromium on the demo: from the form to a team that is ready."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from .lab import Demo, patient_browser
from .test_jobs_page import PREFIX, complaints, opened
from .test_team_page import SIZES, reading_well

pytestmark = pytest.mark.browser

TEAMS = f"{PREFIX}teams"
SLICE = "h100-80gb:mig-1g.10gb"
# The stages are simulated, one a second, and all follow within some seconds.
SOON = 60_000


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    """Where people sign in one after the other; ada first."""
    with patient_browser() as context:
        opened(context.pages[0], demo.address + TEAMS, "ada")
        yield context.pages[0]


def as_person(page: Page, demo: Demo, name: str, path: str) -> None:
    page.context.clear_cookies()
    opened(page, demo.address + path, name)


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name, exact=True)


def step(page: Page, team: str, name: str) -> Locator:
    return card(page, f"Team {team}").get_by_role("listitem").filter(has_text=name).first


def write(page: Page, name: str, group: str) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Groups of its members").fill(group)
    page.get_by_label("Why", exact=True).fill("speech models")


def test_home_and_the_team_page_lead_to_it(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.address}/hub/home")
    page.get_by_role("link", name="Ask for a team").click()
    expect(page.get_by_role("heading", name="Ask for a team")).to_be_visible()
    expect(page.get_by_text("You have asked for no team yet.")).to_be_visible()
    page.goto(f"{demo.address}{PREFIX}team/nlp")
    page.get_by_role("link", name="Ask for a team").click()
    expect(page.get_by_role("heading", name="A new team")).to_be_visible()


def test_the_form_says_what_fits_before_anything_is_sent(page: Page, demo: Demo) -> None:
    page.goto(demo.address + TEAMS)
    page.get_by_role("radio", name="project").check()
    write(page, "sound", "corp/board")
    expect(page.get_by_text("does not allow the group 'corp/board'")).to_be_visible()
    expect(page.get_by_role("button", name="Ask for the team")).to_be_disabled()
    page.get_by_label("Groups of its members").fill("teams/sound")
    expect(page.get_by_text("It fits. It needs one of security.")).to_be_visible()
    page.get_by_label(f"{SLICE} that it owns").fill("2")
    expect(page.get_by_text(f"1 of 7 {SLICE} are promised to nobody; you ask for 2")).to_be_visible()
    page.get_by_role("button", name="Take what fits").click()
    expect(page.get_by_label(f"{SLICE} that it owns")).to_have_value("1")
    expect(page.get_by_label(f"{SLICE} that it may borrow")).to_have_value("1")
    expect(page.get_by_text("It fits. It needs one of security.")).to_be_visible()
    assert complaints(page) == []
    page.get_by_role("button", name="Ask for the team").click()
    expect(card(page, "Team sound")).to_contain_text("waits for one of security")
    expect(step(page, "sound", "Approved")).to_have_attribute("aria-current", "step")


def test_what_needs_nobody_is_made_at_once_and_is_a_team(page: Page, demo: Demo) -> None:
    page.goto(demo.address + TEAMS)
    write(page, "audio", "teams/audio")
    expect(page.get_by_text("It fits, and nobody has to approve it.")).to_be_visible()
    page.get_by_role("button", name="Ask for the team").focus()
    page.keyboard.press("Enter")
    expect(card(page, "Team audio")).to_contain_text("granted")
    expect(step(page, "audio", "Ready")).to_have_attribute("data-state", "done", timeout=SOON)
    expect(step(page, "audio", "Made")).to_contain_text("(simulated)")
    as_person(page, demo, "ada", TEAMS)
    page.goto(f"{demo.address}/hub/home")
    expect(page.get_by_role("article", name="audio")).to_be_visible()
    page.goto(demo.address + TEAMS)
    card(page, "Team audio").get_by_role("link", name="Go to the team").click()
    expect(page.get_by_role("heading", name="Team audio")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_it_reads_well(page: Page, demo: Demo, size: str, scheme: Any) -> None:
    with reading_well(page, size, scheme, f"teams-page/{size}-{scheme}"):
        page.goto(demo.address + TEAMS)
        page.get_by_role("radio", name="project").check()
        write(page, "more", "teams/more")
        page.get_by_label(f"{SLICE} that it owns").fill("2")
        expect(page.get_by_role("button", name="Take what fits")).to_be_visible()


def test_somebody_else_approves_it_and_it_is_made(page: Page, demo: Demo) -> None:
    as_person(page, demo, "ada", TEAMS)
    card(page, "Team sound").get_by_role("link", name="See the approval").click()
    expect(page.get_by_text("You asked for this yourself")).to_be_visible()
    as_person(page, demo, "iris", f"{PREFIX}approvals")
    asked = card(page, "a team sound")
    asked.get_by_text("What would run").click()
    expect(asked.get_by_role("row").filter(has_text="owns")).to_contain_text(f"1 {SLICE}")
    asked.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Approve", exact=True).click()
    expect(card(page, "a team sound")).to_contain_text("approved by iris")
    as_person(page, demo, "ada", TEAMS)
    expect(step(page, "sound", "Ready")).to_have_attribute("data-state", "done", timeout=SOON)
    expect(card(page, "Team sound")).to_contain_text("approved by iris")


def test_a_team_that_is_there_is_changed(page: Page, demo: Demo) -> None:
    """Whoever administers it asks; it is granted at once, because it only gives something back."""
    as_person(page, demo, "rene", TEAMS)
    page.get_by_label("What", exact=True).select_option(label="A change of team sound")
    expect(page.get_by_role("heading", name="A change of team sound")).to_be_visible()
    expect(page.get_by_label("Groups of its members")).to_have_value("teams/sound")
    expect(page.get_by_role("radio", name="project")).to_have_count(0)
    page.get_by_label("Why", exact=True).fill("one is enough")
    expect(page.get_by_text("is like that already")).to_be_visible()
    expect(page.get_by_role("button", name="Ask for the change")).to_be_disabled()
    page.get_by_label(f"{SLICE} that it owns").fill("0")
    expect(page.get_by_text("It fits, and nobody has to approve it.")).to_be_visible()
    assert complaints(page) == []
    page.get_by_role("button", name="Ask for the change").click()
    expect(page.get_by_text("Asked for a change of team sound.")).to_be_visible()
    expect(card(page, "A change of team sound")).to_contain_text("granted")


def test_a_request_is_taken_back(page: Page, demo: Demo) -> None:
    as_person(page, demo, "kai", TEAMS)
    page.get_by_role("radio", name="project").check()
    write(page, "video", "teams/video")
    page.get_by_role("button", name="Ask for the team").click()
    card(page, "Team video").get_by_role("button", name="Take it back").click()
    expect(card(page, "Team video")).to_contain_text("taken back by kai")
    expect(card(page, "Team video").get_by_role("button")).to_have_count(0)


def test_the_platform_page_has_requests_and_stages_of_all(page: Page, demo: Demo) -> None:
    as_person(page, demo, "rene", f"{PREFIX}platform")
    stages = page.get_by_role("region", name="Stages of teams")
    expect(stages.get_by_role("row").filter(has_text="sound")).to_contain_text("ready for")
    expect(stages.get_by_role("row").filter(has_text="Language")).to_contain_text("simulated")
    for name in ("Team sound", "Team audio", "Team video"):
        expect(card(page, name)).to_be_visible()
    assert complaints(page) == []
