"""Environments in the demo, in real Chromium: pairs, VS Code, marimo, idle verdicts, a restart; the last line counts.

``python -m tests.e2e.environments``. Hub, sign-in, editors and jobs are real; the GPUs are simulated. VS Code has to be
there: ``AIFACTORY_CODE_SERVER``, or ``code-server`` on the path.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, expect

from aifactory_hub.client.session import Account
from aifactory_hub.demo.editors import code_server
from aifactory_hub.domain.environments import Kind
from aifactory_hub.editors.activity import Activity
from aifactory_hub.editors.activity_reporter import Reporter, running
from aifactory_hub.engines.process_tree import family, processes

from ..browser.chromium import browser
from ..browser.lab import running_demo

_ACCOUNT = Account("http://unused.invalid", "none", server="")
# Seconds.
_LONG = 60.0


@dataclass
class Table:
    """What was looked at, and how it came out."""

    rows: list[tuple[str, bool, str]] = field(default_factory=list)

    def check(self, name: str, look: Callable[[], object]) -> None:
        """A step passes if nothing is raised and what it returns is not False."""
        began = time.monotonic()
        try:
            found = look()
            good, told = found is not False, "" if isinstance(found, bool) or found is None else str(found)
        except Exception as error:
            good, told = False, f"{type(error).__name__}: {str(error)[:300]}"
        self.rows.append((name, good, told))
        print(f"{'ok ' if good else 'BAD'} {time.monotonic() - began:6.1f} s  {name}  {told}", flush=True)

    def verdict(self) -> int:
        good = sum(passed for _, passed, _ in self.rows)
        print(f"environments: {good} of {len(self.rows)}")
        return 0 if good == len(self.rows) else 1


@dataclass
class Visit:
    """Ada in a browser. ``outside`` are addresses that a page called and that are not the hub's."""

    page: Page
    address: str
    home: Path
    outside: set[str] = field(default_factory=set)

    def sign_in(self) -> None:
        self.page.on("request", self._note)
        self.page.goto(f"{self.address}/hub/login?next=%2Fhub%2Fhome")
        self.page.locator("a.btn").first.click()
        self.page.locator("button[value=ada]").or_(self.page.get_by_role("button", name="ada")).first.click()
        self.page.wait_for_url("**/hub/home")

    def _note(self, request: object) -> None:
        url = str(getattr(request, "url", ""))
        if not url.startswith(("data:", "blob:", "http://127.0.0.1:", "ws://127.0.0.1:")):
            self.outside.add(url.partition("?")[0])

    def menu(self) -> None:
        self.page.goto(f"{self.address}/hub/spawn")
        self.page.wait_for_selector("#af-environments")

    def start(self, environment: str, profile: str) -> str:
        self.menu()
        self.page.get_by_label(environment, exact=True).check()
        self.page.get_by_label(profile, exact=True).check()
        began = time.monotonic()
        self.page.locator("#spawn_form [type=submit]").click()
        self.page.wait_for_url("**/user/ada/**", timeout=_LONG * 1000)
        return f"{time.monotonic() - began:.1f} s from the click to its page"

    def stop(self) -> None:
        self.page.goto(f"{self.address}/hub/home")
        self.page.evaluate(
            """async () => {
              const token = decodeURIComponent(document.cookie.match(/_xsrf=([^;]+)/)[1]);
              await fetch("/hub/api/users/ada/server", {method: "DELETE", headers: {"X-XSRFToken": token}});
            }"""
        )
        until(lambda: not editors())


def until(look: Callable[[], object], seconds: float = _LONG) -> None:
    """Wait until something is so. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come to be so")
        time.sleep(0.2)


def editors() -> list[int]:
    """Our programs that start servers, below this process."""
    mine = family(os.getpid(), processes())
    return [each.pid for each in mine if "aifactory_hub.editors\0" in _command(each.pid)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def activity(kind: Kind) -> Activity | None:
    """What the server that runs would report now."""
    (root,) = editors()
    note = next(
        Path(line.partition("=")[2])
        for each in family(root, processes())
        for line in _variables(each.pid)
        if line.startswith("AIFACTORY_ACTIVITY_NOTE=")
    )
    reporter = Reporter(kind, note, root, account=_ACCOUNT, processes=running)
    reporter._last = 0.0
    return reporter.look()


def _variables(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")
    except OSError:
        return []


def busy(kind: Kind) -> bool | None:
    found = activity(kind)
    return None if found is None else found.busy


def pairs(visit: Visit) -> bool:
    """A wrong pair stays visible with its reason, and the smallest that fits is chosen."""
    visit.menu()
    visit.page.get_by_label("PyTorch (simulated)", exact=True).check()
    wrong = visit.page.locator("[id='af-nlp:cpu-small']")
    text = visit.page.locator("[id='af-nlp:cpu-small-fit']").inner_text()
    chosen = visit.page.locator("[id='af-nlp:mig-3g.20gb']").is_checked()
    return wrong.is_disabled() and "the smallest that fits is mig-3g.20gb" in text and chosen


def vscode(table: Table, visit: Visit) -> None:
    """Open, edit, save, terminal, jobs, idle verdicts."""
    page, file = visit.page, visit.home / "train.py"
    table.check("VS Code starts behind the hub's sign-in", lambda: visit.start("VS Code", "cpu-large"))
    table.check(
        "its workbench is there", lambda: page.wait_for_selector(".monaco-workbench .explorer-viewlet") and None
    )
    table.check("our extension is active", lambda: until(lambda: busy(Kind.CODE) is not None and note_is_there()))
    table.check("an untouched window is idle", lambda: until(lambda: busy(Kind.CODE) is False, 90))

    def edit() -> bool:
        page.get_by_text("train.py", exact=True).first.dblclick()
        page.locator(".monaco-editor .view-lines").first.click()
        page.keyboard.press("Control+Home")
        page.keyboard.type("# edited in VS Code\n")
        page.keyboard.press("Control+S")
        until(lambda: file.read_text().startswith("# edited in VS Code\n"))
        return True

    table.check("an edit is saved to the disk", edit)
    table.check("who edits is at work", lambda: until(lambda: busy(Kind.CODE) is True, 30))

    def terminal() -> bool:
        page.keyboard.press("Control+`")
        page.wait_for_selector(".terminal.xterm")
        time.sleep(2)  # the shell's first prompt; what is typed before it is lost
        page.keyboard.type("echo $AIFACTORY_ENVIRONMENT > from-terminal && sleep 45\n")
        until(lambda: (visit.home / "from-terminal").exists())
        return (visit.home / "from-terminal").read_text().startswith("vscode@")

    table.check("a terminal runs a command", terminal)
    table.check(
        "a command in a terminal is work",
        lambda: until(lambda: any("sleep" in what for what in (activity(Kind.CODE) or Activity(False, 0)).what)),
    )

    def submit() -> bool:
        page.locator(".monaco-editor .view-lines").first.click()
        page.keyboard.press("F1")
        page.keyboard.type("Submit This File as a Job")
        page.get_by_text("AIFactory Hub: Submit This File as a Job").first.click()
        expect(page.get_by_text("train.py was submitted as").first).to_be_visible(timeout=_LONG * 1000)
        return True

    table.check("a file is submitted as a job", submit)

    def listed() -> bool:
        page.locator(".activitybar [aria-label^='AIFactory Hub']").first.click()
        expect(page.locator(".pane-body .monaco-list-row", has_text="train.py").first).to_be_visible(timeout=30_000)
        return True

    table.check("the job is in the side bar", listed)
    table.check("nothing outside was called", lambda: visit.outside == set() or f"{sorted(visit.outside)}" == "")
    table.check("it stops", visit.stop)


def note_is_there() -> bool:
    found = activity(Kind.CODE)
    return found is not None


def marimo(table: Table, visit: Visit) -> None:
    """A cell that runs is work, a page that is only open is not."""
    page = visit.page
    (visit.home / "cells.py").write_text(
        "import marimo\napp = marimo.App()\n\n"
        "@app.cell\ndef _():\n    answer = 6 * 7\n    answer\n    return (answer,)\n\n"
        "@app.cell\ndef _():\n    import time\n    time.sleep(20)\n    return\n\n"
        'if __name__ == "__main__":\n    app.run()\n'
    )
    table.check("marimo starts behind the hub's sign-in", lambda: visit.start("marimo", "cpu-large"))
    table.check("its first page is idle", lambda: until(lambda: busy(Kind.MARIMO) is False, 60))

    def run() -> bool:
        page.goto(f"{visit.address}/user/ada/?file=cells.py")
        page.wait_for_selector(".cm-editor")
        if busy(Kind.MARIMO) is False:
            page.keyboard.press("Control+Shift+R")
        until(lambda: busy(Kind.MARIMO) is True, 60)
        return True

    table.check("cells that run are work", run)
    table.check("a cell gives its value", lambda: expect(page.get_by_text("42").first).to_be_visible(timeout=40_000))
    table.check("when they are done it is idle", lambda: until(lambda: busy(Kind.MARIMO) is False, 60))
    table.check("it stops", visit.stop)


def restart(table: Table, visit: Visit) -> None:
    """A version is fixed with its server; the next start offers what follows."""
    page = visit.page

    def old() -> str:
        visit.menu()
        page.get_by_text("1 other version of PyTorch (simulated)").click()
        page.get_by_label("PyTorch (simulated) 2026.05").check()
        page.locator("[id='af-nlp:mig-3g.20gb']").check()
        page.locator("#spawn_form [type=submit]").click()
        page.wait_for_url("**/user/ada/**", timeout=_LONG * 1000)
        return page.url

    table.check("a deprecated version starts", old)
    visit.stop()

    def offered() -> bool:
        visit.menu()
        offer = page.locator("[data-environment='lab-torch'] .af-offer")
        expect(offer).to_contain_text("2026.11 follows it: 3 packages differ: numpy 1.26.4 to 2.1.3")
        return page.locator("[id='af-env-lab-torch@2026.05']").is_checked()

    table.check("the next start offers the successor with the difference", offered)

    def follow() -> str:
        page.locator("[id='af-env-lab-torch@2026.11']").check()
        page.locator("#spawn_form [type=submit]").click()
        page.wait_for_url("**/user/ada/**", timeout=_LONG * 1000)
        return page.url

    table.check("the successor starts", follow)
    visit.stop()


def main() -> int:
    table = Table()
    if code_server(Path("nowhere")) is None:
        print("VS Code is not installed: name it in AIFACTORY_CODE_SERVER", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch, running_demo(Path(scratch)) as demo, browser() as context:
        visit = Visit(context.pages[0], demo.address, demo.folder / "homes/nlp/ada")
        visit.sign_in()
        table.check("wrong pairs stay visible with the reason", lambda: pairs(visit))
        vscode(table, visit)
        marimo(table, visit)
        restart(table, visit)
    return table.verdict()


if __name__ == "__main__":
    raise SystemExit(main())
