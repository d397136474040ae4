"""``tenants request``: numbers, a file that is never refused later, and nothing where it does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli.app import main
from aifactory_hub.registry import load_registry

TEXT = (Path(__file__).parents[1] / "e2e" / "tenants.yaml").read_text()
ROBOTS = ("--group", "teams/robots", "--profile", "mig-1g.10gb")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "tenants.yaml"
    made.write_text(TEXT)
    return made


def ask(file: Path, *options: str, team: str = "robots") -> Result:
    return CliRunner().invoke(main, ["tenants", "request", str(file), team, *options])


def test_what_fits_becomes_a_file_that_the_hub_reads(file: Path) -> None:
    done = ask(file, *ROBOTS, "--quota", "mig-1g.10gb=2", "--sleep-after", "2h", "--write")
    assert done.exit_code == 0, done.output
    assert "2 of 7 mig-1g.10gb are promised to nobody; you ask for 2, which fits." in done.output
    made = load_registry(file).tenants["robots"]
    assert made.vcluster.namespace == "vc-robots" and made.sleep_after == 7200
    assert sum(made.quota.nominal.values()) == 2


def test_what_does_not_fit_is_answered_with_the_largest_that_does(file: Path) -> None:
    done = ask(file, *ROBOTS, "--quota", "mig-1g.10gb=3", "--write")
    assert done.exit_code == 1
    assert "you can have 2 now, or 3 of which 1 are borrowed" in done.output
    assert not (file.parent / "tenants.d").exists()
    borrowed = ask(file, *ROBOTS, "--quota", "mig-1g.10gb=2", "--borrowing", "mig-1g.10gb=1")
    assert borrowed.exit_code == 0, "what is offered is what can be had"


@pytest.mark.parametrize(
    ("options", "team", "said"),
    [
        (("--quota", "mig-1g.10gb"), "robots", "is not SIZE=N"),
        (("--quota", "mig-1g.10gb=-1"), "robots", "is not SIZE=N"),
        (("--quota", "mig-9g=1"), "robots", "no size 'mig-9g' has a device; those that do: "),
        (("--quota", "cpu-small=1"), "robots", "no size 'cpu-small' has a device"),
        (("--quota", "mig-1g.10gb=1"), "Robots!", "tenants.Robots!"),
        (("--quota", "mig-1g.10gb=1"), "nlp", "has this team too"),
        (("--quota", "mig-1g.10gb=1", "--namespace", "vc-nlp"), "robots", "in namespace vc-nlp already"),
        (("--quota", "mig-1g.10gb=1", "--sleep-after", "soon"), "robots", "is not a length of time"),
    ],
)
def test_what_can_not_be_used_is_said_and_nothing_is_made(
    file: Path, options: tuple[str, ...], team: str, said: str
) -> None:
    done = ask(file, *ROBOTS, *options, "--write", team=team)
    assert done.exit_code in (1, 2) and said in done.output, done.output
    assert not (file.parent / "tenants.d").exists()


def test_a_second_request_for_a_team_overwrites_nothing(file: Path) -> None:
    assert ask(file, *ROBOTS, "--quota", "mig-1g.10gb=1", "--write").exit_code == 0
    again = ask(file, *ROBOTS, "--quota", "mig-1g.10gb=1", "--write")
    assert again.exit_code == 1 and "there is a file of team robots already" in again.output
