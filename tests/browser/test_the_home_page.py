"""Home in real Chromium, in JupyterHub's own templates: no hub, no cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from aifactory_hub.domain.home import (
    KnownLoads,
    ServerFacts,
    ServerState,
    home_servers,
    next_server,
    teams_free,
)
from aifactory_hub.domain.home_jobs import HomeJob, OwnMonth, month_words
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.menu import TeamLoad
from aifactory_hub.domain.quota import Holder, Usage
from aifactory_hub.domain.server_ends import NOTICE, Notice

from ..support.tenants import LARGE, SMALL, make_catalogue, make_tenant
from .chromium import browser, picture
from .menu_site import menu_site
from .test_the_menu import PHONE, complaints

pytestmark = pytest.mark.browser

JOBS = (
    HomeJob("j2", "train", JobState.RUNNING, "", 1_793_527_209.0),
    HomeJob("j1", "evaluate", JobState.FAILED, "exit code 3", None),
)
TENANTS = {name: make_tenant(name, quota={SMALL: 2, LARGE: 1}) for name in ("nlp", "vision")}
CATALOGUE = make_catalogue()


def context(*states: ServerState, known: bool = True) -> dict[str, Any]:
    """What Home's template gets: the default server, then named ones, in these states."""
    now = time.time()
    told = {NOTICE: Notice("nlp takes it back", now + 120).to_state()}
    facts = [
        ServerFacts(f"run-{at}" if at else "", f"Run {at}" if at else "", state, "nlp", "mig-1g.10gb", now - 7200, told)
        for at, state in enumerate(states)
    ]
    holder = Holder("server", "ada", "ada", {SMALL: 1}, "mig-1g.10gb", since=now - 3600)
    load = TeamLoad(now, Usage({SMALL: 1}, (holder,)), queue=())
    loads = KnownLoads(("nlp", "vision"), {"nlp": load, "vision": TeamLoad(now, None)} if known else None)
    return {
        "servers": home_servers(facts, "ada", TENANTS, CATALOGUE, loads, now),
        "free": teams_free(loads, TENANTS, CATALOGUE, "ada", now),
        "unknown": not known,
        "next_server": next_server(facts, named=True, limit=0),
        "names": True,
        "limit": 0,
        "longest_name": 100,
        "xsrf_token": "x",
        "services": [SimpleNamespace(name="aifactory", href="/services/aifactory/")],
        "month": month_words(OwnMonth(147_600, Decimal("12.30"), "EUR", 1800, now - 120) if known else None, now),
        "jobs": JOBS if known else None,
        "unused": {},
        "advice": {},
        "budgets": [],
        "approvals": 2,
    }


@pytest.fixture
def home() -> dict[str, Any]:
    return context(ServerState.RUNNING, ServerState.STARTING, ServerState.STOPPED)


@pytest.fixture
def site(home: dict[str, Any]) -> Iterator[str]:
    with menu_site({}, home=home) as address:
        yield address


@pytest.fixture
def page() -> Iterator[Page]:
    with browser(reduced_motion="reduce", timezone_id="Asia/Tokyo", locale="en-US") as context:
        yield context.pages[0]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_wide_or_on_a_phone(page: Page, site: str, home: dict[str, Any], theme: Any) -> None:
    home["unused"] = {"": "Idle since 2026-06-30 22:30 UTC, and it is stopped at 2026-07-01 10:00 UTC."}
    home["advice"] = {"": "The most that was used in 30 days is 6.0 GB of GPU memory: mig-1g.10gb would do."}
    home["budgets"] = ["Team nlp has used 88 % of month, which resets at 2026-12-01 00:00 UTC"]
    page.emulate_media(color_scheme=theme)
    page.goto(f"{site}/hub/home")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
    expect(page.locator(".af-running")).to_contain_text("0.40 EUR")
    expect(page.locator("#af-month")).to_contain_text("41 h, 12.30 EUR (counted until 2 min ago)")
    expect(page.locator("#af-jobs")).to_contain_text("exit code 3")
    expect(page.locator(".af-running")).to_contain_text("stopped at Jul 1, 19:00. Open it to keep it")
    expect(page.locator(".af-running")).to_contain_text("mig-1g.10gb would do")
    expect(page.locator(".af-budget")).to_contain_text("88 % of month")
    if theme == "light":
        picture(page, "home")
    assert complaints(page) == []
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    assert complaints(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    if theme == "dark":
        picture(page, "home-phone")


def test_numbers_that_are_not_known_are_said_to_be_and_axe_finds_nothing(
    page: Page, site: str, home: dict[str, Any]
) -> None:
    home.update(context(ServerState.RUNNING, known=False))
    page.goto(f"{site}/hub/home")
    expect(page.locator(".af-running dl")).to_contain_text("unknown")
    expect(page.locator("#af-free")).to_contain_text("did not answer in time")
    expect(page.locator("#af-month")).to_contain_text("not known now")
    expect(page.locator("#af-jobs")).to_contain_text("the job service does not answer")
    assert "0 free" not in page.locator("#af-free").inner_text()
    assert complaints(page) == []


def test_the_keyboard_reaches_each_button_in_the_order_of_the_page(page: Page, site: str) -> None:
    page.goto(f"{site}/hub/home")
    page.locator("#dark-theme-toggle").focus()
    wanted = [
        "Open the default server",
        "Stop the default server",
        "See the start of Run 1",
        "Cancel the start of Run 1",
    ]
    wanted += ["Start Run 2", "Delete Run 2"]
    seen: list[str] = []
    for _ in range(12):
        page.keyboard.press("Tab")
        label = page.evaluate("document.activeElement.getAttribute('aria-label') || ''")
        seen += [label] if label else []
        if len(seen) == len(wanted):
            break
    assert seen == wanted
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_page_follows_a_server_and_leaves_the_focus_where_it_is(
    page: Page, site: str, home: dict[str, Any]
) -> None:
    page.goto(f"{site}/hub/home")
    expect(page.locator(".af-starting")).to_have_count(1)
    page.fill("#af-name", "half a na")
    home.update(context(ServerState.RUNNING, ServerState.RUNNING, ServerState.STOPPED))
    expect(page.locator(".af-running")).to_have_count(2, timeout=20_000)
    expect(page.locator("#af-changes")).to_contain_text("Run 1 is running")
    assert page.input_value("#af-name") == "half a na"
    assert page.evaluate("document.activeElement.id") == "af-name"


@pytest.mark.parametrize(("waiting", "said"), [(0, ""), (1, ": 1 waits for your vote"), (2, ": 2 wait for your vote")])
def test_the_head_says_how_many_approvals_wait(
    page: Page, site: str, home: dict[str, Any], waiting: int, said: str
) -> None:
    home["approvals"] = waiting
    page.goto(f"{site}/hub/home")
    number = f" {waiting}" if waiting else ""
    expect(page.get_by_role("navigation").get_by_text("Approvals")).to_have_text(f"Approvals{number}{said}")


def test_the_head_says_that_nobody_knows_how_many_wait_and_follows(page: Page, site: str, home: dict[str, Any]) -> None:
    home["approvals"] = None
    page.clock.install()
    page.goto(f"{site}/hub/home")
    link = page.get_by_role("navigation").get_by_text("Approvals")
    expect(link).to_have_text("Approvals ?: how many wait for your vote is not known now")
    expect(page.locator("#af-approvals")).to_have_count(0)
    home["approvals"] = 1
    page.clock.run_for(16_000)
    expect(link).to_have_text("Approvals 1: 1 waits for your vote")
    expect(page.locator("#af-approvals")).to_have_text("One approval waits for your vote.")
