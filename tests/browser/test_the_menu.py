"""The spawn page and the page of a start in real Chromium: what is shown, chosen, searched, refreshed, told aloud."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from aifactory_spawner.options_form import Menu

from . import menus
from .chromium import browser, picture
from .menu_site import menu_site

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
NARROWEST = {"width": 320, "height": 640}
EVENTS = [
    {"progress": 10, "step": "quota", "text": "fits", "seconds": 0.1, "queue": None, "message": "quota: fits (0.1 s)"},
    {
        "progress": 20,
        "step": "queue",
        "text": "Position 2 of 2 in the queue of team nlp.",
        "seconds": 4.2,
        "queue": {
            "place": "Position 2 of 2 in the queue of team nlp.",
            "ahead": "Before you: jun (mig-1g.10gb).",
            "wait": "Expected wait: 10 min to 40 min.",
        },
        "message": "queue: Position 2 of 2 in the queue of team nlp. (4.2 s)",
    },
]


@pytest.fixture(scope="module")
def shown() -> dict[str, Menu]:
    return {
        "some": menus.some_free(),
        "taken": menus.all_taken(),
        "unknown": menus.unknown(),
        "thousand": menus.thousand(),
        "changing": menus.some_free(),
        "environments": menus.environments(),
        "restart": menus.environments("lab-torch@2026.05"),
    }


@pytest.fixture(scope="module")
def site(shown: dict[str, Menu]) -> Iterator[str]:
    with menu_site(shown, [json.dumps(event) for event in EVENTS]) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    with browser() as context:
        yield context.pages[0]


@pytest.fixture
def page(chromium: Page) -> Iterator[Page]:
    problems: list[str] = []
    chromium.on("pageerror", lambda error: problems.append(str(error)))
    chromium.set_viewport_size({"width": 1280, "height": 900})
    yield chromium
    assert problems == []


def complaints(page: Page) -> list[str]:
    """What axe finds, one line for each rule."""
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in found]


@pytest.mark.parametrize(
    ("name", "theme"),
    [
        ("some", "light"),
        ("some", "dark"),
        ("taken", "light"),
        ("taken", "dark"),
        ("unknown", "light"),
        ("thousand", "dark"),
        ("environments", "light"),
        ("environments", "dark"),
        ("restart", "light"),
    ],
)
def test_axe_finds_nothing(page: Page, site: str, name: str, theme: str) -> None:
    # Colours that are on their way from one theme to the other belong to neither.
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{site}/hub/spawn/{name}")
    if name == "thousand":
        # Every row is like another: what is found shows what there is to find, and axe takes long for each.
        page.fill("#af-search", "cpu-8x")
        expect(page.locator("#af-found")).to_have_text("40 sizes")
    page.evaluate("theme => document.documentElement.setAttribute('data-bs-theme', theme)", theme)
    assert complaints(page) == []


def test_axe_finds_nothing_on_the_page_of_a_start(page: Page, site: str) -> None:
    page.goto(f"{site}/hub/start/page")
    expect(page.locator("#af-place")).to_have_text("Position 2 of 2 in the queue of team nlp.")
    expect(page.locator("#af-ahead")).to_have_text("Before you: jun (mig-1g.10gb).")
    expect(page.locator("#af-step-quota")).to_contain_text("done")
    expect(page.locator("#af-step-queue")).to_contain_text("in progress")
    expect(page.locator("#af-clock")).to_contain_text("so far")
    assert page.locator("#af-cancel").is_visible()
    picture(page, "menu-queue")
    assert complaints(page) == []


def test_a_start_that_failed_says_so_and_leads_back_to_the_menu(page: Page, site: str) -> None:
    page.goto(f"{site}/hub/start/page?follow=failed")
    expect(page.locator("#progress-message")).to_have_text("Spawn failed: no such image")
    expect(page.locator("#af-hint")).to_contain_text("It did not start")
    assert page.locator("#af-cancel").is_hidden()
    assert page.get_by_role("link", name="Choose again").get_attribute("href") == "/hub/spawn/ada"
    assert complaints(page) == []


def test_what_is_shown_at_a_desk_and_on_a_phone(page: Page, site: str) -> None:
    page.goto(f"{site}/hub/spawn/some")
    row = page.locator(".af-row", has=page.locator("[id='af-nlp:mig-1g.10gb']"))
    expect(row).to_contain_text("1/7 of an H100")
    expect(row).to_contain_text("4 free now")
    expect(row).to_contain_text("Team: 3 of 6 free, 1 more of what others leave idle, kept while it runs")
    expect(row).to_contain_text("0.40 EUR an hour")
    hers = page.locator(".af-row", has=page.locator("[id='af-nlp:mig-3g.40gb']"))
    expect(hers).to_contain_text("you have your share")
    expect(hers).to_contain_text("one person may have 1 of 3g.40gb in nlp, and you have 1; stop one of yours first")
    assert hers.locator("input").is_disabled()
    picture(page, "menu")
    page.locator("#af-tenant-vision").check()
    lent = page.locator(".af-row", has=page.locator("[id='af-vision:mig-1g.10gb']"))
    expect(lent).to_contain_text("2 can be borrowed: the owner may take them back, which ends the notebook")
    page.goto(f"{site}/hub/spawn/taken")
    picture(page, "menu-taken")
    for size in (PHONE, NARROWEST):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.goto(f"{site}/hub/spawn/some")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"
        if size is PHONE:
            picture(page, "menu-phone")


def test_keys_alone_choose_a_team_and_a_size_and_reach_the_button(page: Page, site: str) -> None:
    page.goto(f"{site}/hub/spawn/some")
    page.locator("#af-tenant-nlp").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("[id='af-vision:cpu-small']").is_checked()
    assert page.locator("#af-profiles-nlp").is_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.locator("[id='af-vision:mig-1g.10gb']").is_checked()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "submit"


def test_choosing_what_is_taken_says_that_one_waits_and_sends_it(page: Page, site: str) -> None:
    page.goto(f"{site}/hub/spawn/taken")
    page.get_by_text("mig-2g.20gb", exact=True).click()
    button = page.locator("#spawn_form [type=submit]")
    expect(button).to_have_text("Wait in the queue")
    page.get_by_text("cpu-small", exact=True).click()
    expect(button).to_have_text("Start")
    assert page.locator("[id='af-nlp:mig-7g.80gb']").is_disabled()
    page.get_by_text("mig-2g.20gb", exact=True).click()
    button.click()
    sent = json.loads(page.locator("body").inner_text())
    assert sent == {"_xsrf": ["x"], "tenant": ["nlp"], "profile": ["nlp/mig-2g.20gb/wait"]}


def test_a_thousand_sizes_are_searched(page: Page, site: str) -> None:
    page.goto(f"{site}/hub/spawn/thousand")
    assert page.locator("#af-profiles-nlp .af-row").count() == 1000
    page.fill("#af-search", "h100 40")
    expect(page.locator("#af-found")).to_have_text("1 size")
    assert page.locator("#af-profiles-nlp .af-row:visible").count() == 1
    page.fill("#af-search", "cpu-8")
    page.press("#af-search", "Enter")
    assert page.url.endswith("/hub/spawn/thousand"), "Enter in the search has sent the form"
    expect(page.locator("#af-found")).to_have_text("40 sizes")
    picture(page, "menu-thousand", full=False)
    page.fill("#af-search", "mig")
    page.check("text=only what is free now")
    expect(page.locator("#af-found")).to_have_text("1 size")


def test_counts_refresh_and_a_change_of_the_choice_is_told(page: Page, site: str, shown: dict[str, Menu]) -> None:
    page.goto(f"{site}/hub/spawn/changing")
    page.locator("[id='af-nlp:mig-1g.10gb']").check()
    shown["changing"] = menus.all_taken_in_two_teams()
    # It asks every ten seconds, and at once when it is looked at again.
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#af-news")).to_contain_text("mig-1g.10gb: none free: wait")
    expect(page.locator("#spawn_form [type=submit]")).to_have_text("Wait in the queue")
    assert page.locator("[id='af-nlp:mig-1g.10gb']").input_value() == "nlp/mig-1g.10gb/wait"
    shown.pop("changing")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#af-stale")).to_contain_text("not refreshed since")


def fit_of(page: Page, profile: str, team: str = "nlp") -> str:
    return page.locator(f"[id='af-{team}:{profile}-fit']").inner_text()


def test_a_size_that_does_not_go_with_the_environment_says_why_and_the_smallest_that_does_is_chosen(
    page: Page, site: str
) -> None:
    page.goto(f"{site}/hub/spawn/environments")
    assert page.locator("[id='af-env-lab@1']").is_checked()
    assert page.locator("[id='af-nlp:cpu-small']").is_checked()
    page.get_by_label("PyTorch", exact=True).check()
    assert fit_of(page, "cpu-small").startswith("it needs 16 GiB of memory, and this size has 2 GiB; the smallest")
    for profile, fits in {"cpu-small": False, "mig-1g.10gb": False, "mig-2g.20gb": True, "mig-3g.40gb": True}.items():
        assert page.locator(f"[id='af-nlp:{profile}']").is_enabled() is fits
    assert page.locator("#af-profiles-nlp .af-row:visible").count() == 5, "wrong pairs stay visible"
    picture(page, "menu-environments")
    page.get_by_label("VS Code", exact=True).check()
    assert fit_of(page, "mig-3g.40gb") == "no program in it uses a GPU, so the GPU would be idle"
    assert page.locator("[id='af-nlp:cpu-small']").is_enabled()


def test_the_choice_of_an_environment_is_sent_with_its_version(page: Page, site: str) -> None:
    page.goto(f"{site}/hub/spawn/environments")
    page.get_by_text("2 other versions of PyTorch").click()
    page.get_by_label("PyTorch 2026.05").check()
    assert page.locator("[id='af-env-lab-torch@2025.11']").is_disabled()
    page.locator("[id='af-nlp:mig-3g.40gb']").check()
    page.locator("#spawn_form [type=submit]").click()
    sent = json.loads(page.locator("body").inner_text())
    assert (sent["environment"], sent["profile"]) == (["lab-torch@2026.05"], ["nlp/mig-3g.40gb/wait"])


def test_another_team_has_its_own_environments(page: Page, site: str) -> None:
    page.goto(f"{site}/hub/spawn/environments")
    row = page.locator("[data-environment='vision-only']")
    assert row.is_hidden()
    page.locator("#af-tenant-vision").check()
    assert row.is_visible()
    row.get_by_label("Vision tools").check()
    page.locator("#af-tenant-nlp").check()
    assert row.is_hidden()
    assert page.locator("[id='af-env-lab@1']").is_checked(), "what the team has not is chosen no more"


def test_who_had_a_version_is_offered_what_follows(page: Page, site: str) -> None:
    page.goto(f"{site}/hub/spawn/restart")
    assert page.locator("[id='af-env-lab-torch@2026.05']").is_checked()
    offer = page.locator("[data-environment='lab-torch'] .af-offer")
    expect(offer).to_contain_text("Your last server had 2026.05, deprecated until 2027-02-24")
    expect(offer).to_contain_text("2026.11 follows it: which packages differ is not known.")
    for size in (PHONE, NARROWEST):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"


def test_keys_alone_choose_an_environment_and_counts_that_refresh_keep_what_does_not_fit(page: Page, site: str) -> None:
    page.goto(f"{site}/hub/spawn/environments")
    page.locator("[id='af-env-lab@1']").focus()
    page.keyboard.press("ArrowDown")
    assert page.locator("[id='af-env-lab-torch@2026.11']").is_checked()
    assert page.locator("[id='af-nlp:cpu-small']").is_disabled()
    with page.expect_response("**/hub/numbers/environments"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function("document.getElementById('af-stale').textContent === ''")
    assert page.locator("[id='af-nlp:cpu-small']").is_disabled()
