"""``tenants.d``: a file for each team, read as one registry with ``tenants.yaml``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from aifactory_hub.cli.app import main
from aifactory_hub.registry import RegistryError, RegistryProvider, load_registry
from aifactory_hub.registry.export import as_one_file, as_team_files
from aifactory_hub.registry.last_good import NAME
from aifactory_hub.registry.load import read_registry, read_text
from aifactory_hub.registry.team_files import join_files, split_files

GOOD = (Path(__file__).parents[1] / "e2e" / "tenants.yaml").read_text()
TEAM = "vcluster: {namespace: vc-%s, name: %s}\ngroups: [{group: teams/%s, role: member}]\nprofiles: [cpu-small]\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "tenants.yaml"
    made.write_text(GOOD)
    (tmp_path / "tenants.d").mkdir()
    return made


def team(file: Path, name: str, text: str | None = None) -> Path:
    made = file.parent / "tenants.d" / f"{name}.yaml"
    made.write_text(TEAM % (name, name, name) if text is None else text)
    return made


def problems(file: Path) -> str:
    with pytest.raises(RegistryError) as caught:
        load_registry(file)
    return str(caught.value)


def test_a_file_in_the_folder_is_a_team(file: Path) -> None:
    team(file, "robots")
    registry = load_registry(file)
    assert list(registry.tenants) == ["nlp", "vision", "robots"]
    assert registry.tenants["robots"].vcluster.namespace == "vc-robots"


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        (TEAM.replace("member", "boss") % (("robots",) * 3), 2, "tenants.robots.groups[0].role"),
        ("vcluster: {namespace: vc-robots, name: robots}\ngroups: []\nprofile: [x]\n", 3, "tenants.robots.profile"),
        ("vcluster: {namespace: vc-nlp, name: robots}\ngroups: []\nprofiles: [cpu-small]\n", 1, "vcluster.namespace"),
        ("groups: [\n", None, "not valid YAML"),
        ("groups: []\ngroups: []\n", 2, "tenants.robots.groups: given twice"),
        ("", None, "tenants.robots"),
    ],
)  # fmt: skip
def test_a_problem_names_the_file_the_line_and_the_key(file: Path, text: str, line: int | None, key: str) -> None:
    place = f"{team(file, 'robots', text)}:{'' if line is None else f'{line}:'}"
    assert any(each.startswith(place) and key in each for each in problems(file).splitlines()), problems(file)


def test_a_team_is_in_one_place_only(file: Path) -> None:
    place = team(file, "nlp")
    assert f"{place}:1: tenants.nlp: {file} has this team too, in line" in problems(file)


def test_two_files_that_contradict_each_other_are_named_both(file: Path) -> None:
    team(file, "robots")
    place = team(file, "audio", TEAM % ("robots", "audio", "audio"))
    assert f"{place.with_stem('robots')}:1" in problems(file) and "line 1 of tenants.d/audio.yaml" in problems(file)


@pytest.mark.parametrize("name", ["robots.yml", "robots", "robots.yaml~"])
def test_a_file_with_another_ending_is_refused_and_not_left_out(file: Path, name: str) -> None:
    (file.parent / "tenants.d" / name).write_text("x")
    assert f"{name}: a file with another ending is not read; name it <team>.yaml" in problems(file)


def test_hidden_files_are_left_out(file: Path) -> None:
    (file.parent / "tenants.d" / ".robots.yaml.swp").write_text("[")
    assert len(load_registry(file).tenants) == 2


@pytest.mark.parametrize("where", ["tenants.yaml", "tenants.d/robots.yaml"])
def test_no_file_can_say_that_another_one_begins(file: Path, where: str) -> None:
    team(file, "robots")
    with (file.parent / where).open("a") as opened:
        opened.write("# \x1eevil\nvcluster: {}\n")
    assert f"{file.parent / where}: the file has a control character" in problems(file)


def test_all_files_together_have_a_limit(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aifactory_hub.registry.load.LARGEST", len(GOOD) + 200)
    team(file, "robots", "#" * 100 + "\n" + TEAM % ("a", "a", "a"))
    assert "together" in problems(file)


def test_joining_and_splitting_are_inverse() -> None:
    teams = {"b": "x: 1\n", "a": ""}
    assert split_files(join_files("main\n", teams)) == ("main\n", teams)
    assert join_files("main\n", {}) == "main\n"


class Followed:
    """A provider whose files change."""

    def __init__(self, file: Path) -> None:
        self.provider = RegistryProvider.open(file, file.parent / "kept")

    async def teams(self) -> set[str]:
        for _ in range(2):
            await self.provider.look()
        return set(self.provider.registry.tenants)

    @property
    def trouble(self) -> str:
        return self.provider.status.trouble


async def test_a_team_joins_and_leaves_while_all_runs(file: Path) -> None:
    followed = Followed(file)
    place = team(file, "robots")
    assert await followed.teams() == {"nlp", "vision", "robots"}
    place.unlink()
    assert await followed.teams() == {"nlp", "vision"} and followed.trouble == ""


async def test_one_bad_file_leaves_all_as_they_were(file: Path) -> None:
    followed = Followed(file)
    team(file, "robots")
    bad = team(file, "audio", "profiles: 3\n")
    assert await followed.teams() == {"nlp", "vision"}
    assert f"{bad}:1" in followed.trouble and "the last good one is in use" in followed.trouble
    bad.unlink()
    assert await followed.teams() == {"nlp", "vision", "robots"} and followed.trouble == ""


async def test_a_start_with_a_bad_file_goes_on_with_the_copy_of_all_files(file: Path) -> None:
    team(file, "robots")
    Followed(file)
    team(file, "robots", "profiles: 3\n")
    followed = Followed(file)
    assert set(followed.provider.registry.tenants) == {"nlp", "vision", "robots"}
    assert NAME in followed.trouble


def retire(file: Path) -> None:
    file.write_text(GOOD + "retired: [audio, robots]\n")


def vanish(file: Path) -> None:
    for each in (file.parent / "tenants.d").iterdir():
        each.unlink()


async def test_several_teams_that_are_gone_at_once_are_a_mistake_until_somebody_says_that_they_are_not(
    file: Path,
) -> None:
    team(file, "robots")
    team(file, "audio")
    followed = Followed(file)
    vanish(file)
    assert await followed.teams() == {"nlp", "vision", "robots", "audio"}
    assert "2 teams are gone from it at once" in followed.trouble
    assert "retired: [audio, robots]" in followed.trouble
    retire(file)
    assert await followed.teams() == {"nlp", "vision"} and followed.trouble == ""


async def test_a_start_does_not_lose_teams_either(file: Path) -> None:
    team(file, "robots")
    team(file, "audio")
    Followed(file)
    vanish(file)
    followed = Followed(file)
    assert await followed.teams() == {"nlp", "vision", "robots", "audio"}
    assert "2 teams are gone from it at once" in followed.trouble
    assert "robots" in (file.parent / "kept" / NAME).read_text(), "the copy stays the good one"
    retire(file)
    assert set(Followed(file).provider.registry.tenants) == {"nlp", "vision"}


def test_a_team_that_is_there_can_not_be_retired(file: Path) -> None:
    file.write_text(GOOD + "retired: [nlp]\n")
    assert "retired[0]: team 'nlp' is among the tenants" in problems(file)


@pytest.mark.parametrize("teams", [(), ("robots", "audio")])
def test_what_is_exported_says_the_same(file: Path, teams: tuple[str, ...], tmp_path: Path) -> None:
    for name in teams:
        team(file, name)
    before = load_registry(file)
    text = read_text(file)
    one, several = as_one_file(text), as_team_files(text)
    assert replace(read_registry(one, str(file)), source="") == replace(before, source="")
    assert set(several[1]) == set(before.tenants) and "\ntenants:" not in several[0]
    assert replace(read_registry(join_files(*several), str(file)), source="") == replace(before, source="")


def test_the_command_writes_files_that_are_read_again(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "split"
    done = CliRunner().invoke(main, ["tenants", "export", str(file), "--to", str(target)])
    assert done.exit_code == 0, done.output
    assert {each.name for each in (target / "tenants.d").iterdir()} == {"nlp.yaml", "vision.yaml"}
    assert load_registry(target / "tenants.yaml").tenants == load_registry(file).tenants
    again = CliRunner().invoke(main, ["tenants", "export", str(file), "--to", str(target)])
    assert again.exit_code == 1 and "exists already" in again.output
