"""The documentation in Chromium, on a desk and on a phone: nothing is cut off, nothing fails to load."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from ..docs.site import build_site, pages
from .chromium import browser

pytestmark = pytest.mark.browser

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
# Right edges of what is cut off: wider than the box it is in, and that box does not move sideways.
CUT_OFF = """() => [...document.querySelectorAll(".rst-content table, .rst-content pre, .rst-content img")]
    .filter(each => {
        const edge = each.getBoundingClientRect().right
        for (let box = each; box; box = box.parentElement)
            if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return false
        return edge > document.documentElement.clientWidth + 1
    })
    .map(each => each.outerHTML.slice(0, 120))"""
# On a desk a table has to fit: a column that one has to look for is not seen.
TOO_WIDE = """() => [...document.querySelectorAll(".rst-content table")]
    .filter(each => each.scrollWidth > each.parentElement.clientWidth + 1)
    .map(each => each.innerText.slice(0, 80))"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    folder = tmp_path_factory.mktemp("site")
    build_site(folder)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(Path(folder))))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", pages(folder)
    server.shutdown()
    server.server_close()
    thread.join()


def test_every_page_is_whole_on_a_desk_and_on_a_phone(site: tuple[str, list[str]]) -> None:
    address, paths = site
    missing: list[str] = []
    wrong: list[str] = []
    with browser() as context:
        page: Page = context.new_page()
        page.on("response", lambda answer: missing.append(answer.url) if answer.status >= 400 else None)
        for name, size in SIZES.items():
            page.set_viewport_size(size)  # type: ignore[arg-type]
            for path in paths:
                page.goto(address + path)
                looks = [CUT_OFF, TOO_WIDE] if name == "desk" else [CUT_OFF]
                wrong += [f"{path} on a {name}: {found}" for look in looks for found in page.evaluate(look)]
                sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                wrong += [f"{path} on a {name} moves sideways by {sideways}"] if sideways > 0 else []
    assert not missing
    assert not wrong


def test_the_search_finds_a_page(site: tuple[str, list[str]]) -> None:
    address, _ = site
    with browser() as context:
        page = context.new_page()
        page.goto(f"{address}search.html?q=borrowing")
        page.wait_for_selector("#mkdocs-search-results article", timeout=30_000)
        assert "quota/" in page.inner_html("#mkdocs-search-results")
