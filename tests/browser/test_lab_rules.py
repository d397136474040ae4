"""The site's rules in the form of a job, in real Chromium on the demo, whose rules these are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from .chromium import picture
from .lab import Demo, panel_of_ada, shown, submit_as_job

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def form(demo: Demo) -> Iterator[Locator]:
    """ada's form for a notebook, with all of its fields open."""
    with panel_of_ada(demo) as page:
        submit_as_job(page, "tour.ipynb")
        found = shown(page, ".aif-Submit")
        found.locator("summary", has_text="Name, time limit").click()
        yield found


def field(form: Locator, name: str) -> Locator:
    """The field with what is said of it."""
    return form.locator(".form-group.small-field", has=form.page.locator(f"#root_{name}"))


def test_a_rule_is_told_beside_its_field_while_the_form_is_filled_in(form: Locator) -> None:
    words = "It goes before the others and may run for 24 hours. Set max_seconds to 14400 or less"
    form.locator("#root_priority").select_option(label="high")
    expect(field(form, "priority")).to_contain_text(words)
    picture(form.page, "lab-rules", full=False)
    form.locator("#root_max_seconds").fill("3600")
    expect(form).not_to_contain_text("It goes before the others")


def test_advice_stands_at_no_field_and_stops_nothing(form: Locator) -> None:
    form.locator("#root_retries").fill("5")
    expect(form.locator(".aif-Findings")).to_contain_text("It is tried again up to 5 times. Look at why it fails.")
    form.get_by_role("button", name="Check").click()
    expect(form.locator(".aif-Verdict")).to_contain_text("It would be taken")


def test_what_is_sent_all_the_same_is_refused_in_the_same_words(form: Locator) -> None:
    form.locator("#root_max_seconds").fill("20000")
    expect(field(form, "priority")).to_contain_text("It goes before the others and may run for 5 hours.")
    form.get_by_role("button", name="Submit").click()
    expect(field(form, "priority")).to_contain_text("(rule high-priority-is-short)")
