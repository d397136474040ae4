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
SLICE = "mig-1g.10gb"
# Milliseconds. A small machine that builds beside this takes long to load JupyterLab.
PATIENCE = 120_000


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
    page.click("[data-id=aifactory-hub-panel]")
    expect(page.locator(".aif-Row").first).to_contain_text("Succeeded")
