"""The rules in use follow the folder, and the last good ones stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from aifactory_hub.policy import PolicyError, RulesProvider
from aifactory_hub.policy.provider import COPY

from ..support.rules import write_rules
from .rules import rule


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_rules(tmp_path / "rules", rule())
    return tmp_path / "rules"


def ids(provider: RulesProvider) -> list[str]:
    return [each.id for each in provider.current.bundle.rules]


def test_a_site_without_a_folder_has_no_rules() -> None:
    provider = RulesProvider.open(lambda: None)
    provider.look()
    assert (ids(provider), provider.current.bundle.digest, provider.status.trouble) == ([], "", "")


def test_a_change_is_taken_at_the_second_look(folder: Path) -> None:
    provider = RulesProvider.open(lambda: folder)
    write_rules(folder, rule(id="other"))
    provider.look()
    assert ids(provider) == ["images-by-digest"]
    provider.look()
    assert ids(provider) == ["other"]


def test_what_is_still_being_written_is_not_taken(folder: Path) -> None:
    provider = RulesProvider.open(lambda: folder)
    for number in range(3):
        write_rules(folder, rule(id=f"part-{number}"))
        provider.look()
    assert ids(provider) == ["images-by-digest"]


@pytest.mark.parametrize("broken", ["rules: [", ""])
def test_broken_rules_leave_the_last_good_ones(folder: Path, broken: str) -> None:
    provider = RulesProvider.open(lambda: folder)
    (folder / "site.yaml").write_text(broken)
    for _ in range(3):
        provider.look()
    assert ids(provider) == ["images-by-digest"]
    assert "site.yaml" in provider.status.trouble
    write_rules(folder, rule())
    provider.look()
    assert provider.status.trouble == ""


def test_a_folder_that_went_away_leaves_them_too(folder: Path) -> None:
    provider = RulesProvider.open(lambda: folder)
    (folder / "site.yaml").unlink()
    folder.rmdir()
    provider.look()
    assert (ids(provider), "can't be read" in provider.status.trouble) == (["images-by-digest"], True)


def test_a_site_that_takes_the_folder_away_has_no_rules_any_more(folder: Path) -> None:
    places: list[Path | None] = [folder]
    provider = RulesProvider.open(lambda: places[-1])
    places.append(None)
    provider.look()
    assert ids(provider) == []


def test_a_start_with_broken_rules_takes_the_copy(folder: Path, tmp_path: Path) -> None:
    RulesProvider.open(lambda: folder, tmp_path / "kept")
    (folder / "site.yaml").write_text("rules: [")
    provider = RulesProvider.open(lambda: folder, tmp_path / "kept")
    assert (ids(provider), "the last good ones are in use" in provider.status.trouble) == (["images-by-digest"], True)


def test_a_start_with_broken_rules_and_no_copy_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "site.yaml").write_text("rules: [")
    with pytest.raises(PolicyError, match=r"site.yaml:1"):
        RulesProvider.open(lambda: folder, tmp_path)


@pytest.mark.parametrize("damage", ["", "{}", "[1]", '{"folder": "elsewhere", "digest": "", "files": {}}'])
def test_a_copy_that_is_not_whole_is_not_used(folder: Path, tmp_path: Path, damage: str) -> None:
    RulesProvider.open(lambda: folder, tmp_path)
    (tmp_path / COPY).write_text(damage)
    (folder / "site.yaml").write_text("rules: [")
    with pytest.raises(PolicyError):
        RulesProvider.open(lambda: folder, tmp_path)


def test_a_copy_that_somebody_changed_is_not_used(folder: Path, tmp_path: Path) -> None:
    RulesProvider.open(lambda: folder, tmp_path)
    copy = tmp_path / COPY
    copy.write_text(copy.read_text().replace("severity: hard", "severity: advisory"))
    (folder / "site.yaml").write_text("rules: [")
    with pytest.raises(PolicyError):
        RulesProvider.open(lambda: folder, tmp_path)
