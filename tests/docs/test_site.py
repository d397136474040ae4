"""The documentation as pages: built without a warning, and nothing on them leads nowhere."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup

from .site import build_site

# Somewhere that is nobody's, so that what is not of the site is told by its host.
HERE = "http://site.invalid/"
LOADED = (("img", "src"), ("script", "src"), ("link", "href"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert build_site(folder) == []
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, BeautifulSoup]:
    found = (path for path in site.rglob("*.html") if path.name != "404.html")
    return {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in found}


def targets(site: Path, path: Path, page: BeautifulSoup, tag: str, attribute: str) -> list[str]:
    """Where these lead, as whole addresses."""
    base = urljoin(HERE, path.relative_to(site).as_posix())
    return [urljoin(base, str(each[attribute])) for each in page.find_all(tag, attrs={attribute: True})]


def file_of(site: Path, address: str) -> Path:
    path = site / unquote(urlsplit(address).path.lstrip("/"))
    return path / "index.html" if path.is_dir() else path


def test_every_link_leads_to_a_page_and_every_anchor_to_a_heading(site: Path, pages: dict[Path, BeautifulSoup]) -> None:
    anchors = {path: {str(each["id"]) for each in page.find_all(id=True)} for path, page in pages.items()}
    looked_at, wrong = 0, []
    for path, page in pages.items():
        for address in targets(site, path, page, "a", "href"):
            if not address.startswith(HERE):
                continue
            looked_at += 1
            target, anchor = file_of(site, address), unquote(urlsplit(address).fragment)
            known = anchors.get(target, {anchor})
            if not target.is_file() or (anchor and anchor not in known):
                wrong.append(f"{path.relative_to(site)}: {address.removeprefix(HERE)}")
    assert not wrong
    assert looked_at > len(pages)


def test_pictures_scripts_and_styles_are_the_site_s_own(site: Path, pages: dict[Path, BeautifulSoup]) -> None:
    """A site behind a firewall shows them too, and nobody else learns who reads what."""
    for path, page in pages.items():
        for tag, attribute in LOADED:
            for address in targets(site, path, page, tag, attribute):
                assert address.startswith(HERE), f"{path}: {address}"
                assert file_of(site, address).is_file(), f"{path}: {address}"


def test_every_picture_is_described(pages: dict[Path, BeautifulSoup]) -> None:
    for path, page in pages.items():
        for each in page.find_all("img"):
            assert each.get("alt"), f"{path}: {each.get('src')}"
