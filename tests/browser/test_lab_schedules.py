"""Schedules in the panel, in real Chromium on the demo: made in the form, listed, run, paused, deleted."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from .chromium import picture
from .lab import Demo, complaints, panel_of_ada, shown, side, submit_as_job, toast

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    """ada's JupyterLab with the panel open."""
    with panel_of_ada(demo, timezone_id="Europe/Amsterdam") as found:
        yield found


def _field(inside: Locator) -> Locator:
    """What stands around an input: its label, and what is said of it."""
    return inside.locator("xpath=..")


def test_before_there_is_one_the_list_says_how_to_make_one(page: Page) -> None:
    side(page, "aifactory-hub-panel")
    page.locator(".aif-Panel").get_by_role("button", name="Schedules").click()
    expect(shown(page, ".aif-Schedules")).to_contain_text('Tick "Repeat"')


def test_a_typo_is_refused_at_its_field_and_what_is_right_is_said_in_words(page: Page) -> None:
    submit_as_job(page, "train.py")
    form = shown(page, ".aif-Submit")
    form.get_by_label("Repeat").check()
    cron, zone = form.get_by_label(re.compile("cron")), form.get_by_label("Time zone")
    expect(zone).to_have_value("Europe/Amsterdam")
    expect(form.locator(".aif-Repeat-preview")).to_have_text(re.compile("At 06:00 every day. Next: .*, 06:00 · "))
    cron.fill("0 25 * * *")
    expect(_field(cron)).to_contain_text("write minute, hour, day, month, weekday")
    expect(cron).to_have_attribute("aria-invalid", "true")
    expect(form.locator(".aif-Repeat-preview")).to_have_text("")
    make = form.get_by_role("button", name="Make the schedule")
    make.click()
    expect(make).to_be_enabled()
    expect(_field(cron)).to_contain_text("write minute, hour, day, month, weekday")
    expect(form.get_by_role("alert")).to_have_count(0)
    cron.fill("0 6 * * mon-fri")
    expect(form.locator(".aif-Repeat-preview")).to_contain_text("At 06:00 on Monday through Friday")
    zone.fill("Europe/Amsterdm")
    expect(_field(zone)).to_contain_text("There is no time zone")
    zone.fill("Europe/Amsterdam")
    expect(form.locator(".aif-Repeat-preview")).to_contain_text("At 06:00 on Monday through Friday")
    assert complaints(page, ".aif-Submit:visible") == []
    form.locator(".aif-Repeat").scroll_into_view_if_needed()
    picture(page, "lab-repeat", full=False)
    make.click()
    toast(page, "train is scheduled, next on").get_by_role("button", name="Show").click()


def test_it_is_listed_run_paused_and_resumed(page: Page) -> None:
    row = shown(page, ".aif-Schedules").locator("tbody tr")
    # The list was open before it was made.
    expect(row).to_have_count(1)
    for words in ("train", "0 6 * * mon-fri", "Europe/Amsterdam", ", 06:00", "None yet"):
        expect(row).to_contain_text(words)
    row.get_by_role("button", name="Pause train").click()
    expect(row).to_contain_text("Paused")
    row.get_by_role("button", name="Resume train").click()
    expect(row).to_contain_text(", 06:00")
    row.get_by_role("button", name="Run train now").click()
    job = shown(page, ".aif-Job")
    expect(job.locator(".aif-Job-head")).to_contain_text("Succeeded")
    page.get_by_role("tab", name="Schedules").click()
    assert complaints(page, ".aif-Schedules:visible") == []
    picture(page, "lab-schedules", full=False)


def test_it_is_deleted_only_when_that_is_confirmed(page: Page) -> None:
    schedules = shown(page, ".aif-Schedules")
    row = schedules.locator("tbody tr")
    row.get_by_role("button", name="Delete train").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Jobs that it made stay")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    expect(row).to_have_count(1)
    row.get_by_role("button", name="Delete train").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    expect(schedules).to_contain_text("No schedules yet")
