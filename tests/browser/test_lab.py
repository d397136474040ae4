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
from playwright.sync_api import Page, expect

from aifactory_hub.demo.folder import find_ports

from .chromium import browser

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs/images/lab"
SLICE = "mig-1g.10gb"
# Milliseconds. A small machine that builds beside this takes long to load JupyterLab.
PATIENCE = 120_000
WIDTHS = {"phone": 480, "laptop": 1280, "wide": 1920}


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
        page.check(f"input[name=profile][value='{SLICE}']", force=True)
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
    expect(form.locator(f"input[type=radio]:checked + label >> text={SLICE}")).to_be_visible()
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
    page.click("[data-id=aifactory-hub-panel]")
    expect(page.locator(".aif-Row").first).to_contain_text("Succeeded")


def test_one_that_runs_is_cancelled_by_keyboard(page: Page) -> None:
    _submit(page, "long", "echo begun; sleep 600")
    rows = page.get_by_role("listbox", name="Jobs, newest first")
    expect(rows.get_by_role("option").first).to_contain_text("Running")
    rows.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    job = page.locator(".aif-Job:visible")
    expect(job.locator("h1")).to_have_text("long")
    expect(job.locator(".aif-Log pre")).to_contain_text("begun")
    job.get_by_role("button", name="Cancel").press("Enter")
    expect(job).to_contain_text("Cancelled")


def test_a_refusal_is_the_service_s_own_words(page: Page) -> None:
    answer = page.evaluate(
        _POST, ["submit", {"folder": None, "fields": {"command": "true", "profile": "none"}, "key": "r"}]
    )
    assert answer["status"] == 403 or answer["status"] == 400
    assert "none" in answer["body"]["detail"]


def test_offline_is_said_and_goes_by_itself(page: Page) -> None:
    page.context.set_offline(True)
    page.get_by_role("button", name="Mine").click()
    notice = page.locator(".aif-Panel .aif-Notice[data-kind=trouble]")
    expect(notice).to_contain_text("No connection to your server")
    page.context.set_offline(False)
    expect(notice).to_have_count(0)
    page.get_by_role("button", name="The team's").click()


def test_pictures_at_three_widths_in_both_themes(page: Page) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate(_THEME, theme)
        page.wait_for_selector(f"body[data-jp-theme-name='{theme}']")
        for name, width in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.locator(".aif-Row").first).to_be_visible()
            page.screenshot(path=str(PICTURES / f"{name}-{theme.split()[-1].lower()}.png"))


_POST = """async ([path, body]) => {
  const token = document.cookie.match(/_xsrf=([^;]*)/)?.[1] ?? '';
  const base = JSON.parse(document.getElementById('jupyter-config-data').textContent).baseUrl;
  const answer = await fetch(base + 'aifactory-hub/' + path, {
    method: 'POST', body: JSON.stringify(body), headers: {'X-XSRFToken': token, 'Content-Type': 'application/json'}
  });
  return {status: answer.status, body: await answer.json()};
}"""
_THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"


def _submit(page: Page, name: str, command: str) -> None:
    fields = {"command": command, "profile": SLICE, "name": name}
    answer = page.evaluate(_POST, ["submit", {"folder": None, "fields": fields, "key": name}])
    assert answer["status"] == 200, answer
