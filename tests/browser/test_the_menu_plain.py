"""The spawn page without JavaScript."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from . import menus
from .chromium import browser
from .menu_site import menu_site

pytestmark = pytest.mark.browser


def test_without_javascript_everything_is_there() -> None:
    with menu_site({"some": menus.some_free()}) as site, browser(java_script_enabled=False) as context:
        page = context.pages[0]
        page.goto(f"{site}/hub/spawn/some")
        expect(page.locator("#af-profiles-nlp")).to_contain_text("20 min to 42 min")
        expect(page.locator("#af-search")).to_have_count(0)
        page.locator("[id='af-tenant-vision']").check()
        assert page.locator("#af-profiles-nlp").is_hidden()
        page.locator("[id='af-vision:mig-1g.10gb']").check()
        page.locator("#spawn_form [type=submit]").click()
        expect(page.locator("body")).to_contain_text("vision/mig-1g.10gb")
