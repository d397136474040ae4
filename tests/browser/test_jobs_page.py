"""The Jobs page outside JupyterLab, in real Chromium on the demo: sign-in, list, one job, phone, dark, keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from aifactory_hub.service.auth.hub_auth import SHARED

from .chromium import picture
from .lab import SLICE, Demo, patient_browser

pytestmark = pytest.mark.browser

PREFIX = "/services/aifactory/"
TRAIN = """python3 - <<'END'
import math, time
from aifactory_hub.client import report
print('\\x1b[32mloading\\x1b[0m', flush=True)
for step in range(40):
    report(step * 2.5, metrics={'loss': math.exp(-step / 10), 'accuracy': 1 - math.exp(-step / 20)}, step=step)
    print(f'step {step} loss {math.exp(-step / 10):.3f}', flush=True)
    time.sleep(0.1)
open('model.txt', 'w').write('weights')
END"""
JOBS: dict[str, dict[str, Any]] = {
    "train": {"command": TRAIN, "outputs": ["model.txt"]},
    "breaks": {"command": "echo 'no such column: label' >&2; exit 3"},
    "long": {"command": "echo waiting; sleep 600"},
}
# As another page of this origin might try it.
ASK = """async ([method, address, headers]) => {
  const answer = await fetch(address, {method, headers});
  return answer.status;
}"""
SUBMIT = """async ([prefix, job]) => {
  const proof = document.cookie.match(/_xsrf=([^;]*)/)[1];
  const headers = {'X-XSRFToken': proof, 'Content-Type': 'application/json'};
  const answer = await fetch(prefix + 'api/v1/jobs', {method: 'POST', headers, body: JSON.stringify(job)});
  return await answer.json();
}"""


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    """ada's Jobs page."""
    with patient_browser() as context:
        opened(context.pages[0], demo.address + PREFIX, "ada")
        yield context.pages[0]


@pytest.fixture(scope="module")
def jobs(page: Page) -> dict[str, str]:
    """ada's jobs: their ids by name."""
    made = {}
    for name, job in JOBS.items():
        answer = page.evaluate(SUBMIT, [PREFIX, {"profile": SLICE, "name": name, "key": name, **job}])
        made[name] = answer["id"]
    return made


def opened(page: Page, address: str, name: str) -> None:
    """Open an address of the Jobs page, and sign in as ``name`` on the way."""
    page.goto(address)
    page.get_by_role("link", name=re.compile("demo's accounts")).or_(
        page.get_by_role("button", name=re.compile("demo's accounts"))
    ).first.click()
    page.click(f"text={name}")
    page.wait_for_url(re.compile(re.escape(PREFIX)))


@contextmanager
def somebody_else(page: Page) -> Iterator[None]:
    """No cookie of ada's for the time of it."""
    kept = page.context.cookies()
    page.context.clear_cookies()
    try:
        yield
    finally:
        page.context.clear_cookies()
        page.context.add_cookies(kept)  # type: ignore[arg-type]


def complaints(page: Page) -> list[str]:
    """What axe finds on the whole page."""
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in found]


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("option").filter(has_text=name)


def sideways(page: Page) -> int:
    """How many pixels wider than the window the page is."""
    width: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return width


def test_the_list_has_the_team_s_jobs_and_is_asked_for_with_nothing_but_the_session(
    page: Page, jobs: dict[str, str]
) -> None:
    for name in jobs:
        expect(row(page, name)).to_be_visible()
    expect(row(page, "breaks")).to_contain_text("exit code 3")
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    session = cookies["aifactory-session"]
    assert (session["path"], session["httpOnly"], session["sameSite"]) == (PREFIX, True, "Lax")
    assert "aifactory-session" not in page.evaluate("document.cookie")


def test_filters_are_in_the_address_and_come_back(page: Page, demo: Demo, jobs: dict[str, str]) -> None:
    page.get_by_label("State").select_option("FAILED")
    expect(page.get_by_role("option").filter(has_text="ago")).to_have_count(1)
    page.get_by_role("button", name="Mine").click()
    page.get_by_role("searchbox").fill("break")
    page.wait_for_url(re.compile(r"\?mine=true&state=FAILED&text=break$"))
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("break")
    expect(page.get_by_label("State")).to_have_value("FAILED")
    row(page, "breaks").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("breaks")
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("break")
    page.goto(demo.address + PREFIX)
    expect(row(page, "train")).to_be_visible()


def test_one_job_tells_its_state_log_metrics_and_files(page: Page, jobs: dict[str, str]) -> None:
    row(page, "train").click()
    page.wait_for_url(re.compile(f"/jobs/{jobs['train']}$"))
    expect(page.locator(".aif-Job-head")).to_contain_text("Succeeded")
    expect(page.locator(".aif-Log pre")).to_contain_text("step 39 loss")
    expect(page.locator(".aif-Curve")).to_have_count(2)
    expect(page).to_have_title(re.compile("train"))
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download model.txt").click()
    assert Path(waiting.value.path()).read_text() == "weights"
    assert page.get_by_role("button", name="Save model.txt").count() == 0


def test_the_keyboard_alone_opens_a_job_and_cancels_it(page: Page, demo: Demo, jobs: dict[str, str]) -> None:
    page.goto(demo.address + PREFIX)
    expect(row(page, "long")).to_contain_text("Running")
    page.get_by_role("searchbox").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("long")
    cancel = page.get_by_role("button", name="Cancel job")
    cancel.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Cancel long?")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator(".aif-Job-head")).to_contain_text("Running")
    cancel.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".aif-Job-head")).to_contain_text("Cancelled")


def test_a_failed_job_is_tried_again(page: Page, demo: Demo, jobs: dict[str, str]) -> None:
    page.goto(f"{demo.address}{PREFIX}jobs/{jobs['breaks']}")
    expect(page.locator(".aif-Log pre")).to_contain_text("no such column")
    page.get_by_role("button", name="Retry").click()
    page.wait_for_url(lambda address: "/jobs/" in address and jobs["breaks"] not in address)
    expect(page.locator(".aif-Job-head")).to_contain_text("exit code 3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "phone", "zoomed"])
def test_it_reads_well(page: Page, demo: Demo, jobs: dict[str, str], size: str, scheme: Any) -> None:
    # 200 % on a screen of 1280 x 900 leaves half of both.
    width, height = {"wide": (1280, 900), "phone": (390, 844), "zoomed": (640, 450)}[size]
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": height})
    for what, address in {"list": PREFIX, "job": f"{PREFIX}jobs/{jobs['train']}"}.items():
        page.goto(demo.address + address)
        if what == "job":
            expect(page.locator(".aif-Curve")).to_have_count(2)
        else:
            expect(row(page, "train")).to_contain_text("Succeeded")
        assert sideways(page) <= 0
        assert complaints(page) == []
        picture(page, f"jobs-page/{what}-{size}-{scheme}", full=False)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})


def test_another_page_of_the_same_host_can_t_use_the_session(page: Page, demo: Demo, jobs: dict[str, str]) -> None:
    job = f"{PREFIX}api/v1/jobs/{jobs['train']}"
    page.goto(f"{demo.address}/hub/home")
    guess = {"X-XSRFToken": "guess"}
    for method, address, headers in [
        ("GET", job, {}),
        ("GET", job, guess),
        ("DELETE", job, guess),
        ("POST", f"{job}/retry", guess),
        ("GET", PREFIX, {"Accept": "text/html"}),
        ("GET", f"{job}/artifacts/model.txt", {}),
    ]:
        assert page.evaluate(ASK, [method, address, headers]) == 403, (method, address)


def test_a_link_survives_sign_in_and_is_nothing_to_another_team(page: Page, demo: Demo, jobs: dict[str, str]) -> None:
    link = f"{demo.address}{PREFIX}jobs/{jobs['train']}"
    with somebody_else(page):
        opened(page, link, "noor")
        assert page.url == link
        expect(page.get_by_role("heading", level=1)).to_have_text("train")
    with somebody_else(page):
        opened(page, link, "kai")
        expect(page.locator("body")).to_contain_text("There is no job")
        assert complaints(page) == []
        picture(page, "jobs-page/not-there", full=False)
        page.get_by_role("link", name="Jobs").click()
        expect(page.get_by_text("No jobs yet")).to_be_visible()


def test_who_is_in_two_teams_chooses_one(page: Page, demo: Demo, jobs: dict[str, str]) -> None:
    with somebody_else(page):
        opened(page, demo.address + PREFIX, "mika")
        expect(row(page, "train")).to_be_visible()
        page.get_by_label("Team").select_option("vision")
        page.wait_for_url(re.compile(r"\?team=vision$"))
        expect(page.get_by_text("No jobs yet")).to_be_visible()


def test_signing_out_at_the_hub_ends_the_session(page: Page, demo: Demo) -> None:
    page.goto(demo.address + PREFIX)
    kept = [cookie for cookie in page.context.cookies() if cookie["name"] == "aifactory-session"]
    page.get_by_role("link", name="Sign out").click()
    page.wait_for_url(re.compile("/hub/log"))
    page.wait_for_load_state()
    page.context.add_cookies(kept)  # type: ignore[arg-type]
    # The service takes one answer of the hub about a token for a moment.
    page.wait_for_timeout(2000 * SHARED)
    page.goto(demo.address + PREFIX)
    expect(page).to_have_url(re.compile("/hub/login"))
