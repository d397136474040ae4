"""A broken tenants.yaml at the start: the last good one goes on."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from aifactory_hub.registry import RegistryError, RegistryProvider
from aifactory_hub.registry.last_good import NAME

GOOD = (Path(__file__).parents[1] / "e2e" / "tenants.yaml").read_text()
BROKEN = GOOD.replace("tenants:", "tenant:", 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "tenants.yaml"
    made.write_text(GOOD)
    return made


def test_a_good_file_is_used_and_kept(file: Path, tmp_path: Path) -> None:
    provider = RegistryProvider.open(file, tmp_path)
    assert provider.status.trouble == "" and GOOD in (tmp_path / NAME).read_text()
    before = (tmp_path / NAME).stat().st_mtime_ns
    RegistryProvider.open(file, tmp_path)
    assert (tmp_path / NAME).stat().st_mtime_ns == before, "it is not written without need"


@pytest.mark.parametrize("spoiled", [BROKEN, "", "[", None])
def test_a_broken_one_is_said_and_the_last_good_one_goes_on(
    file: Path, tmp_path: Path, spoiled: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    good = RegistryProvider.open(file, tmp_path).registry
    file.unlink() if spoiled is None else file.write_text(spoiled)
    provider = RegistryProvider.open(file, tmp_path)
    assert provider.registry.tenants == good.tenants and provider.registry.identity == good.identity
    assert NAME in provider.status.trouble and f"{file}:" in provider.status.trouble
    assert provider.status.read_at is None
    assert "can't be used, so the last good one is" in caplog.text
    assert GOOD in (tmp_path / NAME).read_text(), "the copy stays the good one"


def test_without_a_copy_the_start_is_refused_with_what_is_wrong(file: Path, tmp_path: Path) -> None:
    file.write_text(BROKEN)
    with pytest.raises(RegistryError, match="tenant"):
        RegistryProvider.open(file, tmp_path)


@pytest.mark.parametrize("spoil", ["half", "edited", "another file's", "no text"])
def test_a_copy_that_is_not_whole_or_not_of_this_file_is_not_used(file: Path, tmp_path: Path, spoil: str) -> None:
    RegistryProvider.open(file, tmp_path)
    copy = tmp_path / NAME
    content = copy.read_text()
    if spoil == "half":
        copy.write_text(content[: len(content) // 2])
    elif spoil == "edited":
        copy.write_text(content.replace("hub:", "hub: other #", 1))
    elif spoil == "no text":
        copy.write_bytes(b"\xff\xfe")
    else:
        file.rename(tmp_path / "other.yaml")
        file = tmp_path / "other.yaml"
    file.write_text(BROKEN)
    with pytest.raises(RegistryError):
        RegistryProvider.open(file, tmp_path)


def test_a_folder_that_can_not_be_written_keeps_nobody_from_starting(
    file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert RegistryProvider.open(file, file / "not-a-folder").registry.tenants
    assert "no copy of" in caplog.text
