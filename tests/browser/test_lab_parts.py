"""The ways to the form, the settings and the charts, in real Chromium on a real JupyterLab and job service."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from ..lab.conftest import account
from ..support.jupyterlab import CHECKOUT, hub_side, running_lab
from .chromium import picture
from .lab import complaints, patient_browser, shown, side
from .test_lab_versions import PARAMETRISED

pytestmark = pytest.mark.browser

GIB = 2**30


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """ada's JupyterLab, with a notebook and a folder."""
    subprocess.run([sys.executable, str(CHECKOUT / "labextension/build.py")], check=True, timeout=900)
    place = tmp_path_factory.mktemp("parts")
    with (
        hub_side(place / "hub") as service,
        running_lab(place / "lab", account(service.url)) as lab,
        patient_browser() as context,
    ):
        home = Path(place / "lab/home")
        (home / "fit.ipynb").write_text(PARAMETRISED)
        (home / "model").mkdir()
        (home / "model/train.py").write_text("print('trained')")
        found = context.pages[0]
        found.goto(lab.url)
        found.wait_for_selector(".jp-Launcher")
        yield found


def test_the_launcher_s_card_is_for_the_folder_that_is_open(page: Page) -> None:
    page.locator(".jp-LauncherCard", has_text="Submit a job").click()
    expect(_form(page).locator("h1")).to_have_text("Submit your home folder as a job")
    expect(_form(page).get_by_role("checkbox", name=re.compile("with the job"))).to_be_checked()


def test_the_context_menu_of_a_folder_takes_a_command(page: Page) -> None:
    page.locator(".jp-DirListing-item", has_text="model").click(button="right")
    page.get_by_role("menuitem", name=re.compile("Submit as job")).click()
    form = _form(page)
    expect(form.locator("h1")).to_have_text("Submit model as a job")
    expect(form.get_by_label("Command")).to_have_value("python3 train.py")
    form.get_by_label("Command").fill("")
    expect(form.get_by_role("button", name="Submit")).to_be_disabled()
    form.get_by_label("Command").fill("python train.py")
    form.get_by_role("button", name="Submit").click()
    toast = page.locator(".Toastify__toast", has_text="model is submitted")
    toast.get_by_role("button", name="Show").click()
    job = shown(page, ".aif-Job")
    expect(job).to_contain_text("Succeeded")
    expect(job.locator(".aif-Log pre")).to_contain_text("trained")


def test_the_notebook_s_button_and_the_palette_are_for_the_notebook(page: Page) -> None:
    page.locator(".jp-DirListing-item", has_text="fit.ipynb").dblclick()
    page.locator("[data-jp-item-name=aifactory-hub-submit]:visible").click()
    expect(_form(page).locator("h1")).to_have_text("Submit fit.ipynb as a job")
    page.locator(".lm-TabBar-tab", has_text="Submit fit.ipynb").locator(".lm-TabBar-tabCloseIcon").click()
    page.locator(".lm-TabBar-tab", has_text=re.compile(r"^fit\.ipynb$")).click()
    page.keyboard.press("Control+Shift+c")
    page.keyboard.type("Submit as job")
    page.locator(".lm-CommandPalette-item", has_text="Submit as job").click()
    expect(_form(page).locator("h1")).to_have_text("Submit fit.ipynb as a job")


def test_a_parameter_is_typed_and_submitted_by_keyboard_alone(page: Page) -> None:
    rate = _form(page).get_by_label("rate")
    rate.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("0.125")
    _tab_to(page, "Check")
    page.keyboard.press("Enter")
    expect(_form(page).locator(".aif-Verdict")).to_contain_text("It would be taken")
    _tab_to(page, "Submit")
    page.keyboard.press("Enter")
    expect(page.locator(".Toastify__toast", has_text="fit is submitted")).to_be_visible()


def test_settings_are_in_jupyterlab_s_own_editor_and_hold_at_once(page: Page) -> None:
    page.keyboard.press("Control+,")
    page.locator(".jp-PluginList-entry", has_text="AI Factory").click()
    editor = page.locator(".jp-SettingsPanel:visible")
    expect(editor).to_contain_text("Seconds between requests")
    expect(editor).to_contain_text("Tell when my jobs end")
    editor.locator("input[id$=defaultProfile]").fill("cpu-small")
    picture(page, "lab-settings", full=False)
    page.wait_for_timeout(1_500)  # the editor saves a moment after the last key
    page.locator(".jp-DirListing-item", has_text="fit.ipynb").click(button="right")
    page.get_by_role("menuitem", name=re.compile("Submit as job")).click()
    expect(_form(page).locator("input[type=radio]:checked + label")).to_contain_text("cpu-small")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_last_hour_is_drawn_where_it_is_measured(page: Page, theme: str) -> None:
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu-item[data-type=submenu]", has_text=re.compile("^Theme$")).click()
    page.locator(".lm-Menu-item", has_text=re.compile(f"^{theme}$")).click()
    side(page, "aifactory-hub-panel")
    charts = page.locator(".aif-Chart")
    expect(charts.nth(1)).to_contain_text("unknown")
    expect(charts.locator("svg")).to_have_count(0)
    page.route("**/aifactory-hub/overview*", _measured)
    page.get_by_role("button", name="Mine").click()
    expect(charts.nth(0)).to_contain_text("9.0 GiB / 16.0 GiB")
    expect(charts.nth(1)).to_contain_text("7.0 GiB")
    for index in (0, 1):
        path = charts.nth(index).locator("path")
        expect(path).to_have_attribute("d", re.compile("^M.*L"))
    # For five minutes nobody measured the GPU: a gap, not a line through nothing.
    assert str(charts.nth(1).locator("path").get_attribute("d")).count("M") == 2
    assert complaints(page, ".aif-Panel", ".aif-Status") == []
    picture(page, f"lab-usage-{theme.split()[-1].lower()}", full=False)
    page.unroute_all(behavior="wait")
    page.get_by_role("button", name="The team's").click()
    expect(charts.nth(1)).to_contain_text("unknown")


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_the_panel_and_its_tab_say_how_many_approvals_wait(page: Page, theme: str) -> None:
    page.get_by_role("menuitem", name="Settings").click()
    page.locator(".lm-Menu-item[data-type=submenu]", has_text=re.compile("^Theme$")).click()
    page.locator(".lm-Menu-item", has_text=re.compile(f"^{theme}$")).click()
    side(page, "aifactory-hub-panel")
    panel, tab = page.locator(".aif-Panel"), page.locator("[data-id=aifactory-hub-panel]")
    names = {
        2: "2 approvals wait for your vote",
        None: "How many approvals wait for your vote is not known now",
        0: None,
    }
    for waiting, name in names.items():
        page.route("**/aifactory-hub/overview*", partial(_waiting, waiting))
        page.get_by_role("button", name="Mine").click()
        page.get_by_role("button", name="The team's").click()
        count = panel.locator(".aif-Count")
        if name is None:
            expect(count).to_have_count(0)
        else:
            expect(count).to_have_accessible_name(name)
            assert complaints(page, ".aif-Panel") == []
        if waiting:
            expect(tab).to_have_attribute("data-aif-waiting", str(waiting))
            seen = tab.evaluate("tab => getComputedStyle(tab, '::before').content")
            assert str(seen).startswith(f'"{waiting}"')
            expect(tab).to_have_attribute("title", re.compile(name or ""))
            picture(page, f"lab-waiting-{theme.split()[-1].lower()}", full=False)
        else:
            expect(tab).not_to_have_attribute("data-aif-waiting", re.compile(""))
        page.unroute_all(behavior="wait")
    # The tab still opens and closes the panel.
    tab.click()
    expect(panel).to_be_hidden()
    side(page, "aifactory-hub-panel")
    expect(panel).to_be_visible()


def _waiting(waiting: int | None, route: Route) -> None:
    """The server's answer with so many approvals."""
    answer = route.fetch()
    body: dict[str, Any] = answer.json()
    body["team"]["approvals"] = waiting
    route.fulfill(response=answer, json=body)


def _form(page: Page) -> Locator:
    return shown(page, ".aif-Submit")


def _tab_to(page: Page, name: str) -> None:
    """Tab until the button of that name has the focus, as somebody without a mouse does."""
    button = _form(page).get_by_role("button", name=name, exact=True)
    for _ in range(30):
        page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            return
    raise AssertionError(f"{name} is not reached by Tab")


def _measured(route: Route) -> None:
    """The server's answer with what one with a limit of memory and a GPU would have measured."""
    answer = route.fetch()
    body: dict[str, Any] = answer.json()
    now = int(time.time())
    body["here"]["memory"] = {"used": 9 * GIB, "limit": 16 * GIB}
    body["here"]["usage"] = [
        {
            "at": now - age,
            "memory": int((9 - age / 900 + (age // 300) % 3) * GIB),
            "gpu_memory": None if 1200 < age < 1500 else int((7 - age / 1200) * GIB),
        }
        for age in range(3300, -1, -30)
    ]
    route.fulfill(response=answer, json=body)
