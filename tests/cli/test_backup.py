"""``aifactory-hub backup`` and ``restore`` from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli.app import main

from ..backup.site import Site, make_site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(f"sqlite:///{tmp_path / 'jobs.sqlite'}", tmp_path / "site")


def run(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], env=environment)


def test_from_the_service_s_own_environment_to_a_check_and_back(site: Site, tmp_path: Path) -> None:
    key, folder = tmp_path / "key", tmp_path / "backup"
    key.write_text("ab" * 32)
    made = run("backup", folder, "--keys-with", key, "--copy-files", AIFACTORY_HUB_SERVICE_DATABASE=site.url,
               AIFACTORY_HUB_SERVICE_FILES=str(site.files), AIFACTORY_HUB_TENANTS=str(site.tenants))  # fmt: skip
    assert made.exit_code == 0, made.output
    assert "not kept: the hub's database" in made.output
    checked = run("restore", "--check", folder, "--keys-with", key)
    assert checked.exit_code == 0, checked.output
    assert checked.output.splitlines()[-1].split(" of ")[0] == checked.output.splitlines()[-1].split()[2]
    back = run("restore", folder, "--service-database", f"sqlite:///{tmp_path / 'new.sqlite'}")
    assert (back.exit_code, back.output.startswith("restored the service's database")) == (0, True)


def test_of_several_backups_the_newest_complete_ones_stay_and_nothing_else_goes(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    for name in ("20200101T000000Z", "20200102T000000Z", "20200103T000000Z", "29990101T000000Z", "mine"):
        (folder / name).mkdir(parents=True)
    for name in ("20200101T000000Z", "20200103T000000Z"):
        (folder / name / "manifest.json").touch()
    made = run("backup", folder, "--files", site.files, "--keep", "2")
    assert made.exit_code == 0, made.output
    left = {path.name for path in folder.iterdir()}
    assert {"20200103T000000Z", "29990101T000000Z", "mine"} < left
    assert not {"20200101T000000Z", "20200102T000000Z"} & left
    assert len(left) == 4


def test_what_was_not_tried_is_no_yes(site: Site, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("ab" * 32)
    run("backup", tmp_path / "backup", "--files", site.files, "--keys-with", key)
    checked = run("restore", "--check", tmp_path / "backup")
    assert checked.exit_code == 1
    assert "not tried the service's keys" in checked.output
    assert "--keys-with FILE" in checked.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backup", "x"), "nothing to keep"),
        (("restore", "x"), "say what to restore"),
        (("restore", "--check", "/nowhere"), "give the folder of a backup that was completed"),
        (("backup", "x", "--service-database", "postgresql://me:secret@db/jobs"), "PGPASSWORD"),
        (("backup", "x", "--service-database", "mysql://db/jobs"), "use its own tools"),
        (("backup", "x", "--service-database", "not an address"), "can't be read"),
        (("backup", "x", "--service-database", "sqlite:////nowhere/jobs.sqlite"), "there is no database at"),
        (("backup", "x", "--files", "/nowhere"), "there is no folder of files"),
    ],
)
def test_what_is_refused_says_what_to_do(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.output
    assert "secret" not in done.output
