"""The panel in JupyterLab, in real Chromium on the demo: real hub, service, JupyterLab and jobs; simulated GPUs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from .chromium import picture
from .demo_jobs import ago, give_steps, job_database, state_of
from .lab import (
    CALL,
    SLICE,
    TIMEOUT,
    Demo,
    complaints,
    open_job,
    panel_of_ada,
    post,
    shown,
    side,
    submit_as_job,
    toast,
)

pytestmark = pytest.mark.browser

# From wide to narrow: JupyterLab does not bring back what its status bar has hidden in a narrow window.
WIDTHS = {"wide": 1600, "middle": 900, "narrow": 480}
THEMES = ("JupyterLab Light", "JupyterLab Dark")
# The tour itself submits jobs and waits for them; this one does its own work, with a parameter to fill in.
NOTEBOOK = """
{"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec":
  {"name": "python3", "display_name": "Python 3", "language": "python"}}, "cells": [
  {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "outputs": [], "execution_count": null,
   "source": "rate = 0.5  # how fast it learns"},
  {"cell_type": "code", "id": "b", "metadata": {}, "outputs": [], "execution_count": null,
   "source": "print('the rate is', rate)\\nopen('rate.txt', 'w').write(str(rate))"}]}
"""


# As the hub's own page does it.
STOP = """async () => {
  const token = document.cookie.match(/_xsrf=([^;]*)/)?.[1] ?? '';
  const answer = await fetch('/hub/api/users/ada/server', {method: 'DELETE', headers: {'X-XSRFToken': token}});
  return answer.status;
}"""


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    """ada's JupyterLab with the panel open."""
    with panel_of_ada(demo) as found:
        yield found


def test_the_panel_says_where_she_is_and_what_is_left(page: Page) -> None:
    panel = page.locator(".aif-Panel")
    for words in ("Language", SLICE, "0.40 EUR an hour", "left", "are simulated"):
        expect(panel).to_contain_text(words)
    expect(page.locator(".aif-Status-main")).to_contain_text(SLICE)
    assert "JUPYTERHUB_API_TOKEN" not in page.content()


def test_a_script_from_the_context_menu_to_its_file(page: Page) -> None:
    submit_as_job(page, "train.py")
    form = page.locator(".aif-Submit")
    expect(form.get_by_label("Command")).to_have_value("python3 train.py")
    expect(form.locator("input[type=radio]:checked + label")).to_contain_text(SLICE)
    form.get_by_role("button", name="Check").click()
    expect(form.locator(".aif-Verdict")).to_contain_text("It would be taken")
    expect(form.locator(".aif-Verdict")).to_contain_text("would travel with it")
    form.get_by_role("button", name="Submit").click()
    page.get_by_role("button", name="Show").last.click()
    job = page.locator(".aif-Job")
    expect(job.locator("h1")).to_have_text("train")
    expect(job).to_contain_text("Succeeded")
    expect(job.locator(".aif-Log pre")).to_contain_text("accuracy: 0.9")
    with page.expect_download() as waiting:
        job.get_by_role("link", name="Download metrics.json").click()
    assert "accuracy" in Path(waiting.value.path()).read_text()
    side(page, "aifactory-hub-panel")
    expect(page.locator(".aif-Row").first).to_contain_text("Succeeded")


def test_a_notebook_from_the_context_menu_with_a_parameter(page: Page) -> None:
    content = {"type": "file", "format": "text", "content": NOTEBOOK}
    assert page.evaluate(CALL, ["PUT", "api/contents/fit.ipynb", content])["status"] == 201
    submit_as_job(page, "tour.ipynb")
    expect(shown(page, ".aif-Submit")).to_contain_text("This notebook has no parameters")
    submit_as_job(page, "fit.ipynb")
    form = shown(page, ".aif-Submit")
    rate = form.get_by_label("rate")
    expect(rate).to_have_value("0.5")
    expect(form).to_contain_text("how fast it learns")
    rate.fill("0.1x")
    expect(form).to_contain_text("Write it as JSON")
    expect(form.get_by_role("button", name="Submit")).to_be_disabled()
    rate.fill("0.25")
    form.get_by_role("button", name="Submit").click()
    toast(page, "fit is submitted").get_by_role("button", name="Show").click()
    job = shown(page, ".aif-Job")
    expect(job.locator("h1")).to_have_text("fit")
    expect(job).to_contain_text("Succeeded")
    expect(job.locator(".aif-Log pre")).to_contain_text("the rate is 0.25")
    job.get_by_role("button", name="Save fit.out.ipynb among my files and open it").click()
    expect(shown(page, ".jp-NotebookPanel")).to_contain_text("the rate is 0.25")


def test_one_that_runs_is_followed_and_cancelled_by_keyboard(page: Page) -> None:
    side(page, "aifactory-hub-panel")
    post(page, "long", "echo begun; sleep 600")
    page.get_by_role("button", name="The team's").click()  # it asks at once
    rows = page.get_by_role("listbox", name="Jobs, newest first")
    expect(rows.get_by_role("option").first).to_contain_text("long")
    rows.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    job = shown(page, ".aif-Job")
    expect(job.locator("h1")).to_have_text("long")
    expect(job.locator(".aif-Log pre")).to_contain_text("begun")
    job.get_by_role("button", name="Cancel job").press("Enter")
    expect(job).to_contain_text("Cancelled")


def test_a_job_is_suspended_resumed_cancelled_and_tried_again(page: Page) -> None:
    post(page, "steered", "echo attempt; sleep 600")
    job = open_job(page, "steered")
    expect(job.locator(".aif-Log pre")).to_contain_text("attempt")
    job.get_by_role("button", name="Suspend").click()
    expect(job.locator(".aif-Job-head")).to_contain_text("Suspended")
    job.get_by_role("button", name="Resume").click()
    expect(job.locator(".aif-Job-head")).to_contain_text("Running")
    expect(job).to_contain_text("Previous attempts")
    job.get_by_role("tab", name="Attempt 2").press("ArrowLeft")
    expect(job.get_by_role("tab", name="Attempt 1")).to_have_attribute("aria-selected", "true")
    expect(job.locator(".aif-Log pre")).to_contain_text("attempt")
    job.get_by_role("tab", name="Attempt 2").click()
    job.get_by_role("button", name="Cancel job").click()
    expect(job.locator(".aif-Job-head")).to_contain_text("Cancelled")
    first = _fact(job, "Id")
    job.get_by_role("button", name="Retry").click()
    again = shown(page, ".aif-Job")
    expect(again.locator(".aif-Job-head")).to_contain_text("Running")
    assert _fact(again, "Id") != first
    expect(again).to_contain_text("Nothing that is known here.")
    again.get_by_role("button", name="Cancel job").click()
    expect(again.locator(".aif-Job-head")).to_contain_text("Cancelled")


def test_the_steps_of_a_workflow_and_the_log_of_one_of_them(page: Page, demo: Demo) -> None:
    """The demo has no engine of steps: a job prints as those of a workflow do, and its row gets what Argo would say."""
    post(page, "engine", "echo '=== load ==='; echo read 5 files; echo '=== train ==='; echo epoch 1; sleep 600")
    job = open_job(page, "engine")
    log = job.locator(".aif-Log")
    expect(log).to_contain_text("epoch 1")
    give_steps(demo, _fact(job, "Id"))
    steps = job.locator(".aif-Steps tbody tr")
    for index, words in enumerate(("load✓ Succeeded12 s", "train▶ Running", "evaluateno node has room")):
        expect(steps.nth(index)).to_contain_text(words)
    expect(steps.nth(2).get_by_role("button")).to_have_count(0)
    job.get_by_role("button", name="Show the log of load alone").press("Enter")
    expect(log.locator("h2")).to_have_text("Log of load")
    expect(log.locator("pre")).to_have_text("read 5 files\n")
    assert complaints(page, ".aif-Job:visible") == []
    picture(page, "lab/steps", full=False)
    job.get_by_role("button", name="Show the whole log").click()
    expect(log).to_contain_text("epoch 1")
    job.get_by_role("button", name="Cancel job").click()
    expect(job.locator(".aif-Job-head")).to_contain_text("Cancelled")


def test_submitted_again_with_another_value_it_says_what_differs(page: Page) -> None:
    job = open_job(page, "fit")
    job.get_by_role("button", name="Submit again").click()
    form = shown(page, ".aif-Submit")
    rate = form.get_by_label("rate")
    expect(rate).to_have_value("0.25")
    rate.fill("0.125")
    form.get_by_role("button", name="Submit").click()
    toast(page, "fit is submitted").last.get_by_role("button", name="Show").click()
    again = shown(page, ".aif-Job")
    expect(again).to_contain_text("Succeeded")
    expect(_row(again, "Parameter rate")).to_contain_text("0.125")
    differs = again.locator(".aif-Changes tr", has_text="Parameters")
    expect(differs).to_contain_text("rate = 0.25")
    expect(differs).to_contain_text("rate = 0.125")


def test_the_end_of_a_job_is_told_after_a_reload(page: Page, demo: Demo) -> None:
    lab, go = page.url, demo.folder / "go"
    post(page, "meanwhile", f"until test -e {go}; do sleep 0.2; done; echo went")
    job = open_job(page, "meanwhile")
    expect(job.locator(".aif-Job-head")).to_contain_text("Running")
    name = _fact(job, "Id")
    _until(lambda: any(name in kept.read_text() for kept in demo.folder.glob("homes/**/*.jupyterlab-workspace")))
    page.goto("about:blank")
    go.touch()
    _until(lambda: state_of(demo, name) == "SUCCEEDED")
    page.goto(lab)
    toast(page, "meanwhile").get_by_role("button", name="Show").click()
    expect(shown(page, ".aif-Job").locator(".aif-Log pre")).to_contain_text("went")


def test_before_an_idle_stop_one_click_keeps_the_server(page: Page) -> None:
    quiet = {"stops_after": 1200, "last_activity": ago(700)}
    page.route("**/aifactory-hub/overview*", lambda route: _with(route, idle=quiet))
    warning = page.locator(".aif-Status").get_by_role("button", name=re.compile("still here"))
    page.get_by_role("button", name="Mine").click()
    expect(warning).to_contain_text("Idle: stops in 8 min")
    expect(toast(page, "Nothing happens on this server")).to_be_visible()
    page.unroute_all(behavior="wait")
    with page.expect_response("**/aifactory-hub/presence") as answer:
        warning.click()
    assert answer.value.status == 200
    expect(warning).to_have_count(0)
    expect(toast(page, "Nothing happens on this server")).to_have_count(0)


def test_that_the_quota_is_taken_back_is_told_in_jupyterlab(page: Page) -> None:
    until = datetime.now(UTC) + timedelta(minutes=1)
    notice = {"why": "to give its quota back: Vision asks for its own", "until": until.isoformat()}
    page.route("**/aifactory-hub/overview*", lambda route: _with(route, notice=notice))
    page.get_by_role("button", name="The team's").click()
    expect(toast(page, "to give its quota back: Vision asks for its own.")).to_be_visible()
    expect(page.locator(".aif-Panel .aif-Notice", has_text="Save your work now")).to_be_visible()
    expect(page.locator(".aif-Status")).to_contain_text("save your work")
    page.unroute_all(behavior="wait")
    page.get_by_role("button", name="Mine").click()
    expect(page.locator(".aif-Status")).not_to_contain_text("save your work")


def test_what_was_typed_is_kept_while_the_network_is_away(page: Page) -> None:
    submit_as_job(page, "fit.ipynb")
    form = shown(page, ".aif-Submit")
    form.get_by_label("rate").fill("0.75")
    page.context.set_offline(True)
    form.get_by_role("button", name="Submit").click()
    expect(form.get_by_role("alert")).to_contain_text("What you typed is kept")
    expect(form.get_by_label("rate")).to_have_value("0.75")
    page.context.set_offline(False)
    form.get_by_role("button", name="Submit").click()
    expect(toast(page, "fit is submitted").last).to_be_visible()


def test_a_form_outlives_a_hub_that_does_not_answer_and_submits_once(page: Page, demo: Demo) -> None:
    submit_as_job(page, "fit.ipynb")
    form = shown(page, ".aif-Submit")
    form.get_by_label("rate").fill("0.3125")
    with demo.silent():
        form.get_by_role("button", name="Submit").click()
        expect(form.get_by_role("alert")).to_contain_text("What you typed is kept")
        expect(form.get_by_label("rate")).to_have_value("0.3125")
    # What is told of earlier jobs goes by itself.
    expect(toast(page, "fit is submitted")).to_have_count(0)
    form.get_by_role("button", name="Submit").click()
    expect(toast(page, "fit is submitted")).to_be_visible()
    # The first click's request may have been carried out once the hub went on.
    with closing(job_database(demo)) as service:
        found = service.execute("SELECT count(*) FROM jobs WHERE command LIKE '%0.3125%'").fetchall()
    assert found == [(1,)]


def test_a_refusal_is_in_the_service_s_own_words(page: Page) -> None:
    fields = {"command": "true", "profile": "none"}
    answer = page.evaluate(CALL, ["POST", "aifactory-hub/submit", {"folder": None, "fields": fields, "key": "r"}])
    assert 400 <= answer["status"] < 500
    assert "none" in answer["body"]["detail"]


def test_what_is_refused_stands_at_its_field_as_it_is_called_there(page: Page) -> None:
    submit_as_job(page, "train.py")
    form = shown(page, ".aif-Submit")
    form.get_by_text("Name, time limit, retries").click()
    form.locator("#root_max_seconds").fill("-5")
    said = form.locator(".validationErrors")
    expect(said.filter(has_text="must be >= 1")).to_be_visible()
    form.get_by_role("button", name="Check").click()
    expect(said.filter(has_text="Longest run, in seconds is -5: it should be greater")).to_be_visible()
    expect(form.get_by_role("alert")).to_have_count(0)
    form.locator("#root_max_seconds").fill("60")
    expect(said.filter(has_text=re.compile("[a-z]"))).to_have_count(0)


def test_what_ends_together_is_told_together_with_the_failures_first(page: Page) -> None:
    for name, command in (("together-a", "true"), ("together-b", "true"), ("together-bad", "exit 3")):
        post(page, name, command)
    side(page, "aifactory-hub-panel")
    told = toast(page, "together-bad")
    expect(told).to_contain_text(re.compile(r"[2-9] jobs ended, 1 failed: together-bad \(.*exit code 3\)"))
    expect(toast(page, "together-")).to_have_count(1)
    told.get_by_role("button", name="Show the first failure").click()
    expect(shown(page, ".aif-Job").locator("h1")).to_have_text("together-bad")


def test_offline_is_said_and_goes_by_itself(page: Page) -> None:
    side(page, "aifactory-hub-panel")
    page.context.set_offline(True)
    page.get_by_role("button", name="The team's").click()
    notice = page.locator(".aif-Panel .aif-Notice[data-kind=trouble]")
    expect(notice).to_contain_text("No connection to your server")
    page.context.set_offline(False)
    expect(notice).to_have_count(0)


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_of_ours_and_pictures(page: Page, theme: str) -> None:
    _afresh(page)
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu-item[data-type=submenu]", has_text=re.compile("^Theme$")).click()
    page.locator(".lm-Menu-item", has_text=re.compile(f"^{theme}$")).click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    submit_as_job(page, "fit.ipynb")
    form = shown(page, ".aif-Submit")
    form.get_by_role("button", name="Check").click()
    expect(form.locator(".aif-Verdict")).to_contain_text("It would be taken")
    side(page, "aifactory-hub-panel")
    expect(page.locator(".aif-Row").first).to_be_visible()
    found = complaints(page, ".aif-Panel", ".aif-Submit:visible", ".aif-Status")
    shade = theme.split()[-1].lower()
    picture(page, f"lab/submit-{shade}", full=False)
    page.locator(".aif-Row", has_text="fit").first.click()
    job = shown(page, ".aif-Job")
    expect(job.locator(".aif-Log pre")).to_contain_text("the rate is")
    expect(job).to_contain_text("rate.txt")
    found += complaints(page, ".aif-Job:visible")
    for name, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 900})
        if name == "narrow":
            # There is no room for both: what was opened is what is seen.
            page.locator(".aif-Row", has_text="fit").first.click()
            expect(page.locator(".aif-Panel")).to_be_hidden()
        expect(page.locator(".aif-Status")).to_be_visible()
        page.wait_for_timeout(500)  # JupyterLab lays its parts out again, one after the other
        picture(page, "lab/jupyterlab" if (name, shade) == ("wide", "light") else f"lab/{name}-{shade}", full=False)
        side(page, "aifactory-hub-panel")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert found == []


def test_a_server_that_was_stopped_is_said_to_have_with_a_way_to_start_it(page: Page, demo: Demo) -> None:
    """The last one here: afterwards there is no JupyterLab."""
    gone = page.get_by_role("dialog", name=re.compile("Server (unavailable|not running)", re.IGNORECASE))
    page.add_locator_handler(gone, lambda dialog: dialog.get_by_role("button", name="Dismiss").click())
    hub = page.context.new_page()
    hub.goto(f"{demo.address}/hub/home")
    assert hub.evaluate(STOP) in (202, 204)
    hub.close()
    page.get_by_role("button", name="The team's").click()
    notice = page.locator(".aif-Panel .aif-Notice[data-kind=trouble]")
    expect(notice).to_contain_text("Your server has stopped. Your jobs go on.")
    assert "/hub/spawn/ada" in str(notice.get_by_role("link", name="Start it again").get_attribute("href"))


def _afresh(page: Page) -> None:
    """JupyterLab without the tabs of the tests before, so that a picture shows what it is of."""
    page.goto(re.sub(r"/lab.*", "/lab?reset", page.url))
    page.wait_for_selector(".jp-Launcher")


def _row(job: Locator, name: str) -> Locator:
    return job.locator(".aif-Facts > div", has=job.page.locator(f"dt:text-is('{name}')")).locator("dd")


def _fact(job: Locator, name: str) -> str:
    return _row(job, name).inner_text()


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT / 1000
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _with(route: Route, **here: Any) -> None:
    """Answer as the server does, save for what is known ``here``."""
    answer = route.fetch()
    body = answer.json()
    body["here"].update(here)
    route.fulfill(response=answer, json=body)
