"""Where the built files of the Jobs page are looked for, and what is taken for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aifactory_hub.service.page_files import find_page_files, read_page_files

SCRIPT, STYLE = f"page.{'a' * 16}.js", f"page.{'b' * 16}.css"


def built(folder: Path, script: str = SCRIPT) -> Path:
    folder.mkdir(parents=True)
    (folder / "page.json").write_text(json.dumps({"script": script, "style": STYLE}))
    (folder / SCRIPT).write_text("script")
    (folder / STYLE).write_text("style")
    return folder


def test_a_checkout_has_them_where_it_builds_them(tmp_path: Path) -> None:
    package = tmp_path / "aifactory_hub"
    (tmp_path / "labextension").mkdir()
    (tmp_path / "labextension/build.py").touch()
    assert find_page_files(package) is None
    folder = built(tmp_path / "labextension/built/page")
    assert find_page_files(package) == folder


def test_an_installation_has_them_in_its_share(tmp_path: Path) -> None:
    package = tmp_path / "lib/python3.12/site-packages/aifactory_hub"
    assert find_page_files(package) is None
    folder = built(tmp_path / "share/aifactory-hub/page")
    assert find_page_files(package) == folder
    found = read_page_files(folder)
    assert found is not None
    assert (found.script, found.files[STYLE].content) == (SCRIPT, b"style")


def test_what_was_not_built_is_none_and_an_odd_name_is_refused(tmp_path: Path) -> None:
    assert read_page_files(None) is None
    with pytest.raises(ValueError, match=r"names '\.\./secret', which is no file of the Jobs page"):
        read_page_files(built(tmp_path / "page", "../secret"))
