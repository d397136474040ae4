"""The panel in older JupyterLabs and in Notebook 7; and JupyterLab where there is no hub, or no service."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from ..lab.conftest import account
from ..support.jupyterlab import LOGIN, Lab, hub_side, running_lab
from .chromium import picture
from .lab import CALL, TIMEOUT, patient_browser, toast
from .lab_versions import CHECKOUT, OLDEST, TRIED, Version

pytestmark = pytest.mark.browser

PARAMETRISED = """
{"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec":
  {"name": "python3", "display_name": "Python 3", "language": "python"}}, "cells": [
  {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "outputs": [], "execution_count": null,
   "source": "rate = 0.5"},
  {"cell_type": "code", "id": "b", "metadata": {}, "outputs": [], "execution_count": null,
   "source": "print('the rate is', rate)"}]}
"""
# Notebook 7's shortcuts stumble over settings that are loaded before their own, with our extension and without it.
NOTEBOOKS_OWN = "Cannot read properties of undefined (reading 'schema')"
DEFINITION = {
    "name": "nightly",
    "runtime_environment_name": "mig-1g.10gb",
    "runtime_environment_parameters": {},
    "schedule": "0 1 * * *",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    subprocess.run([sys.executable, str(CHECKOUT / "labextension/build.py")], check=True, timeout=900)
    with hub_side(tmp_path_factory.mktemp("hub")) as running:
        yield running.url


@pytest.fixture(params=TRIED, ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> Version:
    found: Version = request.param
    return found


@contextmanager
def looking(url: str, said: list[str]) -> Iterator[Page]:
    """A page; what it says on its console of ours, and every error, goes to ``said``."""
    with patient_browser() as context:
        page = context.pages[0]
        page.on("console", lambda message: said.append(message.text) if "AI Factory" in message.text else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if "/aifactory-hub/" in request.url else None)
        page.goto(url)
        yield page


def test_the_panel_works_in_this_version(version: Version, service: str, tmp_path: Path) -> None:
    said: list[str] = []
    with (
        running_lab(tmp_path, account(service), python=version.python(), program=version.program) as lab,
        looking(lab.url, said) as page,
    ):
        (tmp_path / "home/fit.ipynb").write_text(PARAMETRISED)
        if version.program == "notebook":
            page.goto(lab.url.replace("/tree", "/notebooks/fit.ipynb"))
        _panel(page, version)
        panel = page.locator(".aif-Panel")
        for words in ("Nlp", "mig-1g.10gb", "2 of 2 left"):
            expect(panel).to_contain_text(words)
        fields = {"command": "echo hello", "profile": "mig-1g.10gb", "name": "greet"}
        body = {"folder": None, "fields": fields, "key": version.name}
        assert page.evaluate(CALL, ["POST", "aifactory-hub/submit", body])["status"] == 200
        page.get_by_role("button", name="Mine").click()
        page.locator(".aif-Row", has_text="greet").first.click()
        job = page.locator(".aif-Job:visible")
        expect(job).to_contain_text("Succeeded")
        expect(job.locator(".aif-Log pre")).to_contain_text("hello")
        _form(page, version)
        form = page.locator(".aif-Submit:visible")
        expect(form.locator("h1")).to_contain_text("fit.ipynb")
        form.get_by_role("button", name="Check").click()
        expect(form.locator(".aif-Verdict")).to_contain_text("It would be taken")
        picture(page, f"lab-versions/{version.name}", full=False)
    assert _trouble(said, version) == []


def test_without_a_hub_it_starts_as_if_the_panel_were_not_there(version: Version, tmp_path: Path) -> None:
    said: list[str] = []
    with (
        running_lab(tmp_path, {}, python=version.python(), program=version.program) as lab,
        looking(lab.url, said) as page,
    ):
        _ready(page, version)
        expect(page.locator("[data-id=aifactory-hub-panel]")).to_have_count(0)
        (one,) = _trouble(said, version)
        assert "its panel is off" in one
        assert len(re.findall("AI Factory", lab.log.read_text())) == 1


def test_without_the_service_it_starts_and_says_so_once(version: Version, tmp_path: Path) -> None:
    said: list[str] = []
    nobody = account("http://127.0.0.1:9/services/aifactory/")
    with (
        running_lab(tmp_path, nobody, python=version.python(), program=version.program) as lab,
        looking(lab.url, said) as page,
    ):
        if version.program == "notebook":
            (tmp_path / "home/fit.ipynb").write_text(PARAMETRISED)
            page.goto(lab.url.replace("/tree", "/notebooks/fit.ipynb"))
        _panel(page, version)
        trouble = page.locator(".aif-Panel .aif-Notice[data-kind=trouble]")
        expect(trouble).to_have_count(1)
        expect(trouble).to_contain_text("The job service does not answer now")
        # JupyterLab asks a question of its own at a first start.
        assert toast(page, "job service").count() == 0
    assert _trouble(said, version) == []


def _trouble(said: list[str], version: Version) -> list[str]:
    """What a page has said, without its requests, and without what is not of ours."""
    own = {NOTEBOOKS_OWN} if version.program == "notebook" else set()
    return [line for line in said if "/aifactory-hub/" not in line and line not in own]


def _ready(page: Page, version: Version) -> None:
    page.wait_for_selector(
        ".jp-DirListing-item, .jp-DirListing-content" if version.program == "notebook" else ".jp-Launcher"
    )


def _panel(page: Page, version: Version) -> None:
    """Show it: by its tab, in Notebook 7 by the menu."""
    if version.program == "notebook":
        page.wait_for_selector(".jp-NotebookPanel")
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        page.get_by_role("menuitem", name="View", exact=True).click()
        page.locator(".lm-Menu-item", has_text="Left Sidebar").hover()
        page.locator(".lm-Menu-item", has_text="AI Factory").click()
    else:
        page.click("[data-id=aifactory-hub-panel]")
    page.wait_for_selector(".aif-Facts")


def _form(page: Page, version: Version) -> None:
    if version.program == "notebook":
        page.locator("[data-jp-item-name=aifactory-hub-submit]").first.click()
        return
    page.click("[data-id=filebrowser]")
    page.locator(".jp-DirListing-item", has_text="fit.ipynb").click(button="right")
    page.get_by_role("menuitem", name=re.compile("Submit as job")).click()


def test_jupyter_scheduler_s_own_pages_submit_to_the_job_service(service: str, tmp_path: Path) -> None:
    config = {
        "SchedulerApp": {
            "scheduler_class": "aifactory_hub.lab.scheduler.AIFactoryScheduler",
            "environment_manager_class": "aifactory_hub.lab.scheduler.Profiles",
        }
    }
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "jupyter_server_config.json").write_text(json.dumps(config))
    here = {**account(service), "JUPYTER_CONFIG_DIR": str(folder)}
    with running_lab(tmp_path, here, python=OLDEST.python(), program="jupyter_server") as server, ask(server) as http:
        (tmp_path / "home/fit.ipynb").write_text(PARAMETRISED)
        offer, *_ = http.get("/scheduler/runtime_environments").json()  # this server's own is the first
        assert offer["name"] == "mig-1g.10gb"
        wanted = {**DEFINITION, "input_uri": "fit.ipynb", "parameters": {"rate": "0.25"}, "output_formats": ["ipynb"]}
        job = f"/scheduler/jobs/{http.post('/scheduler/jobs', json=wanted).json()['job_id']}"
        _until(lambda: http.get(job).json()["status"] in ("COMPLETED", "FAILED"))
        found = http.get(job).json()
        assert (found["status"], found["name"], found["parameters"]) == ("COMPLETED", "nightly", {"rate": "0.25"})
        assert [each["job_id"] for each in http.get("/scheduler/jobs").json()["jobs"]] == [found["job_id"]]
        http.get(f"{job}/download_files")
        _until(lambda: any("the rate is 0.25" in file.read_text() for file in tmp_path.glob("home/**/*.ipynb")))
        assert http.patch(job, json={"status": "STOPPED"}).status_code == 204
        refused = http.post("/scheduler/job_definitions", json=wanted)
        assert "the job service has its own" in refused.json()["message"]
        unknown = http.post("/scheduler/jobs", json={**wanted, "runtime_environment_name": "mig-9g"})
        assert "mig-9g" in unknown.json()["message"]


def ask(server: Lab) -> httpx.Client:
    """A client that is signed in at the Jupyter server."""
    head = {"Authorization": f"token {LOGIN}"}
    return httpx.Client(base_url=server.url.partition("/lab")[0], headers=head, trust_env=False, timeout=60)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT / 1000
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)
