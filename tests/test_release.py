"""One version everywhere, and a changelog that names it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from aifactory_hub import __version__

ROOT = Path(__file__).resolve().parents[1]
NAMES_AN_IMAGE = (
    "docs/install.md",
    "helm-values/common.yaml",
    "helm-values/images/hub/Dockerfile",
    "helm-values/images/singleuser/Dockerfile",
    "charts/aifactory-hub/values.yaml",
)
IMAGE_VERSION = re.compile(r"(?:aifactory/hub:|tag: |aifactory/notebook:)(\d+\.\d+\.\d+)")


@pytest.mark.parametrize("file", ["labextension/package.json", "labextension/package-lock.json"])
def test_the_panel_has_the_version_of_the_package(file: str) -> None:
    assert json.loads((ROOT / file).read_text())["version"] == __version__


def test_pyproject_has_the_version_of_the_package() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__


@pytest.mark.parametrize("file", NAMES_AN_IMAGE)
def test_image_tags_have_the_version_of_the_package(file: str) -> None:
    assert set(IMAGE_VERSION.findall((ROOT / file).read_text())) == {__version__}


def test_the_newest_release_of_the_changelog_is_this_version() -> None:
    released = re.findall(r"(?m)^## (\S+) \(\d{4}-\d\d-\d\d\)$", (ROOT / "CHANGELOG.md").read_text())
    assert released[:1] == [__version__]


def test_each_fragment_of_the_changelog_has_a_name_and_a_kind() -> None:
    kinds = {
        each["directory"] for each in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    }
    names = [path.name for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    wrong = [name for name in names if not re.fullmatch(rf"\+[a-z0-9-]+\.({'|'.join(kinds)})\.md", name)]
    assert not wrong
