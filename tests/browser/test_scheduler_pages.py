"""jupyter-scheduler's own pages on our job service, clicked through as its user does, in an environment of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from ..lab.conftest import account
from ..support.jupyterlab import hub_side, running_lab
from .chromium import picture
from .lab import patient_browser
from .lab_versions import OLDEST
from .test_lab_versions import PARAMETRISED

pytestmark = pytest.mark.browser

CONFIG = {
    "SchedulerApp": {
        "scheduler_class": "aifactory_hub.lab.scheduler.AIFactoryScheduler",
        "environment_manager_class": "aifactory_hub.lab.scheduler.Profiles",
    }
}
SLOW = PARAMETRISED.replace("print('the rate is', rate)", "import time; time.sleep(600)")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """ada's JupyterLab; nothing that it asks may be answered by a fault, and its pages may not stumble."""
    place, wrong = tmp_path_factory.mktemp("scheduler"), list[str]()
    config = place / "config"
    config.mkdir()
    (config / "jupyter_server_config.json").write_text(json.dumps(CONFIG))
    with (
        hub_side(place / "hub") as service,
        running_lab(
            place / "lab", {**account(service.url), "JUPYTER_CONFIG_DIR": str(config)}, python=OLDEST.python()
        ) as lab,
        patient_browser() as context,
    ):
        home = place / "lab/home"
        (home / "fit.ipynb").write_text(PARAMETRISED)
        (home / "slow.ipynb").write_text(SLOW)
        found = context.pages[0]
        found.on("pageerror", lambda error: wrong.append(str(error)))
        found.goto(lab.url)
        found.wait_for_selector(".jp-Launcher")
        yield found
    assert wrong == []


def test_a_job_from_the_context_menu_to_its_notebook(page: Page) -> None:
    form = _form(page, "fit.ipynb")
    expect(form.get_by_label("Job name")).to_have_value("fit")
    form.locator("[title='Add new parameter']").click()
    form.locator("input[name='parameter-0-name']").fill("rate")
    form.locator("input[name='parameter-0-value']").fill("0.25")
    page.keyboard.press("Tab")  # what was typed is looked at when it is left
    _create(form)
    _becomes(page, "fit", "Completed")
    pages = _pages(page)
    pages.get_by_title(re.compile("Download")).click()
    pages.get_by_title(re.compile('Open output file "fit-')).click()
    expect(page.locator(".jp-NotebookPanel:visible")).to_contain_text("the rate is 0.25")
    page.locator(".lm-TabBar-tab", has_text=re.compile("^Jobs$")).click()
    pages.get_by_title('Open detail view for "fit"').click()
    for words in ("mig-1g.10gb", "Completed", "rate", "0.25"):
        expect(pages).to_contain_text(words)
    expect(pages).to_contain_text(re.compile(r"Ran with input folder\s*Yes"))
    picture(page, "scheduler/detail", full=False)


def test_one_that_runs_is_stopped_and_deleted(page: Page) -> None:
    _create(_form(page, "slow.ipynb"))
    pages = _pages(page)
    row = pages.locator("tr", has_text="slow.ipynb")
    _becomes(page, "slow", "In progress")
    row.get_by_title('Stop "slow"').click()
    row.get_by_role("button", name="Stop", exact=True).click()
    _becomes(page, "slow", "Stopped")
    picture(page, "scheduler/list", full=False)
    row.get_by_title('Delete "slow"').click()
    row.get_by_role("button", name="Delete", exact=True).click()
    expect(row).to_have_count(0)


def test_a_schedule_is_refused_with_the_way_to_ours(page: Page) -> None:
    form = _form(page, "fit.ipynb")
    form.get_by_label("Run on a schedule").check()
    form.get_by_role("button", name="Create", exact=True).click()
    expect(form).to_contain_text("Schedules are not made here: the job service has its own")
    form.get_by_role("button", name="Cancel", exact=True).click()
    pages = _pages(page)
    pages.get_by_text("Job Definitions", exact=True).click()
    expect(pages).to_contain_text("There are no job definitions")


def _pages(page: Page) -> Locator:
    return page.locator("#jp-main-dock-panel .jp-notebook-jobs-panel:visible")


def _form(page: Page, file: str) -> Locator:
    page.locator(".jp-DirListing-item", has_text=file).click(button="right")
    page.get_by_role("menuitem", name="Create Job").click()
    form = _pages(page)
    # What is typed before the form knows what can be had is lost again.
    expect(form).to_contain_text("mig-1g.10gb")
    expect(form.get_by_role("button", name="Create", exact=True)).to_be_enabled()
    return form


def _create(form: Locator) -> None:
    form.get_by_role("button", name="Create", exact=True).click()
    expect(form).to_contain_text("has been created")


def _becomes(page: Page, name: str, status: str) -> None:
    """Its row says so after a while; the list is asked for anew only by hand."""
    row = _pages(page).locator("tr", has_text=f"{name}.ipynb")
    for _ in range(60):
        _pages(page).get_by_role("button", name="Reload").click()
        page.wait_for_timeout(1_000)
        if status in row.inner_text():
            return
    raise AssertionError(row.inner_text())
