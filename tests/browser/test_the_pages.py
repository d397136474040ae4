"""The pages that a data scientist meets on her first day, in real Chromium on the real cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from ..e2e.person import Person
from ..e2e.processes import HubUnderTest
from ..e2e.rig import Rig, clear_tenants, open_rig
from .chromium import browser, picture
from .lab import CALL, shown, side, submit_as_job, toast

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def rig() -> Rig:
    return open_rig()


@pytest.fixture(scope="module")
def hub(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubUnderTest]:
    clear_tenants(rig.cluster)
    running = rig.hub(tmp_path_factory.mktemp("hub"))
    try:
        running.start()
        yield running
    finally:
        running.stop()
        clear_tenants(rig.cluster)


@pytest.fixture
def people(rig: Rig, hub: HubUnderTest) -> Iterator[dict[str, Person]]:
    with rig.people(hub.url) as everybody:
        yield everybody


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as context:
        yield context.pages[0]


def sign_in(page: Page, person: Person) -> None:
    page.goto(f"{person.hub}/hub/oauth_login")
    page.fill("input[name=login]", person.email)
    page.fill("input[name=password]", person.password)
    page.click("button[type=submit]")


def test_who_is_in_no_team_reads_why_and_what_to_do(people: dict[str, Person], page: Page) -> None:
    sign_in(page, people["no-team-user"])
    picture(page, "no-team")
    expect(page.locator("body")).to_contain_text("no-team-user")
    expect(page.locator("body")).to_contain_text(re.compile("ask", re.IGNORECASE))


def test_a_first_notebook_from_menu_to_lab(hub: HubUnderTest, people: dict[str, Person], page: Page) -> None:
    sign_in(page, people["nlp-user"])
    page.goto(f"{hub.url}/hub/spawn")
    picture(page, "spawn-page-one-team")
    expect(page.locator("body")).to_contain_text("2 of 2 free")
    expect(page.locator("body")).to_contain_text(re.compile("simulated", re.IGNORECASE))
    page.get_by_text("mig-1g.10gb", exact=True).click()
    assert page.locator("input[name=profile][value='mig-1g.10gb']").is_checked()
    page.locator("form [type=submit]").last.click()
    page.wait_for_url(re.compile("/hub/spawn-pending/"))
    page.wait_for_selector("#progress-log .progress-log-event, .progress-log-event", state="attached", timeout=20_000)
    picture(page, "progress-page")
    page.wait_for_url(re.compile("/user/nlp-user/lab"), timeout=90_000)
    page.wait_for_selector(".jp-LauncherCard", timeout=60_000)
    picture(page, "lab")
    _a_job_from_the_panel(page)


def _a_job_from_the_panel(page: Page) -> None:
    """In the pod's JupyterLab: the panel knows its place, and a script becomes a job of the team."""
    expect.set_options(timeout=90_000)
    side(page, "aifactory-hub-panel")
    panel = page.locator(".aif-Panel")
    for words in ("Language", "mig-1g.10gb", "1 of 2 left"):
        expect(panel).to_contain_text(words)
    # The pod has a control group of its own, so its memory is known.
    expect(page.locator(".aif-Status-main")).to_contain_text("GiB")
    content = {"type": "file", "format": "text", "content": "print('hello from', 6 * 7)"}
    assert page.evaluate(CALL, ["PUT", "api/contents/hello.py", content])["status"] == 201
    submit_as_job(page, "hello.py")
    form = shown(page, ".aif-Submit")
    form.get_by_role("button", name="Check").click()
    expect(form.locator(".aif-Verdict")).to_contain_text("It would be taken")
    form.get_by_role("button", name="Submit").click()
    toast(page, "hello is submitted").get_by_role("button", name="Show").click()
    job = shown(page, ".aif-Job")
    expect(job).to_contain_text("Succeeded")
    expect(job.locator(".aif-Log pre")).to_contain_text("hello from 42")
    side(page, "aifactory-hub-panel")
    picture(page, "lab-panel", full=False)


def test_a_full_team_says_who_holds_what_and_offers_what_fits(
    hub: HubUnderTest, people: dict[str, Person], page: Page
) -> None:
    two = people["two-team-user"]
    two.sign_in()
    assert two.spawn("nlp", "mig-3g.40gb") is None
    assert two.progress()[-1].get("ready")
    sign_in(page, people["nlp-user"])
    page.goto(f"{hub.url}/hub/spawn/nlp-user/big")
    picture(page, "spawn-page-full")
    expect(page.locator("body")).to_contain_text("two-team-user")
    answer = people["nlp-user"]
    answer.sign_in()
    refused = answer.spawn("nlp", "mig-3g.40gb", server="big")
    assert refused is not None
    assert "Asked 1, used 1, limit 1" in refused.text


def test_who_is_in_two_teams_chooses(hub: HubUnderTest, people: dict[str, Person], page: Page) -> None:
    sign_in(page, people["two-team-user"])
    page.goto(f"{hub.url}/hub/spawn/two-team-user/other")
    picture(page, "spawn-page-two-teams")
    expect(page.locator("body")).to_contain_text("Language")
    expect(page.locator("body")).to_contain_text("Vision")
