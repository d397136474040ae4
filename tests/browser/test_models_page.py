"""The Models page in real Chromium on the demo: promote, look again, compare, lineage, roll back, evidence."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from aifactory_hub.signing.evidence import check_evidence

from .lab import SLICE, Demo, patient_browser
from .test_jobs_page import PREFIX, complaints, opened, sideways, somebody_else
from .test_team_page import SIZES, reading_well

pytestmark = pytest.mark.browser

MODELS = f"{PREFIX}models/nlp"
CALL = """async ([path, body, method]) => {
  const proof = document.cookie.match(/_xsrf=([^;]*)/)[1];
  const headers = {'X-XSRFToken': proof, 'Content-Type': 'application/json'};
  const asked = body === null ? {headers} : {method, headers, body: JSON.stringify(body)};
  const answer = await fetch(path, asked);
  return {status: answer.status, body: await answer.json()};
}"""


def call(page: Page, path: str, body: Any = None, method: str = "POST") -> Any:
    return page.evaluate(CALL, [f"{PREFIX}api/v1{path}", body, method])


def trained(page: Page, number: int) -> None:
    """A version of fraud."""
    command = f"mkdir model && printf weights-{number} > model/w.safetensors && printf '{{}}' > model/config.json"
    registered(page, "fraud", command, f"train-{number}")


def registered(page: Page, model: str, command: str, job_name: str) -> None:
    """A job with this command, which writes model/, ended and registered as a version of the model."""
    asked = {"command": command, "profile": SLICE, "key": job_name, "name": job_name}
    job = call(page, "/jobs", asked)["body"]["id"]
    until = time.monotonic() + 120
    while time.monotonic() < until:
        made = call(page, f"/models/{model}/versions", {"job": job, "files": "model/"})
        if made["status"] in (200, 201):
            return
        assert made["body"]["reason"] in ("not-registrable", "job-not-settled"), made
        time.sleep(0.5)
    raise AssertionError(made)


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    """The models of ada's team, with two versions of fraud."""
    with patient_browser() as context:
        page = context.pages[0]
        opened(page, demo.address + PREFIX, "ada")
        for number in (1, 2):
            trained(page, number)
        page.goto(demo.address + MODELS)
        yield page


def versions(page: Page) -> Any:
    return page.get_by_role("table", name="Versions").get_by_role("row")


def confirm(page: Page, reason: str, button: str) -> None:
    box = page.get_by_role("dialog")
    box.get_by_label("Why").fill(reason)
    box.get_by_role("button", name=re.compile(button)).click()


def test_a_model_its_versions_and_a_promotion(page: Page) -> None:
    expect(page).to_have_title(re.compile("^Models of"))
    page.get_by_role("button", name="fraud", exact=True).click()
    expect(versions(page)).to_have_count(3)
    for number in (1, 2):
        page.get_by_role("button", name=f"Promote version {number}…").click()
        confirm(page, "better", "^Promote")
        expect(page.get_by_text(f"fraud@prod leads to version {number}.")).to_be_visible()
    expect(versions(page).nth(1)).to_contain_text("prod")
    assert complaints(page) == []


def test_a_version_is_looked_at_again(page: Page) -> None:
    page.get_by_role("button", name="Verify version 2 now").click()
    expect(page.get_by_text("Version 2 is what was registered.")).to_be_visible()
    expect(versions(page).nth(1)).to_contain_text("verified now")


def test_two_versions_side_by_side_and_where_one_came_from(page: Page) -> None:
    for number in (1, 2):
        page.get_by_label(f"Compare version {number}").check()
    apart = page.get_by_role("table", name="What tells them apart")
    expect(apart.get_by_role("row").filter(has_text="File w.safetensors")).to_contain_text("no")
    expect(apart.get_by_role("row").filter(has_text="Profile")).to_contain_text("yes")
    page.get_by_role("button", name="Lineage of version 2").click()
    expect(page.get_by_role("img", name=re.compile("Lineage of fraud@2"))).to_be_visible()
    table = page.get_by_role("table", name="Lineage of fraud@2")
    expect(table.get_by_role("row").filter(has_text="fraud@prod")).to_contain_text("fraud@2 (leads to)")
    expect(table.get_by_role("link", name="train-2")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_it_reads_well(page: Page, demo: Demo, size: str, scheme: Any) -> None:
    with reading_well(page, size, scheme, f"models-page/{size}-{scheme}"):
        page.goto(f"{demo.address}{MODELS}?model=fraud")
        page.get_by_role("button", name="Lineage of version 2").click()
        expect(page.get_by_role("table", name="Lineage of fraud@2")).to_be_visible()
        assert sideways(page) <= 0


def test_a_rollback_with_a_reason_freezes_until_it_is_thawed(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.address}{MODELS}?model=fraud")
    page.get_by_role("button", name="Roll back to version 1…").click()
    confirm(page, "it misses refunds", "^Roll back")
    expect(page.get_by_text("fraud@prod leads to version 1.")).to_be_visible()
    aliases = page.get_by_role("table", name="Aliases")
    expect(aliases).to_contain_text("by ada: it misses refunds")
    page.get_by_role("button", name="Promote version 2…").click()
    confirm(page, "again", "^Promote")
    expect(page.get_by_text("fraud@prod is frozen")).to_be_visible()
    page.get_by_role("button", name="Thaw prod…").click()
    confirm(page, "mended", "^Thaw")
    expect(aliases.get_by_role("row").nth(1)).to_contain_text("no")


def test_evidence_is_a_file_that_is_checked_without_the_service(page: Page, demo: Demo) -> None:
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Evidence of version 2").click()
    findings = check_evidence(Path(waiting.value.path()).read_bytes())
    assert findings
    assert [finding for finding in findings if not finding.ok] == []


def test_a_byte_that_was_flipped_is_shown(page: Page, demo: Demo) -> None:
    version = call(page, "/models/fraud/versions/2")["body"]["version"]
    kept = list((demo.folder / "service").rglob(f"jobs/{version['job']}/artifacts/*")) or list(
        demo.folder.rglob(f"jobs/{version['job']}/artifacts/*")
    )
    file = next(path for path in kept if path.read_bytes() == b"weights-2")
    file.write_bytes(b"Weights-2")
    page.get_by_role("button", name="Verify version 2 now").click()
    expect(versions(page).nth(1)).to_contain_text("quarantined")
    expect(versions(page).nth(1)).to_contain_text("'w.safetensors' is not what was registered")


def test_people_of_other_teams_are_told_that_it_is_not_theirs(page: Page, demo: Demo) -> None:
    with somebody_else(page):
        opened(page, demo.address + PREFIX, "kai")
        answer = page.goto(demo.address + MODELS)
        assert answer is not None
        assert answer.status == 403
        assert "fraud" not in page.content()
