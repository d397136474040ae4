"""JupyterLab in the demo, and what a person does there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Locator, Page, expect

from aifactory_hub.demo.folder import find_ports

from .chromium import browser

ROOT = Path(__file__).resolve().parents[2]
SLICE = "mig-1g.10gb"
# Milliseconds. A small machine that builds beside this takes long to load JupyterLab.
TIMEOUT = 120_000


@dataclass(frozen=True)
class Demo:
    """Where it is, where its files are, and the process that is hub and service in one."""

    address: str
    folder: Path
    pid: int

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Hub and service take connections and answer nothing, as a machine that hangs; proxy and JupyterLab run."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


@contextmanager
def running_demo(above: Path, scenario: str = "calm") -> Iterator[Demo]:
    """The demo. The panel is built first, so that it is there at the first look."""
    subprocess.run([sys.executable, str(ROOT / "labextension/build.py")], check=True, timeout=900)
    folder, port = above / "demo", find_ports(0).public
    code = "from aifactory_hub.cli import main; main()"
    words = [sys.executable, "-c", code, "demo", "--port", str(port), "--folder", str(folder), "--speed", "0"]
    words += ["--scenario", scenario]
    # `make setup` has installed the proxy: in the cluster's network npm would wait for one that it can't reach.
    shutil.copytree(Path(sys.prefix) / "proxy", folder / "proxy", symlinks=True)
    output = (folder.parent / "demo.out").open("wb")
    process = subprocess.Popen(words, stdout=output, stderr=output, start_new_session=True)
    try:
        address = _answering(process, f"http://127.0.0.1:{port}", folder.parent / "demo.out")
        yield Demo(address, folder, process.pid)
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


@contextmanager
def patient_browser(**options: Any) -> Iterator[BrowserContext]:
    """A browser that waits for a small machine; ``options`` are Playwright's of a context."""
    with browser(**options) as context:
        context.set_default_timeout(TIMEOUT)
        expect.set_options(timeout=TIMEOUT)
        yield context


@contextmanager
def panel_of_ada(demo: Demo, **options: Any) -> Iterator[Page]:
    """ada's JupyterLab in the demo, with the panel open; ``options`` as of ``patient_browser``."""
    with patient_browser(**options) as context:
        enter(context.pages[0], demo.address)
        yield context.pages[0]


def enter(page: Page, address: str) -> None:
    """Sign in as ada, start a server, and open the panel in its JupyterLab."""
    # JupyterLab's own, over all of the page, when a request of its own has met no network.
    unreachable = page.get_by_role("dialog", name="Server unavailable or unreachable")
    page.add_locator_handler(unreachable, lambda dialog: dialog.get_by_role("button", name="Dismiss").click())
    page.goto(f"{address}/hub/oauth_login")
    page.click("text=ada")
    page.wait_for_url(re.compile("/hub/(home|spawn)"))
    page.goto(f"{address}/hub/spawn")
    page.locator(f"input[name=profile][value$='{SLICE}']").first.check(force=True)
    page.locator("form [type=submit]").last.click()
    page.wait_for_url(re.compile("/user/ada/lab"), wait_until="commit")
    page.wait_for_selector(".jp-NotebookPanel")
    page.click("[data-id=aifactory-hub-panel]")
    page.wait_for_selector(".aif-Facts")


CALL = """async ([method, path, body]) => {
  const token = document.cookie.match(/_xsrf=([^;]*)/)?.[1] ?? '';
  const base = JSON.parse(document.getElementById('jupyter-config-data').textContent).baseUrl;
  const answer = await fetch(base + path, {
    method, body: body === null ? undefined : JSON.stringify(body),
    headers: {'X-XSRFToken': token, 'Content-Type': 'application/json'}
  });
  return {status: answer.status, body: await answer.json()};
}"""


def post(page: Page, name: str, command: str) -> None:
    fields = {"command": command, "profile": SLICE, "name": name}
    answer = page.evaluate(CALL, ["POST", "aifactory-hub/submit", {"folder": None, "fields": fields, "key": name}])
    assert answer["status"] == 200, answer


def side(page: Page, which: str) -> None:
    """Open it in the side bar; a click on what is open would close it."""
    tab = page.locator(f"[data-id={which}]")
    if tab.get_attribute("aria-selected") != "true":
        tab.click()


def submit_as_job(page: Page, file: str) -> None:
    side(page, "filebrowser")
    item = page.locator(".jp-DirListing-item", has_text=file)
    chosen = page.locator(".jp-DirListing-item.jp-mod-selected")
    # JupyterLab itself selects the notebook that it has just opened, or none when its list comes anew, late where the
    # machine is slow. A row that a new file has moved down shows another file under the pointer.
    for _ in range(20):
        item.click()
        page.wait_for_timeout(300)
        if "jp-mod-selected" not in (item.get_attribute("class") or ""):
            continue
        item.click(button="right")
        if [file in words for words in chosen.all_inner_texts()] == [True]:
            break
        page.keyboard.press("Escape")
    page.get_by_role("menuitem", name=re.compile("Submit as job")).click()
    expect(shown(page, ".aif-Submit").locator("h1")).to_contain_text(file)


def shown(page: Page, which: str) -> Locator:
    """The one in the tab that is in front."""
    return page.locator(f"{which}:visible")


def open_job(page: Page, name: str) -> Locator:
    """The tab of the newest job of that name, opened from the list."""
    side(page, "aifactory-hub-panel")
    page.get_by_role("button", name="The team's").click()  # it asks at once
    page.locator(".aif-Row", has=page.locator(f".aif-Row-name:text-is('{name}')")).first.click()
    job = shown(page, ".aif-Job")
    expect(job.locator("h1")).to_have_text(name)
    return job


def toast(page: Page, words: str) -> Locator:
    return page.locator(".Toastify__toast", has_text=words)


def complaints(page: Page, *parts: str) -> list[str]:
    """What axe finds in these parts of the page, one line for each rule. The rest is JupyterLab's own."""
    for index, part in enumerate(parts):
        page.locator(part).evaluate("(node, id) => node.setAttribute('data-axe', id)", str(index))
    where = {"include": [[f"[data-axe='{index}']"] for index in range(len(parts))]}
    found = Axe().run(page, context=where).response["violations"]
    return [f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in found]
