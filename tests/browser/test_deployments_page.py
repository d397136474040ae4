"""Deployments on the Models page in real Chromium on the demo: what one was asked, its times, and its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .lab import SLICE, Demo, patient_browser
from .test_jobs_page import PREFIX, complaints, opened
from .test_models_page import MODELS, call, registered
from .test_team_page import SIZES, reading_well

pytestmark = pytest.mark.browser

# It gives back what it is asked, and fails at what is below zero.
MODEL = """
class Echo:
    def predict(self, inputs):
        if inputs["x"][0][0] < 0:
            raise ValueError("below zero")
        return {"x": inputs["x"]}


def load(folder):
    return Echo()
"""
DEPLOYMENT = "/tenants/nlp/deployments/echo"


def ask(page: Page, number: float) -> int:
    request = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 1], "data": [number]}]}
    status: int = call(page, f"{DEPLOYMENT}/infer", request)["status"]
    return status


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    """The page of ada's team, whose deployment echo has answered three requests and failed at one."""
    with patient_browser() as context:
        page = context.pages[0]
        opened(page, demo.address + PREFIX, "ada")
        registered(page, "echo", f"mkdir model && cat > model/model.py <<'END'\n{MODEL}\nEND", "echo")
        made = call(page, DEPLOYMENT, {"model": "echo@1", "profile": SLICE, "framework": "python"}, "PUT")
        assert made["status"] == 201, made
        page.goto(demo.address + MODELS)
        expect(row(page)).to_contain_text("nothing")
        while "READY" not in (said := row(page).inner_text()):
            assert "FAILED" not in said, said
            page.wait_for_timeout(500)
            page.reload()
            expect(row(page)).to_be_visible()
        assert [ask(page, number) for number in (1, 2, 3, -1)] == [200, 200, 200, 502]
        yield page


def row(page: Page) -> Any:
    return page.get_by_role("table", name="Deployments").get_by_role("row").filter(has_text="echo")


def open_asked(page: Page) -> None:
    page.get_by_text("What echo was asked").click()
    expect(page.get_by_text("4 requests, of which 1 failed.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_requests_and_times_are_drawn(page: Page, demo: Demo, size: str, scheme: Any) -> None:
    with reading_well(page, size, scheme, f"deployments-page/{size}-{scheme}"):
        page.goto(demo.address + MODELS)
        open_asked(page)
        expect(page.get_by_role("img", name=re.compile("^Requests, . at most in one bar"))).to_be_visible()
        expect(page.get_by_role("img", name=re.compile("^How long 95 % of the answers took"))).to_be_visible()


def test_the_same_is_a_table_for_each_range(page: Page, demo: Demo) -> None:
    page.goto(demo.address + MODELS)
    open_asked(page)
    for range_ in ("The last hour", "The last 7 days"):
        page.get_by_label("Time", exact=True).select_option(range_)
        page.get_by_text("Requests as a table").click()
        rows = page.get_by_role("row").filter(has_text="up to").all()
        asked = [[int(cell.inner_text()) for cell in each.get_by_role("cell").all()[:2]] for each in rows]
        assert [sum(column) for column in zip(*asked, strict=True)] == [4, 1]
    assert complaints(page) == []


def test_it_is_stopped_by_the_keyboard_alone(page: Page, demo: Demo) -> None:
    page.goto(demo.address + MODELS)
    page.get_by_role("button", name="Stop echo").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Stop echo?")
    expect(dialog).to_be_visible()
    assert complaints(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(row(page)).to_contain_text("READY")
    page.get_by_role("button", name="Stop echo").focus()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Stop", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("echo is stopped.")).to_be_visible()
    expect(row(page)).to_contain_text("STOPPED")
    assert page.get_by_role("button", name="Stop echo").count() == 0
    assert ask(page, 1) == 409
