"""A published workflow from a notebook to the panel: hub, JupyterLab, Kueue and Argo's controller are real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ..browser.chromium import browser, picture
from ..browser.lab import complaints, side
from ..cluster import engines
from ..cluster.settings import layout
from ..support.real_cluster import running_cluster
from ..support.real_runs import TENANT, install_engines
from .jobs_on_engines import NODES, SLICE, workflow_template
from .person import Person
from .rig import TENANTS_FILE, apply_registry, clear_tenants, open_rig

pytestmark = [pytest.mark.cluster, pytest.mark.browser]

# Milliseconds, for a small machine.
TIMEOUT = 120_000
IMAGES = ("aifactory-hub/argo-controller:4.0.5", "aifactory-hub/argoexec:4.0.5")
RUN = f"""
from aifactory_hub.client import run_template
print(run_template("counts", profile="{SLICE}", nodes={NODES}).id)
"""


@pytest.fixture
def ada(tmp_path: Path) -> Iterator[Person]:
    """Her server runs on a hub whose teams publish workflows, and one is published."""
    running_cluster()
    install_engines("argo-workflow")
    engines.allow_service(layout(), TENANT, json.dumps(workflow_template()))
    tenants = tmp_path / "tenants.yaml"
    # As a site does it: the engine is named, and the images of its controller may run in the team's vCluster.
    text = TENANTS_FILE.read_text().replace("\njobs:\n", "\njobs:\n  engines: [argo-workflow]\n")
    tenants.write_text(text.replace("images: [", f"images: [{', '.join(IMAGES)}, "))
    rig = open_rig()
    apply_registry(rig.cluster, tenants)
    clear_tenants(rig.cluster)
    hub = rig.hub(tmp_path / "hub", tenants)
    try:
        hub.start()
        with rig.people(hub.url) as people:
            ada = people["nlp-user"]
            ada.sign_in()
            assert ada.spawn(TENANT, "cpu-small") is None
            assert ada.progress()[-1].get("ready")
            yield ada
    finally:
        hub.stop()
        clear_tenants(rig.cluster)
        apply_registry(rig.cluster, TENANTS_FILE)


@pytest.fixture
def page(ada: Person) -> Iterator[Page]:
    """ada's JupyterLab."""
    expect.set_options(timeout=TIMEOUT)
    assert ada.notebook("lab").status_code == 200
    with browser() as context:
        context.set_default_timeout(TIMEOUT)
        ada.enter(context)
        context.pages[0].goto(f"{ada.hub}/user/{ada.name}/lab")
        yield context.pages[0]


def test_each_step_of_a_workflow_is_followed_with_its_own_log(ada: Person, page: Page) -> None:
    # In a thread: Playwright's event loop has this one.
    with ThreadPoolExecutor(1) as other:
        job_id = other.submit(ada.start_kernel().run, RUN).result().strip()
    side(page, "aifactory-hub-panel")
    page.locator(".aif-Row", has_text="counts").first.click()
    job = page.locator(".aif-Job:visible")
    expect(job).to_contain_text(job_id)
    steps = job.locator(".aif-Steps tbody tr")
    expect(steps).to_have_count(3)
    expect(steps.nth(0)).to_contain_text("load✓ Succeeded")
    for index, name in ((1, "left"), (2, "right")):
        expect(steps.nth(index)).to_contain_text(f"{name}▶ Running")
    log = job.locator(".aif-Log")
    job.get_by_role("button", name="Show the log of load alone").click()
    expect(log.locator("pre")).to_have_text("loaded\n")
    job.get_by_role("button", name="Show the log of right alone").click()
    expect(log.locator("pre")).to_contain_text("count 3\n")
    assert complaints(page, ".aif-Job:visible") == []
    picture(page, "lab/workflow", full=False)
    for index in range(3):
        expect(steps.nth(index)).to_contain_text("✓ Succeeded")
    expect(job.locator(".aif-Job-head")).to_contain_text("Succeeded")
    expect(log.locator("pre")).to_contain_text("count 40\n")
