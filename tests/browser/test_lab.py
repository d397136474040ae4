"""The panel in JupyterLab, in real Chromium on the demo: real hub, service, JupyterLab and jobs; simulated GPUs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from aifactory_hub.demo.folder import find_ports

from .chromium import browser, picture

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
SLICE = "mig-1g.10gb"
# Milliseconds. A small machine that builds beside this takes long to load JupyterLab.
PATIENCE = 120_000
WIDTHS = {"narrow": 900, "laptop": 1280, "wide": 1920}
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


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo's address. The panel is built first, so that it is there at the first look."""
    subprocess.run([sys.executable, str(ROOT / "labextension/build.py")], check=True, timeout=900)
    folder, port = tmp_path_factory.mktemp("demo"), find_ports(0).public
    code = "from aifactory_hub.cli import main; main()"
    words = [sys.executable, "-c", code, "demo", "--port", str(port), "--folder", str(folder), "--speed", "0"]
    output = (folder.parent / "demo.out").open("wb")
    process = subprocess.Popen(words, stdout=output, stderr=output, start_new_session=True)
    try:
        yield _answering(process, f"http://127.0.0.1:{port}", folder.parent / "demo.out")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        output.close()


def _answering(process: subprocess.Popen[bytes], address: str, output: Path) -> str:
    transport = httpx.HTTPTransport(retries=5)
    with httpx.Client(trust_env=False, transport=transport, timeout=10) as client:
        while "Ctrl-C stops everything" not in output.read_text(errors="replace"):
            assert process.poll() is None, output.read_text(errors="replace")
            try:
                process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                continue
        assert client.get(f"{address}/hub/health").status_code == 200
    return address


@pytest.fixture(scope="module")
def page(demo: str) -> Iterator[Page]:
    """ada's JupyterLab with the panel open."""
    with browser() as context:
        context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page = context.pages[0]
        page.goto(f"{demo}/hub/oauth_login")
        page.click("text=ada")
        page.wait_for_url(re.compile("/hub/(home|spawn)"))
        page.goto(f"{demo}/hub/spawn")
        page.locator(f"input[name=profile][value$='{SLICE}']").first.check(force=True)
        page.locator("form [type=submit]").last.click()
        page.wait_for_url(re.compile("/user/ada/lab"), wait_until="commit")
        page.wait_for_selector(".jp-NotebookPanel")
        page.click("[data-id=aifactory-hub-panel]")
        page.wait_for_selector(".aif-Facts")
        yield page


def test_the_panel_says_where_she_is_and_what_is_left(page: Page) -> None:
    panel = page.locator(".aif-Panel")
    for words in ("Language", SLICE, "0.40 an hour", "left", "are simulated"):
        expect(panel).to_contain_text(words)
    expect(page.locator(".aif-Status-main")).to_contain_text(SLICE)
    assert "JUPYTERHUB_API_TOKEN" not in page.content()


def test_a_script_from_the_context_menu_to_its_file(page: Page) -> None:
    page.click("[data-id=filebrowser]")
    page.locator(".jp-DirListing-item", has_text="train.py").click(button="right")
    page.get_by_role("menuitem", name=re.compile("Submit as job")).click()
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
    _side(page, "aifactory-hub-panel")
    expect(page.locator(".aif-Row").first).to_contain_text("Succeeded")


def test_a_notebook_from_the_context_menu_with_a_parameter(page: Page) -> None:
    content = {"type": "file", "format": "text", "content": NOTEBOOK}
    assert page.evaluate(_CALL, ["PUT", "api/contents/fit.ipynb", content])["status"] == 201
    _submit_as_job(page, "tour.ipynb")
    expect(_shown(page, ".aif-Submit")).to_contain_text("This notebook has no parameters")
    _submit_as_job(page, "fit.ipynb")
    form = _shown(page, ".aif-Submit")
    rate = form.get_by_label("rate")
    expect(rate).to_have_value("0.5")
    expect(form).to_contain_text("how fast it learns")
    rate.fill("0.1x")
    expect(form).to_contain_text("Write it as JSON")
    expect(form.get_by_role("button", name="Submit")).to_be_disabled()
    rate.fill("0.25")
    form.get_by_role("button", name="Submit").click()
    _toast(page, "fit is submitted").get_by_role("button", name="Show").click()
    job = _shown(page, ".aif-Job")
    expect(job.locator("h1")).to_have_text("fit")
    expect(job).to_contain_text("Succeeded")
    expect(job.locator(".aif-Log pre")).to_contain_text("the rate is 0.25")
    job.get_by_role("button", name="Save fit.out.ipynb among my files and open it").click()
    expect(_shown(page, ".jp-NotebookPanel")).to_contain_text("the rate is 0.25")


def test_one_that_runs_is_followed_and_cancelled_by_keyboard(page: Page) -> None:
    _side(page, "aifactory-hub-panel")
    _post(page, "long", "echo begun; sleep 600")
    rows = page.get_by_role("listbox", name="Jobs, newest first")
    expect(rows.get_by_role("option").first).to_contain_text("long")
    rows.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    job = _shown(page, ".aif-Job")
    expect(job.locator("h1")).to_have_text("long")
    expect(job.locator(".aif-Log pre")).to_contain_text("begun")
    job.get_by_role("button", name="Cancel").press("Enter")
    expect(job).to_contain_text("Cancelled")


def test_a_refusal_is_in_the_service_s_own_words(page: Page) -> None:
    fields = {"command": "true", "profile": "none"}
    answer = page.evaluate(_CALL, ["POST", "aifactory-hub/submit", {"folder": None, "fields": fields, "key": "r"}])
    assert 400 <= answer["status"] < 500
    assert "none" in answer["body"]["detail"]


def test_offline_is_said_and_goes_by_itself(page: Page) -> None:
    page.context.set_offline(True)
    page.get_by_role("button", name="Mine").click()
    notice = page.locator(".aif-Panel .aif-Notice[data-kind=trouble]")
    expect(notice).to_contain_text("No connection to your server")
    page.context.set_offline(False)
    expect(notice).to_have_count(0)


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_of_ours_and_pictures(page: Page, theme: str) -> None:
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu-item[data-type=submenu]", has_text=re.compile("^Theme$")).click()
    page.locator(".lm-Menu-item", has_text=re.compile(f"^{theme}$")).click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    _submit_as_job(page, "fit.ipynb")
    form = _shown(page, ".aif-Submit")
    form.get_by_role("button", name="Check").click()
    expect(form.locator(".aif-Verdict")).to_contain_text("It would be taken")
    _side(page, "aifactory-hub-panel")
    expect(page.locator(".aif-Row").first).to_be_visible()
    complaints = _complaints(page, ".aif-Panel", ".aif-Submit:visible", ".aif-Status")
    shade = theme.split()[-1].lower()
    picture(page, f"lab/submit-{shade}", full=False)
    page.locator(".aif-Row", has_text="fit").first.click()
    expect(_shown(page, ".aif-Job").locator(".aif-Log pre")).to_contain_text("the rate is 0.25")
    complaints += _complaints(page, ".aif-Job:visible")
    for name, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 900})
        picture(page, "lab/jupyterlab" if (name, shade) == ("laptop", "light") else f"lab/{name}-{shade}", full=False)
    page.set_viewport_size({"width": 1280, "height": 900})
    assert complaints == []


_CALL = """async ([method, path, body]) => {
  const token = document.cookie.match(/_xsrf=([^;]*)/)?.[1] ?? '';
  const base = JSON.parse(document.getElementById('jupyter-config-data').textContent).baseUrl;
  const answer = await fetch(base + path, {
    method, body: JSON.stringify(body), headers: {'X-XSRFToken': token, 'Content-Type': 'application/json'}
  });
  return {status: answer.status, body: await answer.json()};
}"""


def _post(page: Page, name: str, command: str) -> None:
    fields = {"command": command, "profile": SLICE, "name": name}
    answer = page.evaluate(_CALL, ["POST", "aifactory-hub/submit", {"folder": None, "fields": fields, "key": name}])
    assert answer["status"] == 200, answer


def _side(page: Page, which: str) -> None:
    """Open it in the side bar; a click on what is open would close it."""
    tab = page.locator(f"[data-id={which}]")
    if tab.get_attribute("aria-selected") != "true":
        tab.click()


def _submit_as_job(page: Page, file: str) -> None:
    _side(page, "filebrowser")
    page.locator(".jp-DirListing-item", has_text=file).click(button="right")
    page.get_by_role("menuitem", name=re.compile("Submit as job")).click()
    expect(_shown(page, ".aif-Submit").locator("h1")).to_contain_text(file)


def _shown(page: Page, which: str) -> Locator:
    """The one in the tab that is in front."""
    return page.locator(f"{which}:visible")


def _toast(page: Page, words: str) -> Locator:
    return page.locator(".Toastify__toast", has_text=words)


def _complaints(page: Page, *parts: str) -> list[str]:
    """What axe finds in these parts of the page, one line for each rule. The rest is JupyterLab's own."""
    for index, part in enumerate(parts):
        page.locator(part).evaluate("(node, id) => node.setAttribute('data-axe', id)", str(index))
    where = {"include": [[f"[data-axe='{index}']"] for index in range(len(parts))]}
    found = Axe().run(page, context=where).response["violations"]
    return [f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in found]
